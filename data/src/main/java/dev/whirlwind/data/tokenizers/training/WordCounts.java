package dev.whirlwind.data.tokenizers.training;

import java.util.Arrays;

/**
 * How often words come, in an open hash table over one pool of bytes. It never holds more than a bounded number of words
 * and bytes: when it is full, the rarest are forgotten, by their counts alone, so that the same text gives the same counts.
 */
final class WordCounts {
    private final int mostWords;
    private final int mostBytes;

    private byte[] pool = new byte[1 << 16];
    private int[] ends = new int[1 << 12];
    private long[] counts = new long[1 << 12];
    private int[] hashes = new int[1 << 12];
    private int[] slots = new int[1 << 13];
    private int size;
    private long forgotten;

    WordCounts() {
        this(1 << 23, 1 << 28);
    }

    WordCounts(int mostWords, int mostBytes) {
        this.mostWords = mostWords;
        this.mostBytes = mostBytes;
    }

    void add(byte[] text, int from, int to) {
        int hash = hash(text, from, to);
        int slot = slot(text, from, to, hash);
        if (slots[slot] != 0) {
            counts[slots[slot] - 1]++;
            return;
        }
        if (size == mostWords || start(size) > mostBytes - (to - from)) {
            forget();
            slot = slot(text, from, to, hash);
        }
        put(slot, text, from, to, hash);
        if (2 * size > slots.length) {
            rehash(2 * slots.length);
        }
    }

    private void put(int slot, byte[] text, int from, int to, int hash) {
        if (size == ends.length) {
            ends = Arrays.copyOf(ends, 2 * size);
            counts = Arrays.copyOf(counts, 2 * size);
            hashes = Arrays.copyOf(hashes, 2 * size);
        }
        int start = start(size);
        int end = start + to - from;
        if (end > pool.length) {
            pool = Arrays.copyOf(pool, Math.max(end, 2 * pool.length));
        }
        System.arraycopy(text, from, pool, start, to - from);
        ends[size] = end;
        counts[size] = 1;
        hashes[size] = hash;
        slots[slot] = ++size;
    }

    /** The slot of a word, or the one that it may take. */
    private int slot(byte[] text, int from, int to, int hash) {
        int slot = hash & (slots.length - 1);
        for (int word; (word = slots[slot]) != 0; slot = (slot + 1) & (slots.length - 1)) {
            if (hashes[word - 1] == hash && Arrays.equals(pool, start(word - 1), ends[word - 1], text, from, to)) {
                break;
            }
        }
        return slot;
    }

    private void rehash(int length) {
        slots = new int[length];
        for (int word = 0; word < size; word++) {
            int slot = hashes[word] & (length - 1);
            while (slots[slot] != 0) {
                slot = (slot + 1) & (length - 1);
            }
            slots[slot] = word + 1;
        }
    }

    /** Leaves at most half of what there may be. */
    private void forget() {
        for (long least = 2; size > mostWords / 2 || start(size) > mostBytes / 2; least++) {
            int kept = 0;
            int start = 0;
            int end = 0;
            for (int word = 0; word < size; word++) {
                int next = ends[word];
                if (counts[word] >= least) {
                    // In place: what is kept goes to or before where it was.
                    System.arraycopy(pool, start, pool, end, next - start);
                    end += next - start;
                    ends[kept] = end;
                    counts[kept] = counts[word];
                    hashes[kept++] = hashes[word];
                } else {
                    forgotten += counts[word];
                }
                start = next;
            }
            size = kept;
        }
        rehash(slots.length);
    }

    private static int hash(byte[] text, int from, int to) {
        int hash = 0;
        for (int i = from; i < to; i++) {
            hash = hash * 31 + text[i];
        }
        hash *= 0x9E3779B1;
        return hash ^ hash >>> 15;
    }

    private int start(int word) {
        return word == 0 ? 0 : ends[word - 1];
    }

    /** Different words. */
    int size() {
        return size;
    }

    /** Occurrences of words that were forgotten. */
    long forgotten() {
        return forgotten;
    }

    long count(int word) {
        return counts[word];
    }

    byte[] word(int word) {
        return Arrays.copyOfRange(pool, start(word), ends[word]);
    }

    int length(int word) {
        return ends[word] - start(word);
    }

    byte at(int word, int place) {
        return pool[start(word) + place];
    }

    /** Bytes of all different words. */
    int bytes() {
        return start(size);
    }
}
