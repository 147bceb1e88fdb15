package dev.whirlwind.cli.run;

import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.config.TrainConfig;
import java.nio.file.Path;
import java.util.concurrent.Callable;
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

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        TrainConfig options = options();
        try (Run run = Run.create(options, "train", spec.commandLine().getErr())) {
            return run.train(spec.commandLine(), output.isJson());
        }
    }

    /** What was asked for. All that is wrong here is wrong usage: nothing has been read but options. */
    private TrainConfig options() {
        TrainConfig options = TrainConfig.DEFAULTS;
        try {
            if (config != null) {
                options = options.with(ConfigFile.read(config), config.toString());
            }
            options = options.with(TrainOptions.given(spec.commandLine().getParseResult()), "command line");
        } catch (UserException e) {
            throw new UsageException(e.getMessage(), e);
        }
        require(options.data().model() != null, "model");
        require(!options.data().data().isEmpty(), "data");
        require(options.data().out() != null, "out");
        return options;
    }

    private static void require(boolean given, String option) {
        if (!given) {
            throw new UsageException("train needs --" + option + " (or \"" + option + "\" in the --config file); see"
                    + " whirlwind train --help");
        }
    }
}
