package dev.whirlwind.data;

import dev.whirlwind.data.sources.Hash;
import dev.whirlwind.model.UserException;
import java.util.BitSet;

/**
 * Which documents are held out: a pure function of a document's content and the seed. So documents that are the same (but
 * for white space) are on the same side wherever they lie, and adding others moves none across. Where two documents or
 * more differ, there is one on each side: what hashes lowest is always held out and what hashes highest never, which is
 * why all are shown to {@link #observe} first. Three bits are kept of each.
 */
final class HeldOut {
    private final double fraction;
    private final long seed;
    private final BitSet within = new BitSet();
    private final BitSet lowest = new BitSet();
    private final BitSet highest = new BitSet();
    private double low = Double.MAX_VALUE;
    private double high = -1;
    private int documents;

    /** @param fraction of documents to hold out, from 0 (none at all) to below 1 */
    HeldOut(double fraction, long seed) {
        if (!(fraction >= 0 && fraction < 1)) {
            throw new IllegalArgumentException("held-out fraction " + fraction + " is not in [0, 1)");
        }
        this.fraction = fraction;
        this.seed = seed;
    }

    /** The next document, by the {@link Hash} of its text. */
    void observe(long hash) {
        double place = (Hash.mix(hash ^ Hash.mix(seed)) >>> 11) * 0x1p-53;
        if (place < low) {
            low = place;
            lowest.clear();
        }
        if (place > high) {
            high = place;
            highest.clear();
        }
        if (place < fraction) {
            within.set(documents);
        }
        if (place == low) {
            lowest.set(documents);
        }
        if (place == high) {
            highest.set(documents);
        }
        if (++documents == Integer.MAX_VALUE) {
            throw new UserException("more than " + Integer.MAX_VALUE + " documents: prepare them in several parts");
        }
    }

    /** Documents that were shown. */
    int documents() {
        return documents;
    }

    /** Whether two of the documents differ. */
    boolean anyDiffer() {
        return low < high;
    }

    /** Whether the document that was shown as the number {@code document}, from 0, is held out. */
    boolean contains(int document) {
        return fraction > 0 && !highest.get(document) && (within.get(document) || lowest.get(document));
    }
}
