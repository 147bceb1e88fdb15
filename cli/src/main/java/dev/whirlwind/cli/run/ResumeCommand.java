package dev.whirlwind.cli.run;

import dev.whirlwind.cli.shared.Output;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "resume",
        description = "Goes on with a run exactly where it stopped: it ends with the same weights as if it never had.")
public final class ResumeCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "RUN", description = "The folder of the run.")
    private Path run;

    @Option(names = "--engine", paramLabel = "ENGINE", description = "Another engine than the run had so far.")
    private String engine;

    @Option(names = "--device", paramLabel = "ID", description = "Another device of the tornado engine: see devices.")
    private String device;

    @Option(names = "--threads", paramLabel = "N", description = "Another number of threads; it changes no result.")
    private Integer threads;

    @Option(
            names = "--accept-config",
            description = "Go on though RUN/config.yaml was edited; without this, an edit that changes the result is"
                    + " refused like damage.")
    private boolean acceptConfig;

    @Mixin
    private Output output;

    private Map<String, Object> changes() {
        Map<String, Object> changes = new LinkedHashMap<>();
        changes.put("engine", engine);
        changes.put("device", device);
        changes.put("threads", threads);
        changes.values().removeIf(Objects::isNull);
        if (engine != null) {
            // The device that was chosen for another engine.
            changes.putIfAbsent("device", device);
        }
        return changes;
    }

    @Override
    public Integer call() {
        PrintWriter err = spec.commandLine().getErr();
        try (Run opened = Run.open(run, changes(), acceptConfig, err)) {
            return opened.train(spec.commandLine(), output.isJson());
        }
    }
}
