package dev.whirlwind.training.scoring;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The metrics of SQuAD (arXiv 1606.05250), 0 to 1, by the rules of its official scripts: texts are compared in lower case,
 * without ASCII's punctuation and without a, an and the; of several references the best counts.
 */
public enum Squad implements TextMetric {
    /** The F-score of the words in common, as evaluate-v1.1.py has it: 0 where there are none. */
    F1("f1", "squad-1.1") {
        @Override
        double compare(String text, String reference) {
            return f1(PythonText.split(text), PythonText.split(reference));
        }
    },

    /** The same as evaluate-v2.0.py has it: where one of the two has no words, 1 when neither has. */
    F1_V2("f1-v2", "squad-2.0") {
        @Override
        double compare(String text, String reference) {
            return text.isEmpty() || reference.isEmpty() ? equal(text, reference) : F1.compare(text, reference);
        }
    },

    /** Whether they are the same. */
    EXACT_MATCH("exact-match", "squad-1.1") {
        @Override
        double compare(String text, String reference) {
            return equal(text, reference);
        }
    };

    private final String label;
    private final String rules;

    Squad(String label, String rules) {
        this.label = label;
        this.rules = rules;
    }

    /** Two normal texts. */
    abstract double compare(String text, String reference);

    private static double equal(String text, String reference) {
        return text.equals(reference) ? 1 : 0;
    }

    private static double f1(List<String> words, List<String> reference) {
        Map<String, Integer> counts = new HashMap<>();
        reference.forEach(word -> counts.merge(word, 1, Integer::sum));
        int same = 0;
        for (String word : words) {
            if (counts.merge(word, -1, Integer::sum) >= 0) {
                same++;
            }
        }
        if (same == 0) {
            return 0;
        }
        double precision = (double) same / words.size();
        double recall = (double) same / reference.size();
        return 2 * precision * recall / (precision + recall);
    }

    /** A text in lower case, without punctuation and articles, its words parted by single spaces. */
    public static String normal(String text) {
        String lower = PythonText.lower(text);
        StringBuilder kept = new StringBuilder();
        lower.codePoints().filter(c -> !PythonText.isPunctuation(c)).forEach(kept::appendCodePoint);
        return String.join(" ", PythonText.split(withoutArticles(kept.toString())));
    }

    /** Python's {@code re.sub(r'\b(a|an|the)\b', ' ', text)}: whole runs of word characters that are articles. */
    private static String withoutArticles(String text) {
        StringBuilder out = new StringBuilder();
        int start = 0;
        for (int i = 0; i <= text.length(); ) {
            int c = i == text.length() ? ' ' : text.codePointAt(i);
            if (!PythonText.isWord(c)) {
                String run = text.substring(start, i);
                out.append(run.equals("a") || run.equals("an") || run.equals("the") ? " " : run);
                if (i < text.length()) {
                    out.appendCodePoint(c);
                }
                start = i + Character.charCount(c);
            }
            i += Character.charCount(c);
        }
        return out.toString();
    }

    @Override
    public String label() {
        return label;
    }

    @Override
    public double[] statistics(String hypothesis, List<String> references) {
        String text = normal(hypothesis);
        double best = 0;
        for (String reference : references) {
            best = Math.max(best, compare(text, normal(reference)));
        }
        return new double[] {best, 1};
    }

    @Override
    public double score(double[] sums) {
        return sums[0] / sums[1];
    }

    @Override
    public String signature(String references) {
        return "nrefs:" + references + "|norm:" + rules + "|agg:mean|scale:1";
    }
}
