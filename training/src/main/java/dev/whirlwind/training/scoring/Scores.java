package dev.whirlwind.training.scoring;

import java.util.ArrayList;
import java.util.List;

/**
 * A metric of many texts.
 *
 * @param statistics of each
 * @param score of all of them together
 * @param signature what the score stands for
 */
public record Scores(TextMetric metric, List<double[]> statistics, double score, String signature) {
    /** The version whose values and signatures BLEU and chrF have. */
    static final String SACREBLEU = "2.6.0";

    public Scores {
        statistics = List.copyOf(statistics);
    }

    /**
     * Compares texts with references.
     *
     * @param references of each text, at least one
     */
    public static Scores of(TextMetric metric, List<String> hypotheses, List<List<String>> references) {
        if (hypotheses.isEmpty() || hypotheses.size() != references.size()) {
            throw new IllegalArgumentException(hypotheses.size() + " texts, references of " + references.size());
        }
        List<double[]> statistics = new ArrayList<>();
        for (int i = 0; i < hypotheses.size(); i++) {
            statistics.add(metric.statistics(hypotheses.get(i), references.get(i)));
        }
        long kinds = references.stream().mapToInt(List::size).distinct().count();
        String count = kinds == 1 ? String.valueOf(references.getFirst().size()) : "var";
        return new Scores(metric, statistics, metric.score(sum(statistics)), metric.signature(count));
    }

    /** The score of each text by itself. */
    public List<Double> sentences() {
        return statistics.stream().map(metric::sentenceScore).toList();
    }

    /** Adds up statistics of the same metric. */
    public static double[] sum(List<double[]> statistics) {
        double[] sum = new double[statistics.getFirst().length];
        for (double[] one : statistics) {
            for (int i = 0; i < sum.length; i++) {
                sum[i] += one[i];
            }
        }
        return sum;
    }
}
