package dev.whirlwind.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class NearDuplicatesTest {
    private final long seed = System.nanoTime();
    private final Random random = new Random(seed);

    private String[] words(int n) {
        return random.ints(n, 0, 5000).mapToObj(w -> "w" + w).toArray(String[]::new);
    }

    /** Other words in some places. */
    private String[] changed(String[] words, double share) {
        String[] changed = words.clone();
        for (int i = 0; i < changed.length; i++) {
            if (random.nextDouble() < share) {
                changed[i] = "x" + random.nextInt(5000);
            }
        }
        return changed;
    }

    private static Set<Integer> runs(String[] words) {
        Set<Integer> runs = new HashSet<>();
        for (int i = 0; i + 5 <= words.length; i++) {
            runs.add(Arrays.asList(words).subList(i, i + 5).hashCode());
        }
        return runs;
    }

    private static double jaccard(Set<Integer> one, Set<Integer> other) {
        long both = one.stream().filter(other::contains).count();
        return (double) both / (one.size() + other.size() - both);
    }

    /** In pieces of any length, with other white space, punctuation and case. */
    private void add(NearDuplicates near, String[] words) {
        StringBuilder text = new StringBuilder();
        for (String word : words) {
            text.append(random.nextBoolean() ? word : word.toUpperCase(java.util.Locale.ROOT))
                    .append(random.nextInt(5) == 0 ? ",\n  " : " ");
        }
        for (int from = 0; from < text.length(); ) {
            int to = Math.min(text.length(), from + 1 + random.nextInt(300));
            near.add(text.substring(from, to));
            from = to;
        }
    }

    @Test
    void whatIsFoundIsWhatAComparisonOfAllPairsFinds() {
        NearDuplicates near = new NearDuplicates();
        List<String[]> documents = new ArrayList<>();
        List<Set<Integer>> runs = new ArrayList<>();
        int alike = 0;
        int found = 0;
        for (int i = 0; i < 250; i++) {
            boolean copy = i > 0 && random.nextInt(3) == 0;
            int of = copy ? random.nextInt(i) : i;
            String[] words =
                    copy ? changed(documents.get(of), 0.06 * random.nextDouble()) : words(100 + random.nextInt(200));
            documents.add(words);
            runs.add(runs(words));
            add(near, words);
            int first = near.end(i);
            double closest = 0;
            for (int j = 0; j < i; j++) {
                closest = Math.max(closest, jaccard(runs.get(j), runs.get(i)));
            }
            // The estimate of 128 places is off by some hundredths.
            if (first != i) {
                assertThat(jaccard(runs.get(first), runs.get(i)))
                        .as("seed %d", seed)
                        .isGreaterThan(0.65);
            } else if (!copy) {
                assertThat(closest).isLessThan(0.1);
            }
            if (copy && jaccard(runs.get(of), runs.get(i)) > 0.9) {
                alike++;
                found += first != i ? 1 : 0;
            }
        }
        assertThat(alike).isGreaterThan(10);
        assertThat((double) found / alike).as("seed %d", seed).isGreaterThan(0.8);
    }

    @Test
    void shortTextsAreOnlyComparedExactly() {
        NearDuplicates near = new NearDuplicates();
        near.add("one two three four");
        assertThat(near.end(0)).isZero();
        near.add("one two three four");
        assertThat(near.end(1)).isEqualTo(1);
    }
}
