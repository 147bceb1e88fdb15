package dev.whirlwind.cli.shared;

import dev.whirlwind.model.UsageException;
import dev.whirlwind.training.config.Need;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import java.lang.reflect.Field;
import java.util.List;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/** What an option of a command has an effect beside, as in {@link Need}; of several one will do. */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.FIELD)
public @interface Needs {
    String[] value();

    /** Whether to go on without it, as it is no sign that something else was meant. */
    boolean noted() default false;

    /** Looks at what was given. */
    final class Check {
        private Check() {}

        /** What an option has an effect beside. */
        public static List<Need> needs(OptionSpec option) {
            return declared(option) == null
                    ? List.of()
                    : Need.of(declared(option).value());
        }

        private static Needs declared(OptionSpec option) {
            return option.userObject() instanceof Field field ? field.getAnnotation(Needs.class) : null;
        }

        /**
         * Checks that what was asked for has an effect; what an option is by default needs none.
         *
         * @throws UsageException if an option has an effect beside another only, which is not given
         */
        public static void requireEffect(ParseResult parsed) {
            for (OptionSpec option : asked(parsed)) {
                List<Need> needs = needs(option);
                if (Need.met(needs, name -> value(parsed, name))) {
                    continue;
                }
                String only = option.longestName() + " only has an effect with " + Need.words(needs, name -> name);
                if (!declared(option).noted()) {
                    throw new UsageException(only + "; give that, too, or leave " + option.longestName() + " out");
                }
                parsed.commandSpec().commandLine().getErr().println(only + ", so it has none");
            }
        }

        /** Options that are not as they are by default. */
        public static List<OptionSpec> asked(ParseResult parsed) {
            return parsed.matchedOptions().stream()
                    .filter(option ->
                            !List.of(String.valueOf(option.defaultValue())).equals(option.originalStringValues()))
                    .toList();
        }

        /** Where there is no default, 0 is a value like others. */
        private static Object value(ParseResult parsed, String name) {
            OptionSpec option = parsed.commandSpec().findOption(name);
            return option.defaultValue() == null && parsed.hasMatchedOption(name) ? true : option.getValue();
        }
    }
}
