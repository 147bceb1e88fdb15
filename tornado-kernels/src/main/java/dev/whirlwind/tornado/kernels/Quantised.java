package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Weights that share scales by blocks of 64, in memory as {@code Int8Blocks} and {@code Nf4Blocks} have them. Numbers of a
 * block come first, all of them, then its scale: from byte {@code scales} on, half as many as there are weights, a byte for each
 * block of NF4; of int8 it is as many pairs of bytes, and twos for each block. {@code numbers} are, of int8, {@link Half}'s table;
 * of NF4 what the 16 codes mean, and then a float for each group.
 */
public final class Quantised {
    public static final int INT8 = 8;
    public static final int NF4 = 4;

    /** Weights of a block are 1 << 6, of an NF4 group 1 << 14. */
    private static final int BLOCK_BITS = 6;

    private static final int GROUP_BITS = 14;

    private static final int CODES = 16;

    private Quantised() {}

    /** The scale of a block. */
    private static float wScale(FloatArray numbers, IntArray words, int block, int scales, int bits) {
        float scale;
        if (bits == INT8) {
            scale = Half.wElementOf(words, numbers, scales + block, Half.BF16_EXPONENT);
        } else {
            int at = scales + block;
            int share = (words.get(at >> 2) >> ((at & 3) * 8)) & 0xff;
            scale = share * numbers.get(CODES + (block >> (GROUP_BITS - BLOCK_BITS)));
        }
        return scale;
    }

    /** Weight i. */
    static float wWeight(FloatArray numbers, IntArray words, int i, int scales, int bits) {
        int block = i >> BLOCK_BITS;
        int within = i & 63;
        float code;
        if (bits == INT8) {
            code = (words.get(block * 16 + (within & 15)) << (24 - (within >> 4) * 8)) >> 24;
        } else {
            int nibble = (within >> 4) + ((within >> 3) & 1) * 4;
            code = numbers.get((words.get(block * 8 + (within & 7)) >> (4 * nibble)) & 15);
        }
        return code * wScale(numbers, words, block, scales, bits);
    }

    /** x = the weights from a block's first on: an int of several at a time, which share a scale. */
    public static void wWidenBlocks(
            IntArray c, int at, FloatArray numbers, IntArray words, FloatArray x, int ints, int share, int bits) {
        int first = c.get(at) / (32 / bits);
        int x0 = c.get(at + 1);
        int scales = c.get(at + 2);
        for (@Parallel int part = 0; part < (ints + share - 1) / share; part++) {
            int end = TornadoMath.min(ints, (part + 1) * share);
            for (int i = part * share; i < end; i++) {
                int word = words.get(first + i);
                float scale = wScale(numbers, words, (first + i) / (2 * bits), scales, bits);
                int to = x0 + i / (2 * bits) * 64 + i % (2 * bits);
                if (bits == INT8) {
                    for (int k = 0; k < 4; k++) {
                        x.set(to + 16 * k, ((word << (24 - 8 * k)) >> 24) * scale);
                    }
                } else {
                    for (int k = 0; k < 8; k++) {
                        x.set(to + 16 * (k & 3) + 8 * (k >> 2), numbers.get((word >> (4 * k)) & 15) * scale);
                    }
                }
            }
        }
    }
}
