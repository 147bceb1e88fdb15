package dev.whirlwind.cli.run;

import dev.whirlwind.cli.shared.Output;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "resume",
        sortOptions = false,
        customSynopsis = "whirlwind resume RUN [OPTIONS]",
        description = {
            "Goes on with a run exactly where it stopped: it ends with the same weights as if it never had.",
            "Options that decide what it becomes are refused when they are others than it began with, unless --change"
                    + " means it; a longer --steps needs no --change where the learning rate goes on without a jump."
        })
public final class ResumeCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "RUN", description = "The folder of the run.")
    private Path run;

    @Option(
            names = {"--change", "--accept-config"},
            description = "Go on with other options than the run began with, given here or by an edit of"
                    + " RUN/config.yaml; without this they are refused like damage.")
    private boolean change;

    @Mixin
    private Output output;

    private Map<String, Object> changes() {
        Map<String, Object> changes =
                new LinkedHashMap<>(TrainOptions.given(spec.commandLine().getParseResult()));
        if (changes.containsKey("engine")) {
            // The device that was chosen for another engine.
            changes.putIfAbsent("device", null);
        }
        return changes;
    }

    @Override
    public Integer call() {
        PrintWriter err = spec.commandLine().getErr();
        try (RequestSignals _ = RequestSignals.deaf(err);
                Run opened = Run.open(run, changes(), change, err)) {
            return opened.train(spec.commandLine(), output.isJson());
        }
    }
}
