package dev.whirlwind.cli.run;

import dev.whirlwind.data.Mixture;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UsageException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Later weights of sources, each {@code SHARE:NAME=WEIGHT,NAME=WEIGHT}: from that share of the run on. */
final class WeightStages {
    private WeightStages() {}

    /**
     * Reads them.
     *
     * @param sources the names that are to be given
     * @param sequences of the whole run
     */
    static List<Mixture.Change> of(List<String> arguments, List<String> sources, long sequences) {
        List<Mixture.Change> changes = new ArrayList<>();
        double last = 0;
        for (String argument : arguments) {
            int colon = argument.indexOf(':');
            double from = share(argument, colon);
            if (from <= last) {
                throw new UsageException(
                        "stage " + argument + ": begins no later than the one before; give them in order");
            }
            last = from;
            Map<String, Double> weights = new LinkedHashMap<>();
            for (String part : argument.substring(colon + 1).split(",", -1)) {
                int equals = part.indexOf('=');
                String name = part.substring(0, Math.max(0, equals)).strip();
                if (!sources.contains(name)) {
                    throw new UsageException("stage " + argument + ": " + Reason.cited(part)
                            + " is no NAME=WEIGHT of a source; they are " + String.join(", ", sources));
                }
                weights.put(name, NamedSource.weight("stage " + argument, part.substring(equals + 1)));
            }
            if (weights.size() < sources.size() || weights.values().stream().allMatch(weight -> weight == 0)) {
                throw new UsageException("stage " + argument + ": must give each of " + String.join(", ", sources)
                        + " a weight, and one at least above 0");
            }
            changes.add(new Mixture.Change(
                    (long) Math.floor(from * sequences),
                    sources.stream().map(weights::get).toList()));
        }
        return changes;
    }

    private static double share(String argument, int colon) {
        try {
            double share = Double.parseDouble(argument.substring(0, Math.max(0, colon)));
            if (share > 0 && share < 1) {
                return share;
            }
        } catch (NumberFormatException _) {
            // As any other that is none.
        }
        throw new UsageException(
                "stage " + Reason.cited(argument)
                        + ": must be SHARE:NAME=WEIGHT,..., such as 0.8:code=0.2,prose=0.8, with a share of the run between 0 and 1");
    }
}
