package dev.whirlwind.model;

/**
 * Random bits by which weights of 16 bits are rounded up or down, each with the probability that makes the mean right
 * (Gupta et al., arXiv 1502.02551; of bfloat16 weights Zamirai et al., arXiv 2010.06192): an update of less than half of the
 * last place is not lost. They are a function of a key and the weight's number, so that a resume needs no state; the
 * function is C. Wellons' integer hash {@code lowbias32}, of which every bit of the result depends on every bit of the number.
 */
public final class StochasticRounding {
    /** Different updates in one step do not share bits, or the second would know how the first was rounded. */
    public static final int UPDATE = 0;

    public static final int MOVE = 1;

    /** Rounds to nearest instead; no key has this value. */
    public static final long NEAREST = -1;

    private StochasticRounding() {}

    /** Towards a direction, after an update, goes an anchor's pull. */
    public static int ofDescent(float factor) {
        return factor < 0 ? MOVE : UPDATE;
    }

    /** The key of a step, from 0 to 2^32 - 1. */
    public static long key(Inputs inputs, int site) {
        int hash = hash((int) inputs.seed ^ hash((int) (inputs.seed >>> 32)));
        hash = hash(hash ^ inputs.step);
        return Integer.toUnsignedLong(hash(hash ^ 0x9E3779B9 * (site + 1)));
    }

    /** 32 bits, of which rounding takes the lower 16. */
    public static int bits(int key, long element) {
        return hash((int) element ^ key + 0x85EBCA6B * (int) (element >>> 32));
    }

    public static int hash(int x) {
        int h = (x ^ x >>> 16) * 0x7feb352d;
        h = (h ^ h >>> 15) * 0x846ca68b;
        return h ^ h >>> 16;
    }

    /** A float's bits as those of a bfloat16: the upper half of the sum with the lower 16 random bits. NaN stays one. */
    public static short round(int floatBits, int random) {
        return (short) ((floatBits + (random & 0xffff)) >>> 16);
    }
}
