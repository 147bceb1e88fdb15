package dev.whirlwind.training.scoring;

import java.util.ArrayList;
import java.util.List;

/**
 * chrF (Popovic 2015) and chrF++ (2017), 0 to 100, as sacreBLEU 2.6.0 computes them: the F-score of the mean precision
 * and recall of character n-grams, and word n-grams. Of several references the one that scores best counts.
 *
 * @param characterOrder length of the longest n-grams of characters
 * @param wordOrder length of the longest n-grams of words: 0 for chrF, 2 for chrF++
 * @param beta how many times recall counts as much as precision
 * @param whitespace whether white space is a part of character n-grams
 * @param epsilon whether orders without n-grams count as nearly 0, as in chrF++.py, instead of being left out
 */
public record Chrf(
        String label,
        int characterOrder,
        int wordOrder,
        int beta,
        boolean lowercase,
        boolean whitespace,
        boolean epsilon)
        implements TextMetric {
    private static final double NEARLY_ZERO = 1e-16;

    /** Statistics of an order: n-grams of the text, of the reference, and those that match. */
    private static final int PER_ORDER = 3;

    /** sacreBLEU's default. */
    public static Chrf standard() {
        return new Chrf("chrf", 6, 0, 2, false, false, false);
    }

    /** With words and pairs of words. */
    public static Chrf plusPlus() {
        return new Chrf("chrf++", 6, 2, 2, false, false, false);
    }

    @Override
    public double[] statistics(String hypothesis, List<String> references) {
        List<Ngrams> text = ngrams(hypothesis);
        double[] best = null;
        double bestScore = -1;
        for (String reference : references) {
            double[] statistics = statistics(text, ngrams(reference));
            double score = score(statistics);
            if (score > bestScore) {
                bestScore = score;
                best = statistics;
            }
        }
        return best;
    }

    private double[] statistics(List<Ngrams> text, List<Ngrams> reference) {
        double[] statistics = new double[PER_ORDER * text.size()];
        for (int i = 0; i < text.size(); i++) {
            // An order that the reference does not reach says nothing of the text.
            statistics[PER_ORDER * i] =
                    reference.get(i).total() > 0 ? text.get(i).total() : 0;
            statistics[PER_ORDER * i + 1] = reference.get(i).total();
            statistics[PER_ORDER * i + 2] = text.get(i).matches(reference.get(i).counts());
        }
        return statistics;
    }

    private List<Ngrams> ngrams(String line) {
        String text = lowercase ? PythonText.lower(line) : line;
        int[] characters = (whitespace ? text : String.join("", PythonText.split(text)))
                .codePoints()
                .toArray();
        List<Ngrams> ngrams = new ArrayList<>();
        for (int n = 1; n <= characterOrder; n++) {
            ngrams.add(Ngrams.ofCharacters(characters, n));
        }
        List<String> words = wordOrder == 0 ? List.of() : words(text);
        for (int n = 1; n <= wordOrder; n++) {
            ngrams.add(Ngrams.ofWords(words, n));
        }
        return ngrams;
    }

    /** Words with one punctuation mark parted from the end, or else from the start. */
    private static List<String> words(String text) {
        List<String> words = new ArrayList<>();
        for (String word : PythonText.split(text)) {
            int last = word.length() - 1;
            if (word.codePointCount(0, word.length()) == 1) {
                words.add(word);
            } else if (PythonText.isPunctuation(word.charAt(last))) {
                words.add(word.substring(0, last));
                words.add(word.substring(last));
            } else if (PythonText.isPunctuation(word.charAt(0))) {
                words.add(word.substring(0, 1));
                words.add(word.substring(1));
            } else {
                words.add(word);
            }
        }
        return words;
    }

    @Override
    public double score(double[] sums) {
        double factor = (double) beta * beta;
        double sumOfScores = 0;
        double precisions = 0;
        double recalls = 0;
        int orders = 0;
        for (int i = 0; i < sums.length; i += PER_ORDER) {
            double precision = sums[i] > 0 ? sums[i + 2] / sums[i] : NEARLY_ZERO;
            double recall = sums[i + 1] > 0 ? sums[i + 2] / sums[i + 1] : NEARLY_ZERO;
            double weighted = factor * precision + recall;
            sumOfScores += weighted > 0 ? (1 + factor) * precision * recall / weighted : NEARLY_ZERO;
            if (sums[i] > 0 && sums[i + 1] > 0) {
                precisions += precision;
                recalls += recall;
                orders++;
            }
        }
        if (epsilon) {
            return 100 * sumOfScores / (characterOrder + wordOrder);
        }
        double precision = orders == 0 ? 0 : precisions / orders;
        double recall = orders == 0 ? 0 : recalls / orders;
        return precision + recall == 0 ? 0 : 100 * ((1 + factor) * precision * recall / (factor * precision + recall));
    }

    @Override
    public String signature(String references) {
        return "nrefs:%s|case:%s|eff:%s|nc:%d|nw:%d|space:%s|version:%s"
                .formatted(
                        references,
                        lowercase ? "lc" : "mixed",
                        epsilon ? "no" : "yes",
                        characterOrder,
                        wordOrder,
                        whitespace ? "yes" : "no",
                        Scores.SACREBLEU);
    }
}
