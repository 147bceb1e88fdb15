package dev.whirlwind.cli;

import java.nio.file.Path;
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
final class ResumeCommand implements Callable<Integer> {
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

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        try (Run opened =
                Run.open(run, engine, device, threads, spec.commandLine().getErr())) {
            return opened.train(spec.commandLine(), output.isJson());
        }
    }
}
