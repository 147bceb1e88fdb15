package dev.whirlwind.cli;

import dev.whirlwind.cli.shared.Engines;
import dev.whirlwind.cli.shared.Output;
import java.io.PrintWriter;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(name = "devices", description = "Shows the engines and devices found, and why one cannot be used.")
final class DevicesCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        List<Engines.Found> engines = Engines.find();
        if (output.isJson()) {
            out.println(Output.json(Map.of("engines", engines)));
        } else {
            engines.forEach(engine -> out.printf(
                    "%-8s %-5s %-11s %s%n",
                    engine.name(),
                    engine.device() == null ? "" : engine.device(),
                    engine.usable() ? "usable" : "not usable",
                    engine.description()));
        }
        return 0;
    }
}
