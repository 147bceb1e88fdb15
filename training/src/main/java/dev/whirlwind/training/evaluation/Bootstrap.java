package dev.whirlwind.training.evaluation;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.ToDoubleFunction;
import java.util.stream.DoubleStream;

/**
 * How sure a score of many documents is: they are drawn again, with replacement, as often as there are of them, and the
 * score of what was drawn is computed, thousands of times (Efron and Tibshirani 1993; paired, Koehn 2004). Documents come
 * as statistics whose sum the score is computed of: so it need not be a mean. The same documents give the same figures.
 *
 * <p>Percentiles of the draws, which sacreBLEU takes too, find differences where there are none: of equal models with 12
 * documents of unequal length in one of nine, not one of twenty. {@link #ofMean} of means, whose standard error is known,
 * is right there.
 *
 * @param score of all documents as they are, or the difference of two such scores
 * @param low lower end of the 95 % interval: the 2.5th percentile of the draws, or symmetric to the upper one
 * @param high upper end: the 97.5th, or symmetric
 * @param pValue two-sided, of the score being 0: twice the share of draws on its other side, or the share of draws that lie
 *     as many of their standard errors from the score as that does from 0; it tells of differences
 * @param count documents
 */
public record Bootstrap(double score, double low, double high, double pValue, int count) {
    private static final long SEED = 20_180_417;
    private static final double TAIL = 0.025;

    /** What differs by no more of itself differs by rounding. */
    private static final double ROUNDING = 1e-12;

    /** Draws, fewer where the documents are so many that each draw costs much and tells much. */
    private static final int MOST = 10_000;

    private static final int LEAST = 400;
    private static final double WORK = 3e8;

    /** Of one score. */
    public static Bootstrap of(List<double[]> documents, ToDoubleFunction<double[]> score) {
        return of(documents, documents.getFirst().length, score);
    }

    /** Of the score of the second minus that of the first, both of the same documents. */
    public static Bootstrap difference(List<double[]> first, List<double[]> second, ToDoubleFunction<double[]> score) {
        if (first.size() != second.size()) {
            throw new IllegalArgumentException(first.size() + " and " + second.size() + " documents");
        }
        int width = first.getFirst().length;
        double[][] pairs = new double[first.size()][];
        for (int i = 0; i < pairs.length; i++) {
            pairs[i] = Arrays.copyOf(first.get(i), 2 * width);
            System.arraycopy(second.get(i), 0, pairs[i], width, width);
        }
        return of(
                List.of(pairs),
                2 * width,
                sums -> score.applyAsDouble(Arrays.copyOfRange(sums, width, 2 * width))
                        - score.applyAsDouble(Arrays.copyOf(sums, width)));
    }

    /**
     * Of the mean of values that come with weights, sum of values over sum of weights: what is drawn is how many of its own
     * standard errors a mean is off, and the interval is symmetric (studentized bootstrap, Hall, "On symmetric bootstrap
     * confidence intervals", 1988).
     *
     * <p>Its ends are infinite where so few documents differ from the others that most draws have no spread.
     *
     * @param values of each document as a whole, not by weight
     */
    public static Bootstrap ofMean(double[] values, double[] weights) {
        int n = values.length;
        double weight = DoubleStream.of(weights).sum();
        double mean = DoubleStream.of(values).sum() / weight;
        // Of what documents have more than the mean, so that a draw's standard error comes without cancellation.
        double[][] rows = new double[n][];
        double[] sums = new double[5];
        for (int i = 0; i < n; i++) {
            double more = values[i] - mean * weights[i];
            more = Math.abs(more) < ROUNDING * Math.abs(values[i]) ? 0 : more;
            rows[i] = new double[] {weights[i], more, more * more, more * weights[i], weights[i] * weights[i]};
            add(rows[i], sums);
        }
        double error = Math.sqrt(sums[2]) / weight;
        double errors = mean == 0 ? 0 : Math.abs(mean) / error;
        double[] off = draws(rows, drawn -> Math.abs(errorsOff(drawn)));
        long further = DoubleStream.of(off).filter(draw -> draw >= errors).count();
        double half = off[off.length - 1 - (int) (2 * TAIL * off.length)] * error;
        return new Bootstrap(mean, mean - half, mean + half, (further + 1.0) / (off.length + 1), n);
    }

    /** A draw's mean, less that of all, over its standard error. */
    private static double errorsOff(double[] sums) {
        double mean = sums[1] / sums[0];
        double squares = sums[2] - 2 * mean * sums[3] + mean * mean * sums[4];
        return mean == 0 ? 0 : mean * sums[0] / Math.sqrt(squares < ROUNDING * sums[2] ? 0 : squares);
    }

    /** Whether the p-value rejects that there is no difference, at 5 %. */
    public boolean significant() {
        return pValue < 2 * TAIL;
    }

    private static Bootstrap of(List<double[]> documents, int width, ToDoubleFunction<double[]> score) {
        int n = documents.size();
        double[][] rows = documents.toArray(double[][]::new);
        double[] sums = new double[width];
        for (double[] row : rows) {
            add(row, sums);
        }
        double[] scores = draws(rows, score);
        long below = DoubleStream.of(scores).filter(draw -> draw <= 0).count();
        long above = DoubleStream.of(scores).filter(draw -> draw >= 0).count();
        int tail = (int) (TAIL * scores.length);
        double pValue = Math.min(1, 2.0 * (Math.min(below, above) + 1) / (scores.length + 1));
        return new Bootstrap(score.applyAsDouble(sums), scores[tail], scores[scores.length - 1 - tail], pValue, n);
    }

    /** Scores of so many documents, drawn again and again, in order of size. */
    private static double[] draws(double[][] rows, ToDoubleFunction<double[]> score) {
        double[] drawn = new double[rows[0].length];
        double[] scores = new double[(int) Math.clamp(WORK / ((double) rows.length * drawn.length), LEAST, MOST)];
        SplittableRandom random = new SplittableRandom(SEED);
        for (int i = 0; i < scores.length; i++) {
            Arrays.fill(drawn, 0);
            for (int j = 0; j < rows.length; j++) {
                add(rows[random.nextInt(rows.length)], drawn);
            }
            scores[i] = score.applyAsDouble(drawn);
        }
        Arrays.sort(scores);
        return scores;
    }

    private static void add(double[] row, double[] sums) {
        for (int i = 0; i < sums.length; i++) {
            sums[i] += row[i];
        }
    }
}
