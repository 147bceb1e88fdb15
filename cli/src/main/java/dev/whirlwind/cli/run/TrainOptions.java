package dev.whirlwind.cli.run;

import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.config.Aliases;
import dev.whirlwind.training.config.Options;
import dev.whirlwind.training.config.TrainConfig;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;
import picocli.CommandLine.Model.ArgGroupSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/**
 * {@link Options} on the command line, under their names with dashes, in a group for each section: all of them for
 * {@code train}, for {@code resume} those that may be another while a run is under way.
 */
public final class TrainOptions {
    /** A step reads what it read before: without these a run has lost its place. */
    private static final Set<String> FIXED = Set.of("batch", "sequence", "accumulation");

    /** Of which one takes the place of another. */
    private static final Set<String> LENGTHS = Set.of("steps", "epochs", "tokens");

    private TrainOptions() {}

    /** All, with their defaults. */
    public static void addAll(CommandSpec spec) {
        add(spec, _ -> true, true);
        Aliases.all().values().forEach(alias -> spec.addOption(hidden(alias)));
    }

    /** Those of a run that has begun. */
    public static void addChangeable(CommandSpec spec) {
        add(spec, option -> !option.section().equals("data") && !FIXED.contains(option.name()), false);
    }

    private static void add(CommandSpec spec, Predicate<Options.Entry> which, boolean defaults) {
        for (String section : Options.sectionNames()) {
            ArgGroupSpec.Builder group = ArgGroupSpec.builder()
                    .validate(false)
                    .heading("%n" + Character.toUpperCase(section.charAt(0)) + section.substring(1) + "%n");
            List<Options.Entry> options = Options.all().values().stream()
                    .filter(which)
                    .filter(option -> option.section().equals(section))
                    .toList();
            options.forEach(option -> group.addArg(of(option, defaults)));
            if (!options.isEmpty()) {
                spec.addArgGroup(group.build());
            }
        }
    }

    /** With dashes or underscores, as transformers' own programs take them; a flag may have a value there. */
    private static OptionSpec hidden(Aliases.Alias alias) {
        Options.Entry option = Options.all().get(alias.option());
        Set<String> names = new LinkedHashSet<>(List.of("--" + alias.name().replace('_', '-'), "--" + alias.name()));
        OptionSpec.Builder builder = OptionSpec.builder(names.toArray(String[]::new))
                .hidden(true)
                .description("See --" + alias.option().replace('_', '-') + ".");
        if (option.type() == boolean.class || option.name().equals("precision")) {
            builder.type(String.class).arity("0..1").fallbackValue("true");
        } else {
            takesValue(builder, option);
        }
        return builder.build();
    }

    private static OptionSpec of(Options.Entry option, boolean defaults) {
        boolean flag = option.type() == boolean.class;
        boolean isDefaultTold = defaults && !flag && !option.defaultText().isEmpty();
        OptionSpec.Builder builder = OptionSpec.builder("--" + option.name().replace('_', '-'))
                .paramLabel(option.label())
                .description(option.help() + (isDefaultTold ? " Default: " + option.defaultText() + "." : ""));
        if (flag) {
            builder.type(boolean.class).arity("0");
        } else {
            takesValue(builder, option);
        }
        return builder.build();
    }

    /** Texts, as in YAML: what they may be is for the option to say. */
    private static void takesValue(OptionSpec.Builder builder, Options.Entry option) {
        if (option.type() == List.class) {
            builder.type(List.class).auxiliaryTypes(String.class).arity("1..*");
        } else {
            builder.type(String.class);
        }
    }

    /**
     * What was asked for. All that is wrong here is wrong usage: nothing has been read but options.
     *
     * @param config a YAML file, over which the command line wins; null for none
     * @param names gets those of what was given
     * @param notes told of what has no effect
     */
    static TrainConfig read(Path config, ParseResult parsed, Set<String> names, Consumer<String> notes) {
        try {
            Map<String, Object> file = config == null ? Map.of() : ConfigFile.read(config);
            Map<String, Object> given = given(parsed);
            names.addAll(file.keySet());
            names.addAll(given.keySet());
            TrainConfig options =
                    TrainConfig.DEFAULTS.with(file, String.valueOf(config)).with(given, "command line");
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
            options.requireEffect(names, notes);
            return options;
        } catch (UsageException e) {
            throw e;
        } catch (UserException e) {
            throw new UsageException(e.getMessage(), e);
        }
    }

    /** Those that were given, by the names of {@link TrainConfig}. */
    static Map<String, Object> given(ParseResult parsed) {
        Map<String, Object> given = new LinkedHashMap<>();
        Set<String> lengths = new HashSet<>(LENGTHS);
        for (OptionSpec option : parsed.matchedOptions()) {
            String name = option.longestName().replace("--", "").replace('-', '_');
            Options.find(name).ifPresent(found -> {
                given.put(name, option.getValue());
                if (!Aliases.yields(name, option.getValue())) {
                    lengths.remove(found.name());
                }
            });
        }
        if (lengths.size() < LENGTHS.size()) {
            lengths.forEach(length -> given.put(length, null));
        }
        return given;
    }
}
