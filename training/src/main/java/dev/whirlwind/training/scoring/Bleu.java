package dev.whirlwind.training.scoring;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * BLEU (Papineni et al. 2002), 0 to 100, as sacreBLEU 2.6.0 computes it (Post 2018, arXiv 1804.08771): the brevity
 * penalty times the geometric mean of the n-gram precisions, each n-gram counted at most as often as in a reference.
 *
 * @param lowercase whether case is left out of account
 * @param smoothing what stands for precisions of 0
 * @param smoothingValue of {@code floor} and {@code add-k}; NaN for theirs
 * @param order length of the longest n-grams
 * @param effectiveOrder whether orders that a short text does not reach are left out, as sentence scores do
 */
public record Bleu(
        BleuTokenizer tokenizer,
        boolean lowercase,
        Smoothing smoothing,
        double smoothingValue,
        int order,
        boolean effectiveOrder)
        implements TextMetric {
    /** Smoothing as Chen and Cherry (2014) number it, with the values that they give. */
    public enum Smoothing {
        /** Method 3: 1/2, 1/4, ... of a match for each further order without one, as in NIST's mteval. */
        EXP("exp", Double.NaN),

        /** Method 1: a small number of matches where there are none. */
        FLOOR("floor", 0.1),

        /** Method 2: one more of both, above unigrams. */
        ADD_K("add-k", 1),

        /** None: a precision of 0 is 0. */
        NONE("none", Double.NaN);

        private final String code;
        private final double value;

        Smoothing(String code, double value) {
            this.code = code;
            this.value = value;
        }

        @Override
        public String toString() {
            return code;
        }
    }

    /** sacreBLEU's logarithm of 0. */
    private static final double LOG_OF_ZERO = -9999999999.0;

    /** Statistics: length of the text and of the nearest reference; then matches by order; then n-grams by order. */
    private static final int LENGTHS = 2;

    public Bleu {
        if (order < 1) {
            throw new IllegalArgumentException("order " + order);
        }
        smoothingValue = Double.isNaN(smoothingValue) ? smoothing.value : smoothingValue;
    }

    /** sacreBLEU's default. */
    public static Bleu standard() {
        return new Bleu(BleuTokenizer.T13A, false, Smoothing.EXP, Double.NaN, 4, false);
    }

    @Override
    public String label() {
        return "bleu";
    }

    @Override
    public double[] statistics(String hypothesis, List<String> references) {
        List<String> words = words(hypothesis);
        List<List<String>> others = new ArrayList<>();
        references.forEach(reference -> others.add(words(reference)));
        double[] statistics = new double[LENGTHS + 2 * order];
        statistics[0] = words.size();
        statistics[1] = nearestLength(words.size(), others);
        for (int n = 1; n <= order; n++) {
            Map<String, Integer> most = new HashMap<>();
            for (List<String> other : others) {
                Ngrams.ofWords(other, n).counts().forEach((ngram, count) -> most.merge(ngram, count, Math::max));
            }
            Ngrams ngrams = Ngrams.ofWords(words, n);
            statistics[LENGTHS + n - 1] = ngrams.matches(most);
            statistics[LENGTHS + order + n - 1] = ngrams.total();
        }
        return statistics;
    }

    /** Of references whose lengths are equally near the shorter. */
    private static int nearestLength(int length, List<List<String>> references) {
        int nearest = references.getFirst().size();
        for (List<String> reference : references) {
            int further = Math.abs(reference.size() - length) - Math.abs(nearest - length);
            if (further < 0 || (further == 0 && reference.size() < nearest)) {
                nearest = reference.size();
            }
        }
        return nearest;
    }

    private List<String> words(String line) {
        String text = lowercase ? PythonText.lower(line) : line;
        return PythonText.split(tokenizer.apply(PythonText.stripTrailing(text)));
    }

    @Override
    public double score(double[] sums) {
        return score(sums, effectiveOrder);
    }

    @Override
    public double sentenceScore(double[] statistics) {
        return score(statistics, true);
    }

    private double score(double[] sums, boolean effective) {
        boolean anyMatch = false;
        for (int n = 0; n < order; n++) {
            anyMatch |= sums[LENGTHS + n] > 0;
        }
        if (!anyMatch) {
            return 0;
        }
        double length = sums[0];
        double reference = sums[1];
        double brevity = length < reference ? Math.exp(1 - reference / length) : 1;
        double halves = 1;
        int orders = order;
        double[] precisions = new double[order];
        for (int n = 0; n < order; n++) {
            double more = smoothing == Smoothing.ADD_K && n > 0 ? smoothingValue : 0;
            double matches = sums[LENGTHS + n] + more;
            double total = sums[LENGTHS + order + n] + more;
            if (total == 0) {
                break;
            }
            if (effective) {
                orders = n + 1;
            }
            if (matches == 0) {
                precisions[n] = switch (smoothing) {
                    case EXP -> 100 / ((halves *= 2) * total);
                    case FLOOR -> 100 * smoothingValue / total;
                    default -> 0;
                };
            } else {
                precisions[n] = 100 * matches / total;
            }
        }
        double logs = 0;
        for (int n = 0; n < orders; n++) {
            logs += precisions[n] == 0 ? LOG_OF_ZERO : Math.log(precisions[n]);
        }
        return brevity * Math.exp(logs / orders);
    }

    @Override
    public String signature(String references) {
        String value = Double.isNaN(smoothingValue) ? "" : String.format(Locale.ROOT, "[%.2f]", smoothingValue);
        return "nrefs:%s|case:%s|eff:%s|tok:%s|smooth:%s|version:%s"
                .formatted(
                        references,
                        lowercase ? "lc" : "mixed",
                        effectiveOrder ? "yes" : "no",
                        tokenizer.code(),
                        smoothing + value,
                        Scores.SACREBLEU);
    }
}
