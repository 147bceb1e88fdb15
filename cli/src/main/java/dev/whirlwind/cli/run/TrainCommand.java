package dev.whirlwind.cli.run;

import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.config.Aliases;
import dev.whirlwind.training.config.TrainConfig;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.Map;
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
        TrainConfig options = options(names);
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

    /** What was asked for, by {@code names}. All that is wrong here is wrong usage: nothing has been read but options. */
    private TrainConfig options(Set<String> names) {
        TrainConfig options = TrainConfig.DEFAULTS;
        try {
            Map<String, Object> file = config == null ? Map.of() : ConfigFile.read(config);
            Map<String, Object> given = TrainOptions.given(spec.commandLine().getParseResult());
            names.addAll(file.keySet());
            names.addAll(given.keySet());
            options = options.with(file, String.valueOf(config)).with(given, "command line");
            if (options.data().extend() != null) {
                if (options.data().model() != null) {
                    throw new UsageException("extend goes on with the model that "
                            + options.data().extend() + " had on its plateau; leave model out");
                }
                options = Extension.of(Path.of(options.data().extend()))
                        .with(file, String.valueOf(config))
                        .with(given, "command line");
                Extension.check(options);
            }
            options.requireEffect(names, spec.commandLine().getErr()::println);
        } catch (UsageException e) {
            throw e;
        } catch (UserException e) {
            throw new UsageException(e.getMessage(), e);
        }
        return options;
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
