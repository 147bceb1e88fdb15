package dev.whirlwind.data.tokenizers.training;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;

/**
 * Learns merges from counted words: again and again the pair of neighbours that comes most often becomes a token (Sennrich et
 * al., arXiv 1508.07909). Pairs' counts are kept up to date by looking only at words that hold the pair.
 *
 * <p>Which pair is next is decided exactly as {@code BpeTrainer} of Hugging Face's tokenizers does: by count, then by the
 * smaller ids. That includes what it does where a token can be made in two ways: a pair that comes to be again in other words
 * is queued again with those words only, and what is merged keeps its count.
 */
final class MergeLearner {
    /** A pair, and words that hold it; in the queue by the count that it had. */
    private static final class Candidate implements Comparable<Candidate> {
        final long pair;
        final IntList words;
        long count;

        Candidate(long pair, long count, IntList words) {
            this.pair = pair;
            this.count = count;
            this.words = words;
        }

        @Override
        public int compareTo(Candidate other) {
            return count == other.count ? Long.compare(pair, other.pair) : Long.compare(other.count, count);
        }
    }

    /** Ids of words, each once, as long as all of one word come one after the other. */
    private static final class IntList {
        int[] values = new int[2];
        int size;

        void add(int value) {
            if (size > 0 && values[size - 1] == value) {
                return;
            }
            if (size == values.length) {
                values = Arrays.copyOf(values, 2 * size);
            }
            values[size++] = value;
        }
    }

    /** The two tokens of a merge, and the one that they become. */
    record Merge(int left, int right, int token) {}

    private final List<byte[]> tokens;
    private final Map<ByteBuffer, Integer> ids = new HashMap<>();
    private int[] symbols;
    private final int[] starts;
    private final int[] lengths;
    private final long[] counts;
    private int words;
    private int used;

    private final Map<Long, long[]> pairCounts = new HashMap<>();
    private Map<Long, IntList> fresh = new HashMap<>();
    private final PriorityQueue<Candidate> queue = new PriorityQueue<>();

    /**
     * @param tokens by their ids; null where an id is of no use here
     * @param words how many will come
     * @param symbols how many tokens they will have together, as far as that is known
     */
    MergeLearner(List<byte[]> tokens, int words, int symbols) {
        this.tokens = new ArrayList<>(tokens);
        for (int id = 0; id < tokens.size(); id++) {
            if (tokens.get(id) != null) {
                ids.putIfAbsent(ByteBuffer.wrap(tokens.get(id)), id);
            }
        }
        this.symbols = new int[symbols];
        starts = new int[words];
        lengths = new int[words];
        counts = new long[words];
    }

    /** A word as tokens that there are, and how often it came. */
    void add(int[] word, long count) {
        if (used + word.length > symbols.length) {
            symbols = Arrays.copyOf(symbols, Math.max(used + word.length, 2 * symbols.length));
        }
        System.arraycopy(word, 0, symbols, used, word.length);
        starts[words] = used;
        lengths[words] = word.length;
        counts[words] = count;
        for (int i = 1; i < word.length; i++) {
            change(word[i - 1], word[i], count, words);
        }
        used += word.length;
        words++;
    }

    /**
     * Learns.
     *
     * @param most tokens that there are to be in the end, with those of before
     * @param least how often a pair must come
     */
    List<Merge> learn(int most, long least) {
        enqueue();
        List<Merge> merges = new ArrayList<>();
        while (tokens.size() < most) {
            Candidate top = queue.poll();
            if (top == null) {
                break;
            }
            long count = pairCounts.get(top.pair)[0];
            if (count != top.count) {
                top.count = count;
                queue.add(top);
                continue;
            }
            if (count < Math.max(1, least)) {
                break;
            }
            int left = (int) (top.pair >>> 32);
            int right = (int) top.pair;
            byte[] bytes = joined(tokens.get(left), tokens.get(right));
            Integer there = ids.putIfAbsent(ByteBuffer.wrap(bytes), tokens.size());
            int token = there == null ? tokens.size() : there;
            if (there == null) {
                tokens.add(bytes);
            }
            merges.add(new Merge(left, right, token));
            for (int i = 0; i < top.words.size; i++) {
                merge(top.words.values[i], left, right, token);
            }
            enqueue();
        }
        return merges;
    }

    /** All tokens by their ids, those that were learnt behind those of before. */
    List<byte[]> tokens() {
        return tokens;
    }

    /** Tokens of all words, each as often as it came. */
    long length() {
        long length = 0;
        for (int word = 0; word < words; word++) {
            length += lengths[word] * counts[word];
        }
        return length;
    }

    private static byte[] joined(byte[] left, byte[] right) {
        byte[] both = Arrays.copyOf(left, left.length + right.length);
        System.arraycopy(right, 0, both, left.length, right.length);
        return both;
    }

    private void merge(int word, int left, int right, int token) {
        int start = starts[word];
        int end = start + lengths[word];
        int to = start;
        for (int from = start; from < end; to++) {
            if (from + 1 < end && symbols[from] == left && symbols[from + 1] == right) {
                if (to > start) {
                    change(symbols[to - 1], left, -counts[word], word);
                    change(symbols[to - 1], token, counts[word], word);
                }
                if (from + 2 < end) {
                    change(right, symbols[from + 2], -counts[word], word);
                    change(token, symbols[from + 2], counts[word], word);
                }
                symbols[to] = token;
                from += 2;
            } else {
                symbols[to] = symbols[from];
                from++;
            }
        }
        lengths[word] = to - start;
    }

    private void change(int left, int right, long count, int word) {
        Long pair = (long) left << 32 | right;
        pairCounts.computeIfAbsent(pair, _ -> new long[1])[0] += count;
        if (count > 0) {
            fresh.computeIfAbsent(pair, _ -> new IntList()).add(word);
        }
    }

    private void enqueue() {
        fresh.forEach((pair, words) -> {
            long count = pairCounts.get(pair)[0];
            if (count > 0) {
                queue.add(new Candidate(pair, count, words));
            }
        });
        // Not cleared: the table of the first, large one would be walked over each time.
        fresh = new HashMap<>();
    }
}
