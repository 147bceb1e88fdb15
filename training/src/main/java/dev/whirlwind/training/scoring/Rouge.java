package dev.whirlwind.training.scoring;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * ROUGE (Lin 2004) as Google's rouge_score computes it without a stemmer: the mean F-measure, 0 to 1, over texts; of
 * several references the best counts. Words are runs of a-z and 0-9 of the text in lower case; other letters are not seen.
 */
public enum Rouge implements TextMetric {
    /** Words in common. */
    ROUGE_1("rouge-1") {
        @Override
        double compare(String text, String reference) {
            return ngrams(text, reference, 1);
        }
    },

    /** Pairs of words in common. */
    ROUGE_2("rouge-2") {
        @Override
        double compare(String text, String reference) {
            return ngrams(text, reference, 2);
        }
    },

    /** The longest common subsequence of words. */
    ROUGE_L("rouge-l") {
        @Override
        double compare(String text, String reference) {
            List<String> words = words(text);
            List<String> others = words(reference);
            int[] row = new int[words.size() + 1];
            for (String word : others) {
                row = row(row, word, words);
            }
            return fMeasure(row[words.size()], words.size(), others.size());
        }
    },

    /** The same for summaries: of each line of the reference, what it has in common with any line of the text. */
    ROUGE_LSUM("rouge-lsum") {
        @Override
        double compare(String text, String reference) {
            return summary(lines(text), lines(reference));
        }
    };

    private static final Pattern NO_WORD = Pattern.compile("[^a-z0-9]+");

    private final String label;

    Rouge(String label) {
        this.label = label;
    }

    abstract double compare(String text, String reference);

    private static List<String> words(String text) {
        List<String> words = new ArrayList<>(List.of(NO_WORD.split(PythonText.lower(text))));
        words.removeIf(String::isEmpty);
        return words;
    }

    private static List<List<String>> lines(String text) {
        List<List<String>> lines = new ArrayList<>();
        for (String line : text.split("\n", -1)) {
            lines.add(words(line));
        }
        return lines;
    }

    private static double ngrams(String text, String reference, int n) {
        Ngrams ours = Ngrams.ofWords(words(text), n);
        Ngrams theirs = Ngrams.ofWords(words(reference), n);
        return fMeasure(ours.matches(theirs.counts()), ours.total(), theirs.total());
    }

    private static double fMeasure(int common, int words, int others) {
        if (common == 0) {
            return 0;
        }
        double precision = (double) common / words;
        double recall = (double) common / others;
        return 2 * precision * recall / (precision + recall);
    }

    /** {@code [i][j]}: length of the longest common subsequence of the first i words of one and the first j of the other. */
    private static int[][] common(List<String> reference, List<String> text) {
        int[][] common = new int[reference.size() + 1][];
        common[0] = new int[text.size() + 1];
        for (int i = 0; i < reference.size(); i++) {
            common[i + 1] = row(common[i], reference.get(i), text);
        }
        return common;
    }

    /** What follows a row of that table for another word. */
    private static int[] row(int[] above, String word, List<String> text) {
        int[] row = new int[above.length];
        for (int j = 1; j < row.length; j++) {
            row[j] = word.equals(text.get(j - 1)) ? above[j - 1] + 1 : Math.max(above[j], row[j - 1]);
        }
        return row;
    }

    /** Section 3.2 of the paper, a word counted no more often than it stands in the text. */
    private static double summary(List<List<String>> text, List<List<String>> reference) {
        Map<String, Integer> left = new HashMap<>();
        text.forEach(line -> line.forEach(word -> left.merge(word, 1, Integer::sum)));
        int hits = 0;
        for (List<String> line : reference) {
            Set<Integer> places = new TreeSet<>();
            text.forEach(other -> addPlaces(line, other, places));
            for (int place : places) {
                if (left.merge(line.get(place), -1, Integer::sum) >= 0) {
                    hits++;
                }
            }
        }
        return fMeasure(
                hits,
                text.stream().mapToInt(List::size).sum(),
                reference.stream().mapToInt(List::size).sum());
    }

    /** Adds the places of a longest common subsequence in the reference's line: of several the one that rouge_score takes. */
    private static void addPlaces(List<String> reference, List<String> text, Set<Integer> places) {
        int[][] common = common(reference, text);
        int i = reference.size();
        int j = text.size();
        while (i > 0 && j > 0) {
            if (reference.get(i - 1).equals(text.get(j - 1))) {
                places.add(--i);
                j--;
            } else if (common[i][j - 1] > common[i - 1][j]) {
                j--;
            } else {
                i--;
            }
        }
    }

    @Override
    public String label() {
        return label;
    }

    @Override
    public double[] statistics(String hypothesis, List<String> references) {
        double best = 0;
        for (String reference : references) {
            best = Math.max(best, compare(hypothesis, reference));
        }
        return new double[] {best, 1};
    }

    @Override
    public double score(double[] sums) {
        return sums[0] / sums[1];
    }

    @Override
    public String signature(String references) {
        return "nrefs:" + references + "|stem:no|agg:mean|scale:1";
    }
}
