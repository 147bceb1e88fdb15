package dev.whirlwind.cli.run;

import dev.whirlwind.training.config.Options;
import dev.whirlwind.training.config.TrainConfig;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Model.ArgGroupSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/** The options of {@code train}: all of {@link Options}, under their names with dashes, in a group for each section. */
public final class TrainOptions {
    private TrainOptions() {}

    /** Adds them to a command. */
    public static void addTo(CommandSpec spec) {
        for (String section : Options.sectionNames()) {
            ArgGroupSpec.Builder group = ArgGroupSpec.builder()
                    .validate(false)
                    .heading("%n" + Character.toUpperCase(section.charAt(0)) + section.substring(1) + "%n");
            Options.all().values().stream()
                    .filter(option -> option.section().equals(section))
                    .forEach(option -> group.addArg(of(option)));
            spec.addArgGroup(group.build());
        }
        spec.addOption(OptionSpec.builder("--eval-batches")
                .type(Integer.class)
                .hidden(true)
                .description("The old name of --eval-windows, which counts eight of them as one.")
                .build());
    }

    private static OptionSpec of(Options.Entry option) {
        boolean flag = option.type() == boolean.class;
        boolean isDefaultTold = !flag && !option.defaultText().isEmpty();
        OptionSpec.Builder builder = OptionSpec.builder("--" + option.name().replace('_', '-'))
                .type(option.type())
                .paramLabel(option.label())
                .description(option.help() + (isDefaultTold ? " Default: " + option.defaultText() + "." : ""));
        if (option.type() == List.class) {
            builder.auxiliaryTypes(String.class).arity("1..*");
        } else if (flag) {
            builder.arity("0");
        }
        return builder.build();
    }

    /** Those that were given, by the names of {@link TrainConfig}. */
    static Map<String, Object> given(ParseResult parsed) {
        Map<String, Object> given = new LinkedHashMap<>();
        for (OptionSpec option : parsed.matchedOptions()) {
            String name = option.longestName().replace("--", "").replace('-', '_');
            if (TrainConfig.isOption(name)) {
                given.put(name, option.getValue());
            }
        }
        return given;
    }
}
