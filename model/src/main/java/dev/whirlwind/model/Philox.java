package dev.whirlwind.model;

/**
 * Counter-based random bits: Philox 4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
 * Element e of a mask takes word {@code e % 4} of the block with counter {@code (e / 4, e >> 34 | microBatch << 8, step,
 * layer << 3 | site)} and the seed as key, so every engine, and every resumed run, draws the same masks.
 */
public final class Philox {
    /** The site of {@link Ops#addNoise}, of layer 0 alone: what embedding dropout would be in layer 1, where there is none. */
    public static final int NOISE = 8;

    private static final int ROUNDS = 10;
    private static final long MULTIPLIER_0 = 0xD2511F53L;
    private static final long MULTIPLIER_1 = 0xCD9E8D57L;
    private static final int WEYL_0 = 0x9E3779B9;
    private static final int WEYL_1 = 0xBB67AE85;

    private Philox() {}

    /** Writes the four words of one block to {@code out[0..3]}. */
    public static void block(int c0, int c1, int c2, int c3, int k0, int k1, int[] out) {
        for (int round = 0; round < ROUNDS; round++) {
            long product0 = MULTIPLIER_0 * (c0 & 0xffffffffL);
            long product1 = MULTIPLIER_1 * (c2 & 0xffffffffL);
            c0 = (int) (product1 >>> 32) ^ c1 ^ k0;
            c1 = (int) product1;
            c2 = (int) (product0 >>> 32) ^ c3 ^ k1;
            c3 = (int) product0;
            k0 += WEYL_0;
            k1 += WEYL_1;
        }
        out[0] = c0;
        out[1] = c1;
        out[2] = c2;
        out[3] = c3;
    }

    /** Writes the block that holds the bits of elements {@code 4 * index} to {@code 4 * index + 3} of a mask. */
    public static void maskBlock(Inputs inputs, int layer, int site, long index, int[] out) {
        block(
                (int) index,
                (int) (index >>> 32) | inputs.microBatch << 8,
                inputs.step,
                layer << 3 | site,
                (int) inputs.seed,
                (int) (inputs.seed >>> 32),
                out);
    }
}
