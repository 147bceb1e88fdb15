package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * {@link dev.whirlwind.model.Philox} as a kernel can compute it, bit for bit. TornadoVM compiles every right shift as a
 * signed one, which is why shifted values here are positive or cut to 32 bits.
 */
public final class Random {
    private Random() {}

    /** The bits of elements {@code 4 * index} to {@code 4 * index + 3} of a site's mask. */
    public static void wBlock(IntArray c, long index, int site, int[] bits) {
        int c0 = (int) index;
        int c1 = (int) (index >> 32) | (c.get(Cursor.MICRO_BATCH) << 8);
        int c2 = c.get(Cursor.STEP);
        int c3 = (c.get(Cursor.LAYER) << 3) | site;
        int k0 = c.get(Cursor.SEED_LOW);
        int k1 = c.get(Cursor.SEED_HIGH);
        for (int round = 0; round < 10; round++) {
            long product0 = 0xD2511F53L * (c0 & 0xffffffffL);
            long product1 = 0xCD9E8D57L * (c2 & 0xffffffffL);
            c0 = (int) (product1 >>> 32) ^ c1 ^ k0;
            c1 = (int) product1;
            c2 = (int) (product0 >>> 32) ^ c3 ^ k1;
            c3 = (int) product0;
            k0 += 0x9E3779B9;
            k1 += 0xBB67AE85;
        }
        bits[0] = c0;
        bits[1] = c1;
        bits[2] = c2;
        bits[3] = c3;
    }

    /** 0 where the bits, as an unsigned number, are below the threshold, else {@code keptScale}. */
    public static float wKept(int bits, int threshold, float keptScale) {
        return (bits ^ 0x80000000) < (threshold ^ 0x80000000) ? 0f : keptScale;
    }
}
