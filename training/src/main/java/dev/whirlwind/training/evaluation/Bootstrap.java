package dev.whirlwind.training.evaluation;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.ToDoubleFunction;

/**
 * How sure a score of many documents is: they are drawn again, with replacement, as often as there are of them, and the
 * score of what was drawn is computed, thousands of times (Efron and Tibshirani 1993; paired, Koehn 2004). Documents come
 * as statistics whose sum the score is computed of: so it need not be a mean. The same documents give the same figures.
 *
 * @param score of all documents as they are, or the difference of two such scores
 * @param low the 2.5th percentile of the draws
 * @param high the 97.5th
 * @param pValue two-sided, of the score being 0: twice the share of draws on its other side; it tells of differences
 * @param count documents
 */
public record Bootstrap(double score, double low, double high, double pValue, int count) {
    private static final long SEED = 20_180_417;
    private static final double TAIL = 0.025;

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
        int draws = (int) Math.clamp(WORK / ((double) n * width), LEAST, MOST);
        double[] scores = new double[draws];
        SplittableRandom random = new SplittableRandom(SEED);
        double[] drawn = new double[width];
        int below = 0;
        int above = 0;
        for (int i = 0; i < draws; i++) {
            Arrays.fill(drawn, 0);
            for (int j = 0; j < n; j++) {
                add(rows[random.nextInt(n)], drawn);
            }
            scores[i] = score.applyAsDouble(drawn);
            below += scores[i] <= 0 ? 1 : 0;
            above += scores[i] >= 0 ? 1 : 0;
        }
        Arrays.sort(scores);
        int tail = (int) (TAIL * draws);
        double pValue = Math.min(1, 2.0 * (Math.min(below, above) + 1) / (draws + 1));
        return new Bootstrap(score.applyAsDouble(sums), scores[tail], scores[draws - 1 - tail], pValue, n);
    }

    private static void add(double[] row, double[] sums) {
        for (int i = 0; i < sums.length; i++) {
            sums[i] += row[i];
        }
    }
}
