package dev.whirlwind.cli.run;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UsageException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One of several sources of training text, {@code NAME=PATH} or {@code NAME=PATH:WEIGHT}.
 *
 * @param weight null where none is given
 */
record NamedSource(String name, String path, Double weight) {
    private static final Pattern FORM = Pattern.compile("([\\w-][\\w.-]*)=(.+?)(?::([-+.\\deE]+))?");

    /** What texts of a run are called already. */
    private static final Set<String> TAKEN = Set.of("data", "valid", "replay");

    /** Whether an argument is a path and no source with a name: such a file may exist. */
    private static boolean isPath(String argument) {
        return !FORM.matcher(argument).matches() || Files.exists(Path.of(argument));
    }

    /**
     * The sources of {@code --data}; none where texts have no names.
     *
     * @throws UsageException if only some have names, or weights, or weights cannot be
     */
    static List<NamedSource> of(List<String> arguments) {
        List<NamedSource> sources = new ArrayList<>();
        for (String argument : arguments) {
            if (!isPath(argument)) {
                sources.add(of(argument));
            }
        }
        if (sources.isEmpty()) {
            return sources;
        }
        if (sources.size() < arguments.size()) {
            throw new UsageException("data: " + sources.getFirst().name() + " has a name, and "
                    + arguments.stream().filter(NamedSource::isPath).findFirst().orElseThrow()
                    + " has none; give each NAME=PATH, or none");
        }
        if (sources.stream().map(NamedSource::name).distinct().count() < sources.size()) {
            throw new UsageException("data: two sources have one name; give each its own, and several paths of one kind"
                    + " a folder or a name each");
        }
        long weights = sources.stream().filter(source -> source.weight != null).count();
        if (weights > 0 && weights < sources.size()) {
            NamedSource without = sources.stream()
                    .filter(source -> source.weight == null)
                    .findFirst()
                    .orElseThrow();
            throw new UsageException("data: " + without.name + " has no weight, and others have; give each"
                    + " NAME=PATH:WEIGHT, or none for weights by their lengths");
        }
        if (weights > 0 && sources.stream().allMatch(source -> source.weight == 0)) {
            throw new UsageException("data: all weights are 0; one at least must be above");
        }
        return sources;
    }

    private static NamedSource of(String argument) {
        Matcher matcher = FORM.matcher(argument);
        if (!matcher.matches()) {
            throw new IllegalArgumentException(argument);
        }
        String name = matcher.group(1);
        if (TAKEN.contains(name)) {
            throw new UsageException("data " + argument + ": " + name
                    + " is what a text of the run is called already; choose another name");
        }
        return new NamedSource(name, matcher.group(2), weight("data " + argument, matcher.group(3)));
    }

    /** A weight; null of null. */
    static Double weight(String where, String given) {
        if (given == null) {
            return null;
        }
        try {
            double weight = Double.parseDouble(given);
            if (weight >= 0 && weight <= 1e9) {
                return weight;
            }
        } catch (NumberFormatException _) {
            // As any other that is none.
        }
        throw new UsageException(
                where + ": the weight is " + Reason.cited(given) + "; it must be a number from 0 to 1e9");
    }

    /** The same with the path as it is from anywhere. */
    NamedSource at(String absolute) {
        return new NamedSource(name, absolute, weight);
    }

    @Override
    public String toString() {
        return name + "=" + path + (weight == null ? "" : ":" + weight);
    }
}
