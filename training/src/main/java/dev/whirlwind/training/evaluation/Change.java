package dev.whirlwind.training.evaluation;

import dev.whirlwind.training.evaluation.Comparison.Parts;
import dev.whirlwind.training.evaluation.Comparison.Unit;

/**
 * What training did to how well a text is predicted, with the interval and p-value of a paired bootstrap over its
 * documents: what is drawn is always a document before and after. A text of few documents is cut into blocks of windows
 * instead, as in {@link Comparison}; of fewer than five nothing is known but the difference.
 *
 * @param difference in nats per token, below 0 where the text is predicted better after
 * @param low NaN where there are too few parts to tell, and so are the others
 * @param count of documents or blocks
 */
public record Change(double difference, double low, double high, double pValue, int count, Unit unit) {
    /** Of two evaluations of the same windows. */
    public static Change of(Evaluation before, Evaluation after) {
        Parts parts = Parts.of(before, after);
        Bootstrap b = Bootstrap.of(
                parts.differences().stream()
                        .map(part -> new double[] {part.nll(), part.predicted()})
                        .toList(),
                sums -> sums[0] / sums[1]);
        return parts.enough()
                ? new Change(b.score(), b.low(), b.high(), b.pValue(), b.count(), parts.unit())
                : new Change(b.score(), Double.NaN, Double.NaN, Double.NaN, b.count(), parts.unit());
    }

    /** Whether the p-value rejects that nothing changed, at 5 %. */
    public boolean significant() {
        return pValue < 0.05;
    }
}
