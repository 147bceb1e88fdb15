package dev.whirlwind.data;

import dev.whirlwind.data.sources.Hash;
import java.nio.charset.StandardCharsets;

/**
 * Which documents are held out: a pure function of a document's name and the seed, so that adding documents moves no
 * other from one side to the other. Of two documents or more, at least one is on each side: the one that hashes lowest is
 * always held out and the one that hashes highest never, which is why all names are shown to {@link #observe} first.
 */
final class HeldOut {
    private final double fraction;
    private final long seed;
    private double lowest = Double.MAX_VALUE;
    private double highest = -1;

    /** @param fraction of documents to hold out, from 0 (none at all) to below 1 */
    HeldOut(double fraction, long seed) {
        if (!(fraction >= 0 && fraction < 1)) {
            throw new IllegalArgumentException("held-out fraction " + fraction + " is not in [0, 1)");
        }
        this.fraction = fraction;
        this.seed = seed;
    }

    void observe(String document) {
        double place = place(document);
        lowest = Math.min(lowest, place);
        highest = Math.max(highest, place);
    }

    boolean contains(String document) {
        double place = place(document);
        return fraction > 0 && place < highest && (place < fraction || place == lowest);
    }

    /** A number in [0, 1) that the name and the seed decide: FNV-1a over the bytes, then mixed. */
    private double place(String document) {
        long hash = 0xCBF29CE484222325L;
        for (byte b : document.getBytes(StandardCharsets.UTF_8)) {
            hash = (hash ^ (b & 0xFF)) * 0x100000001B3L;
        }
        return (Hash.mix(hash ^ Hash.mix(seed)) >>> 11) * 0x1p-53;
    }
}
