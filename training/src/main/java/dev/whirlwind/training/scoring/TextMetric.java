package dev.whirlwind.training.scoring;

import java.util.List;

/**
 * How near a text is to its references, by statistics that are added up over texts: the score of many is that of the
 * sum, which need not be the mean of theirs.
 */
public interface TextMetric {
    /** As it is asked for: {@code bleu}, {@code exact-match}. */
    String label();

    /**
     * The statistics of one text, as many for every text.
     *
     * @param references at least one
     */
    double[] statistics(String hypothesis, List<String> references);

    /** The score of summed statistics. */
    double score(double[] sums);

    /** The score of a text's statistics by themselves. */
    default double sentenceScore(double[] statistics) {
        return score(statistics);
    }

    /**
     * What must be said beside a score so that others can reproduce it, in sacreBLEU's form.
     *
     * @param references how many each text has, or {@code var} where they differ
     */
    String signature(String references);
}
