package dev.whirlwind.training.scoring;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Counts of the runs of n words or characters of a text. */
record Ngrams(Map<String, Integer> counts, int total) {
    /** Of words, none of which holds a space. */
    static Ngrams ofWords(List<String> words, int n) {
        Map<String, Integer> counts = new HashMap<>();
        int total = Math.max(0, words.size() - n + 1);
        for (int i = 0; i < total; i++) {
            counts.merge(String.join(" ", words.subList(i, i + n)), 1, Integer::sum);
        }
        return new Ngrams(counts, total);
    }

    /** Of a text's code points. */
    static Ngrams ofCharacters(int[] text, int n) {
        Map<String, Integer> counts = new HashMap<>();
        int total = Math.max(0, text.length - n + 1);
        for (int i = 0; i < total; i++) {
            counts.merge(new String(text, i, n), 1, Integer::sum);
        }
        return new Ngrams(counts, total);
    }

    /** How many of these the others have, too, each at most as often as there. */
    int matches(Map<String, Integer> others) {
        int matches = 0;
        for (Map.Entry<String, Integer> one : counts.entrySet()) {
            matches += Math.min(one.getValue(), others.getOrDefault(one.getKey(), 0));
        }
        return matches;
    }
}
