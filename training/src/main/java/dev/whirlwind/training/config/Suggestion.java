package dev.whirlwind.training.config;

import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** What somebody may have meant by a name that there is not: one that is spelt much the same, or what others call it. */
public final class Suggestion {
    /** A name may differ from what was meant in one character of so many. */
    private static final int CHARACTERS_PER_SLIP = 4;

    private static final int LONGEST = 64;

    private Suggestion() {}

    /**
     * The best of some names, if any is good.
     *
     * @param unknown the name that there is not
     * @param names those that there are
     */
    public static Optional<String> of(String unknown, Collection<String> names) {
        String name = words(unknown);
        if (name.length() > LONGEST) {
            return Optional.empty();
        }
        Map<String, String> candidates = new LinkedHashMap<>();
        names.forEach(known -> candidates.put(words(known), known));
        Aliases.names().forEach((there, here) -> {
            if (candidates.containsKey(here)) {
                candidates.putIfAbsent(there, candidates.get(here));
            }
        });
        return candidates.keySet().stream()
                .filter(candidate -> distance(candidate, name)
                        <= Math.max(1, Math.min(candidate.length(), name.length()) / CHARACTERS_PER_SLIP))
                .min(Comparator.comparingInt(candidate -> distance(candidate, name)))
                .map(candidates::get);
    }

    private static String words(String name) {
        return name.toLowerCase(Locale.ROOT).replace('-', '_');
    }

    /** Edit distance in which two neighbours that have changed places count once (optimal string alignment). */
    private static int distance(String a, String b) {
        int[][] d = new int[a.length() + 1][b.length() + 1];
        for (int i = 0; i <= a.length(); i++) {
            for (int j = 0; j <= b.length(); j++) {
                if (i == 0 || j == 0) {
                    d[i][j] = i + j;
                    continue;
                }
                int substituted = d[i - 1][j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                d[i][j] = Math.min(substituted, 1 + Math.min(d[i - 1][j], d[i][j - 1]));
                if (i > 1 && j > 1 && a.charAt(i - 1) == b.charAt(j - 2) && a.charAt(i - 2) == b.charAt(j - 1)) {
                    d[i][j] = Math.min(d[i][j], d[i - 2][j - 2] + 1);
                }
            }
        }
        return d[a.length()][b.length()];
    }
}
