package dev.whirlwind.data.sources;

/** Hashes that are the same on every machine and in every version. */
public final class Hash {
    /** Of an empty text: the offset basis of FNV-1a. */
    public static final long EMPTY = 0xCBF29CE484222325L;

    private static final long FNV_PRIME = 0x100000001B3L;

    private Hash() {}

    /**
     * The hash of a text with another piece at its end: FNV-1a over its characters without white space, so that texts are
     * the same whose lines end or are filled otherwise.
     */
    public static long add(long hash, String piece) {
        long h = hash;
        for (int i = 0; i < piece.length(); i++) {
            char c = piece.charAt(i);
            if (c > ' ' && (c < 0x80 || !Character.isWhitespace(c))) {
                h = (h ^ c) * FNV_PRIME;
            }
        }
        return h;
    }

    /** The same of tokens. */
    public static long add(long hash, int[] ids) {
        long h = hash;
        for (int id : ids) {
            h = (h ^ id) * FNV_PRIME;
        }
        return h;
    }

    /** The finalizer of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014). */
    public static long mix(long z) {
        z += 0x9E3779B97F4A7C15L;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
