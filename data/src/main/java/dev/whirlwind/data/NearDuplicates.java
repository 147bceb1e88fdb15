package dev.whirlwind.data;

import dev.whirlwind.data.sources.Hash;
import java.util.Arrays;

/**
 * Finds documents that share most of their runs of five words with one before: by MinHash (Broder, "On the resemblance and
 * containment of documents", 1997), whose signatures' agreement estimates the Jaccard similarity of the sets of runs, and
 * locality-sensitive hashing of bands of it (Leskovec, Rajaraman and Ullman, "Mining of massive datasets", chapter 3). With {@value
 * #BANDS} bands of {@value #ROWS} a pair of similarity 0.8 is looked at with probability 0.95, one of 0.9 with 0.9999; it is
 * taken for a copy if its signatures agree in {@value #SIMILAR} of the places. Some 700 bytes are kept of each document.
 */
final class NearDuplicates {
    static final double SIMILAR = 0.8;

    private static final int WORDS = 5;
    private static final int BANDS = 16;
    private static final int ROWS = 8;
    private static final int PLACES = BANDS * ROWS;

    private final int[] seeds = new int[PLACES];
    private final int[] factors = new int[PLACES];
    private final HashSet64 bands = new HashSet64();

    /** The signatures of documents that are kept, 16 bits a place, and the documents' numbers. */
    private short[][] signatures = new short[1 << 10][];

    private int[] documents = new int[1 << 10];
    private int kept;

    private final int[] least = new int[PLACES];
    private final long[] words = new long[WORDS];
    private long count;
    private long word = Hash.EMPTY;
    private boolean inWord;

    NearDuplicates() {
        long state = 0;
        for (int i = 0; i < PLACES; i++) {
            state = Hash.mix(state);
            seeds[i] = (int) state;
            factors[i] = (int) (state >>> 32) | 1;
        }
        begin();
    }

    private void begin() {
        Arrays.fill(least, Integer.MAX_VALUE);
        count = 0;
        word = Hash.EMPTY;
        inWord = false;
    }

    /** Takes the next piece of a document. Case and all but letters and digits make no difference. */
    void add(String piece) {
        for (int i = 0; i < piece.length(); i++) {
            char c = piece.charAt(i);
            // Halves of characters beyond 16 bits are parts of words.
            if (Character.isLetterOrDigit(c) || Character.isSurrogate(c)) {
                word = (word ^ Character.toLowerCase(c)) * 0x100000001B3L;
                inWord = true;
            } else if (inWord) {
                word();
            }
        }
    }

    private void word() {
        words[(int) (count++ % WORDS)] = Hash.mix(word);
        word = Hash.EMPTY;
        inWord = false;
        if (count >= WORDS) {
            run();
        }
    }

    private void run() {
        long run = 0;
        for (int i = 0; i < WORDS; i++) {
            run = 31 * run + words[(int) ((count + i) % WORDS)];
        }
        int x = (int) (Hash.mix(run) >>> 32);
        for (int i = 0; i < PLACES; i++) {
            least[i] = Math.min(least[i], (x ^ seeds[i]) * factors[i]);
        }
    }

    /**
     * Ends a document.
     *
     * @return the number of the first one found that it is a near copy of, or its own
     */
    int end(int document) {
        if (inWord) {
            word();
        }
        if (count < WORDS) {
            // Too short to have a run: only exact copies count.
            begin();
            return document;
        }
        short[] signature = new short[PLACES];
        for (int i = 0; i < PLACES; i++) {
            // The least of many are alike in their upper bits.
            signature[i] = (short) Hash.mix(least[i]);
        }
        long[] keys = keys();
        begin();
        for (long key : keys) {
            int candidate = bands.firstOf(key, kept);
            if (candidate < kept && agreement(signatures[candidate], signature) >= SIMILAR) {
                return documents[candidate];
            }
        }
        if (kept == signatures.length) {
            signatures = Arrays.copyOf(signatures, 2 * kept);
            documents = Arrays.copyOf(documents, 2 * kept);
        }
        signatures[kept] = signature;
        documents[kept++] = document;
        return document;
    }

    private long[] keys() {
        long[] keys = new long[BANDS];
        for (int band = 0; band < BANDS; band++) {
            long key = band;
            for (int row = 0; row < ROWS; row++) {
                key = Hash.mix(key ^ least[band * ROWS + row]);
            }
            keys[band] = key;
        }
        return keys;
    }

    private static double agreement(short[] one, short[] other) {
        int same = 0;
        for (int i = 0; i < PLACES; i++) {
            same += one[i] == other[i] ? 1 : 0;
        }
        return (double) same / PLACES;
    }
}
