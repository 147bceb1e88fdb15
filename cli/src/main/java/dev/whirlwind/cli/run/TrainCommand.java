package dev.whirlwind.cli.run;

import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.training.config.Aliases;
import dev.whirlwind.training.config.TrainConfig;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "train",
        sortOptions = false,
        customSynopsis = "whirlwind train --model DIR --data PATH... --out RUN [OPTIONS]",
        description = {
            "Continues the pre-training of a model on text.",
            "Every option may also stand in a YAML file; the command line wins. What all of them came to is kept in"
                    + " RUN/config.yaml, the trained model in RUN/final."
        })
public final class TrainCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(names = "--config", paramLabel = "FILE", description = "A YAML file of options, such as \"min_lr: 1e-5\".")
    private Path config;

    @Option(
            names = "--print-config",
            description = "Print all options with what they are, as a YAML file for --config, and do nothing else.")
    private boolean printConfig;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        Set<String> names = new LinkedHashSet<>();
        TrainConfig options = TrainOptions.read(
                config,
                spec.commandLine().getParseResult(),
                names,
                spec.commandLine().getErr()::println);
        if (printConfig) {
            spec.commandLine().getOut().print(ConfigFile.template(options));
            spec.commandLine().getOut().flush();
            return 0;
        }
        require(options.data().model() != null, "model");
        require(!options.data().data().isEmpty(), "data");
        require(options.data().out() != null, "out");
        tellAliases(names);
        PrintWriter err = spec.commandLine().getErr();
        try (RequestSignals _ = RequestSignals.deaf(err);
                Run run = Run.create(options, "train", err)) {
            return run.train(spec.commandLine(), output.isJson());
        }
    }

    /** Says once which names of others were read as which options. */
    private void tellAliases(Set<String> names) {
        names.retainAll(Aliases.all().keySet());
        if (!names.isEmpty()) {
            String ours = names.stream()
                    .map(name -> name + " as " + Aliases.all().get(name).option())
                    .collect(Collectors.joining(", "));
            spec.commandLine().getErr().println("read by our names (docs/from-transformers.md): " + ours);
        }
    }

    private static void require(boolean given, String option) {
        if (!given) {
            throw new UsageException("train needs --" + option + " (or \"" + option + "\" in the --config file); see"
                    + " whirlwind train --help");
        }
    }
}
