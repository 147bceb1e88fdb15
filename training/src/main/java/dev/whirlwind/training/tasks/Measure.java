package dev.whirlwind.training.tasks;

import dev.whirlwind.training.evaluation.Bootstrap;
import dev.whirlwind.training.scoring.Scores;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * A metric of a model's answers.
 *
 * @param metric its name
 * @param signature what must be said beside it, or null
 * @param statistics of each item; the score is computed of their sum
 * @param share whether the score is a share of the items: their statistics are (0 or 1, 1)
 */
public record Measure(
        String metric, String signature, List<double[]> statistics, ToDoubleFunction<double[]> scoring, boolean share) {
    /** The 97.5th percentile of the normal distribution. */
    private static final double Z = 1.959963984540054;

    /** An interval of 95 %. */
    public record Interval(double low, double high) {}

    public Measure {
        statistics = List.copyOf(statistics);
    }

    /** The share of items that something is true of. */
    static Measure share(String metric, List<Boolean> right) {
        return new Measure(
                metric,
                null,
                right.stream().map(yes -> new double[] {yes ? 1 : 0, 1}).toList(),
                sums -> sums[0] / sums[1],
                true);
    }

    public double score() {
        return scoring.applyAsDouble(Scores.sum(statistics));
    }

    /** Of shares Wilson's (1927), which does not vanish where all items are right; of others the bootstrap's. */
    public Interval interval() {
        if (!share) {
            Bootstrap bootstrap = Bootstrap.of(statistics, scoring);
            return new Interval(bootstrap.low(), bootstrap.high());
        }
        double n = statistics.size();
        double p = score();
        double middle = (p + Z * Z / (2 * n)) / (1 + Z * Z / n);
        double half = Z / (1 + Z * Z / n) * Math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n));
        return new Interval(Math.max(0, middle - half), Math.min(1, middle + half));
    }

    /** How another model's answers to the same items score against these. */
    public Bootstrap difference(Measure other) {
        return Bootstrap.difference(statistics, other.statistics, scoring);
    }
}
