package dev.whirlwind.data;

import dev.whirlwind.data.sources.Hash;
import dev.whirlwind.model.UserException;
import java.util.Arrays;
import java.util.BitSet;

/**
 * Which documents are held out, such that they come to a fraction of the bytes. A document's place among all is a function of
 * its content (but for white space) and the seed, so copies share one and are on one side, wherever they lie. In the order of
 * their places, which are even from 0 to 1,
 *
 * <ul>
 *   <li>those below the fraction are held out, so that adding others moves none across as long as all goes well;
 *   <li>but none that would bring the held-out part above {@value #FAR} times the fraction of the bytes, as a long one may;
 *   <li>and where less than the fraction / {@value #FAR} has come together, those that follow, until as much has.
 * </ul>
 *
 * <p>Where two documents or more differ, there is one on each side: the last one is never held out, and where no document is
 * short enough, the shortest one is. All are shown to {@link #observe} first; twelve bytes are kept of each.
 */
final class HeldOut {
    private static final double FAR = 1.5;

    private final double fraction;
    private final long seed;
    private long[] places = new long[16];
    private float[] bytes = new float[16];
    private double allBytes;
    private int documents;
    private BitSet chosen;

    /** @param fraction of the bytes to hold out, from 0 (none at all) to below 1 */
    HeldOut(double fraction, long seed) {
        if (!(fraction >= 0 && fraction < 1)) {
            throw new IllegalArgumentException("held-out fraction " + fraction + " is not in [0, 1)");
        }
        this.fraction = fraction;
        this.seed = seed;
    }

    /** The next document, by the {@link Hash} of its text, and how long it is. */
    void observe(long hash, long length) {
        if (documents == Integer.MAX_VALUE - 8) {
            throw new UserException("more than " + documents + " documents: prepare them in several parts");
        }
        if (documents == places.length) {
            int longer = (int) Math.min(2L * documents, Integer.MAX_VALUE - 8);
            places = Arrays.copyOf(places, longer);
            bytes = Arrays.copyOf(bytes, longer);
        }
        places[documents] = Hash.mix(hash ^ Hash.mix(seed)) >>> 1;
        bytes[documents++] = length;
        allBytes += length;
    }

    /** Documents that were shown. */
    int documents() {
        return documents;
    }

    /** Whether two of the documents differ. */
    boolean anyDiffer() {
        return Arrays.stream(places, 0, documents).distinct().limit(2).count() == 2;
    }

    /** Whether the document that was shown as the number {@code document}, from 0, is held out. */
    boolean contains(int document) {
        if (chosen == null) {
            chosen = choose();
        }
        return chosen.get(document);
    }

    private BitSet choose() {
        BitSet heldOut = new BitSet();
        long[] groups = Arrays.stream(places, 0, documents).sorted().distinct().toArray();
        if (fraction == 0 || groups.length < 2) {
            return heldOut;
        }
        double[] sizes = new double[groups.length];
        for (int i = 0; i < documents; i++) {
            sizes[Arrays.binarySearch(groups, places[i])] += bytes[i];
        }
        BitSet out = choose(groups, sizes);
        for (int i = 0; i < documents; i++) {
            heldOut.set(i, out.get(Arrays.binarySearch(groups, places[i])));
        }
        return heldOut;
    }

    /** Of documents that differ, in the order of their places. */
    private BitSet choose(long[] groups, double[] sizes) {
        BitSet out = new BitSet();
        double sum = 0;
        int shortest = 0;
        for (int i = 0; i < groups.length - 1; i++) {
            boolean within = (groups[i] >>> 10) * 0x1p-53 < fraction;
            if (!within && sum >= fraction * allBytes / FAR) {
                break;
            }
            if (sum + sizes[i] <= FAR * fraction * allBytes) {
                out.set(i);
                sum += sizes[i];
            }
            shortest = sizes[i] < sizes[shortest] ? i : shortest;
        }
        if (out.isEmpty()) {
            out.set(shortest);
        }
        return out;
    }
}
