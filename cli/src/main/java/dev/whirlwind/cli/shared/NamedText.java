package dev.whirlwind.cli.shared;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UsageException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/** A text to evaluate on, and what it is called: {@code NAME=PATH}. */
public record NamedText(String name, Path path) {
    /** What a folder of the run can be called. */
    private static final Pattern NAME = Pattern.compile("[\\w.-]+");

    /** The texts of an option; those without a name, or whose path has such a sign, are called by their paths. */
    public static List<NamedText> of(String option, List<String> arguments) {
        // It would be the working folder; it comes of a shell's variable that is not set.
        if (arguments.contains("")) {
            throw new UsageException(option + ": it is empty; give a path");
        }
        arguments.forEach(argument -> requirePath(option, argument));
        return unique(
                option,
                arguments.stream()
                        .map(argument -> argument.indexOf('=') > 0 && !Files.exists(Path.of(argument))
                                ? named(option, argument)
                                : new NamedText(argument, Path.of(argument)))
                        .toList());
    }

    /** The same where each must have a name of letters, figures, dots and dashes that is not taken. */
    public static List<NamedText> named(String option, List<String> arguments, Set<String> taken) {
        for (String argument : arguments) {
            String name = argument.substring(0, Math.max(0, argument.indexOf('=')));
            if (!NAME.matcher(name).matches() || name.startsWith(".")) {
                throw new UsageException(option + " " + argument
                        + ": has no name of letters, figures, dots and dashes; give " + option + " NAME=PATH");
            }
            if (taken.contains(name)) {
                throw new UsageException(option + " " + argument + ": " + name
                        + " is what a text of the run is called already; choose another name");
            }
        }
        return unique(
                option,
                arguments.stream().map(argument -> named(option, argument)).toList());
    }

    private static void requirePath(String option, String argument) {
        try {
            Path _ = Path.of(argument);
        } catch (InvalidPathException e) {
            throw new UsageException(
                    option + " " + Reason.cited(argument) + ": no file can be called that (" + e.getReason() + ")", e);
        }
    }

    private static NamedText named(String option, String argument) {
        int equals = argument.indexOf('=');
        if (equals == argument.length() - 1) {
            throw new UsageException(option + " " + argument + ": the path is empty; give " + option + " NAME=PATH");
        }
        return new NamedText(argument.substring(0, equals), Path.of(argument.substring(equals + 1)));
    }

    private static List<NamedText> unique(String option, List<NamedText> texts) {
        Set<String> names = new HashSet<>();
        for (NamedText text : texts) {
            if (!names.add(text.name())) {
                throw new UsageException(option + ": two texts have one name, " + text.name() + "; give " + option
                        + " NAME=PATH with another");
            }
        }
        return texts;
    }
}
