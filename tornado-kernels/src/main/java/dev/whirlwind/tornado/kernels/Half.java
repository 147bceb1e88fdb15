package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.BFloat16;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Numbers of 16 bits in memory, two in an int, that are floats in registers: bfloat16 (8 bits of exponent) and IEEE 754's
 * binary16 (5). TornadoVM's OpenCL back end cannot take an int's bits for a float's, and devices without the half type
 * shall do, so both ways go by a table of powers of two: with s the sign and exponent and m the mantissa, a number is
 * table[2 s] m + table[2 s + 1], exactly. What is too large becomes infinite, so that losses show it; NaN does, too.
 * bfloat16 below 2^-113 becomes zero.
 */
public final class Half {
    /** bfloat16 has a float's exponent. */
    public static final int BF16_EXPONENT = 8;

    public static final int FP16_EXPONENT = 5;

    /** The least exponent of bfloat16 for which a float holds the power of two that makes its mantissa an int. */
    private static final int BF16_LEAST = 14;

    private Half() {}

    /** The table for numbers with so many bits of exponent: factors and summands, least numbers and scales by exponent. */
    public static float[] table(int exponentBits) {
        int exponents = 1 << exponentBits;
        int mantissaBits = 15 - exponentBits;
        int bias = exponents / 2 - 1;
        int infinite = exponents - 1;
        float[] table = new float[6 * exponents];
        for (int s = 0; s < 2 * exponents; s++) {
            int exponent = s % exponents;
            int sign = s < exponents ? 1 : -1;
            float unit = sign * Math.scalb(1f, Math.max(exponent, 1) - bias - mantissaBits);
            table[2 * s] = exponent == infinite ? 0 : unit;
            table[2 * s + 1] = exponent == infinite
                    ? sign * Float.POSITIVE_INFINITY
                    : exponent == 0 ? 0 : unit * (1 << mantissaBits);
        }
        int least = exponentBits == BF16_EXPONENT ? BF16_LEAST : 1;
        for (int exponent = 1; exponent < exponents; exponent++) {
            int held = Math.max(exponent, least);
            table[4 * exponents + exponent] = Math.scalb(1f, held - bias);
            table[5 * exponents + exponent] = exponent == infinite ? 0 : Math.scalb(1f, bias + mantissaBits - held);
        }
        table[5 * exponents] = exponentBits == BF16_EXPONENT ? 0 : table[5 * exponents + 1];
        return table;
    }

    /** The 16 bits of element i. */
    private static int wElement(IntArray half, int i) {
        int pair = half.get(i / 2);
        return (i % 2 == 0 ? pair : pair >> 16) & 0xffff;
    }

    /** The float that 16 bits mean. */
    private static float wValue(FloatArray table, int bits, int exponentBits) {
        int s = 2 * (bits >> (15 - exponentBits));
        int mantissa = bits & ((1 << (15 - exponentBits)) - 1);
        return table.get(s) * mantissa + table.get(s + 1);
    }

    /** Element i of x, or where there are bits of exponent, of half. */
    public static float wGet(FloatArray x, IntArray half, FloatArray table, int i, int exponentBits) {
        float value;
        if (exponentBits == 0) {
            value = x.get(i);
        } else {
            value = wValue(table, wElement(half, i), exponentBits);
        }
        return value;
    }

    /** The exponent that a magnitude has in 16 bits. */
    private static int wExponent(FloatArray table, float size, int exponentBits) {
        int exponents = 1 << exponentBits;
        int exponent = exponents - 1;
        for (int step = exponents / 2; step > 0; step = step / 2) {
            if (size < table.get(4 * exponents + exponent - step + 1)) {
                exponent -= step;
            }
        }
        return exponent;
    }

    /** A magnitude in units of its exponent's last place. */
    private static float wScaled(FloatArray table, float size, int exponent, int exponentBits) {
        return size * table.get(5 * (1 << exponentBits) + exponent);
    }

    /** The 16 bits of an exponent, a mantissa and the sign of a float. */
    private static int wJoined(int exponent, int mantissa, float value, int exponentBits) {
        int bits = 0x7fff + 1 - (1 << (15 - exponentBits));
        if (exponent < (1 << exponentBits) - 1) {
            bits = TornadoMath.max(0, exponent - 1) * (1 << (15 - exponentBits)) + mantissa;
        }
        return value < 0f ? bits + 0x8000 : bits;
    }

    /** The 16 bits of the number next to a float, of two the even one. */
    private static int wBits(FloatArray table, float value, int exponentBits) {
        float size = TornadoMath.abs(value);
        int exponent = wExponent(table, size, exponentBits);
        float scaled = wScaled(table, size, exponent, exponentBits);
        int mantissa = (int) scaled;
        float rest = scaled - mantissa;
        if (rest > 0.5f) {
            mantissa += 1;
        }
        if (rest == 0.5f) {
            mantissa += mantissa & 1;
        }
        return wJoined(exponent, mantissa, value, exponentBits);
    }

    /**
     * half = x, two elements an int; where {@code round} is not 0, x becomes what half holds, so that whoever reads either
     * reads the same. half starts at an even element.
     */
    public static void wNarrow(
            IntArray c,
            int at,
            FloatArray table,
            FloatArray x,
            IntArray half,
            int n,
            int share,
            int exponentBits,
            int round) {
        int x0 = c.get(at);
        int half0 = c.get(at + 1) / 2;
        for (@Parallel int block = 0; block < ((n + 1) / 2 + share - 1) / share; block++) {
            int end = TornadoMath.min((n + 1) / 2, (block + 1) * share);
            for (int pair = block * share; pair < end; pair++) {
                int i = 2 * pair;
                int low = wBits(table, x.get(x0 + i), exponentBits);
                int high = 0;
                if (round != 0) {
                    x.set(x0 + i, wValue(table, low, exponentBits));
                }
                if (i + 1 < n) {
                    high = wBits(table, x.get(x0 + i + 1), exponentBits);
                    if (round != 0) {
                        x.set(x0 + i + 1, wValue(table, high, exponentBits));
                    }
                }
                half.set(half0 + pair, high << 16 | low);
            }
        }
    }

    /** Element i of half. */
    static float wElementOf(IntArray half, FloatArray table, int i, int exponentBits) {
        return wValue(table, wElement(half, i), exponentBits);
    }

    /** {@code StochasticRounding.hash}; right shifts are arithmetic here. */
    private static int wHash(int x) {
        int h = (x ^ ((x >> 16) & 0xffff)) * 0x7feb352d;
        h = (h ^ ((h >> 15) & 0x1ffff)) * 0x846ca68b;
        return h ^ ((h >> 16) & 0xffff);
    }

    /** The 16 bits of the number below a float, or above it where its rest and 16 random bits come to one. */
    private static int wRounded(FloatArray table, float value, int random, int exponentBits) {
        float size = TornadoMath.abs(value);
        int exponent = wExponent(table, size, exponentBits);
        float scaled = wScaled(table, size, exponent, exponentBits);
        int mantissa = (int) scaled;
        if ((int) ((scaled - mantissa) * 65536f) + random >= 65536) {
            mantissa += 1;
        }
        return wJoined(exponent, mantissa, value, exponentBits);
    }

    /** half = x, rounded at random as {@code StochasticRounding} says. half starts at an even element. */
    public static void wRoundAtRandom(
            IntArray c,
            int at,
            FloatArray table,
            FloatArray x,
            IntArray half,
            int n,
            int share,
            int exponentBits,
            int site) {
        int x0 = c.get(at);
        int half0 = c.get(at + 1);
        int seed = wHash(c.get(Cursor.SEED_LOW) ^ wHash(c.get(Cursor.SEED_HIGH)));
        int key = wHash(wHash(seed ^ c.get(Cursor.STEP)) ^ (0x9E3779B9 * (site + 1)));
        for (@Parallel int block = 0; block < ((n + 1) / 2 + share - 1) / share; block++) {
            int end = TornadoMath.min((n + 1) / 2, (block + 1) * share);
            for (int pair = block * share; pair < end; pair++) {
                int i = 2 * pair;
                int low = wRounded(table, x.get(x0 + i), wHash((half0 + i) ^ key) & 0xffff, exponentBits);
                int high = 0;
                if (i + 1 < n) {
                    int random = wHash((half0 + i + 1) ^ key) & 0xffff;
                    high = wRounded(table, x.get(x0 + i + 1), random, exponentBits);
                }
                half.set(half0 / 2 + pair, high << 16 | low);
            }
        }
    }

    /** x = half. */
    public static void wWiden(
            IntArray c, int at, FloatArray table, IntArray half, FloatArray x, int n, int share, int exponentBits) {
        int half0 = c.get(at);
        int x0 = c.get(at + 1);
        for (@Parallel int block = 0; block < (n + share - 1) / share; block++) {
            int end = TornadoMath.min(n, (block + 1) * share);
            for (int i = block * share; i < end; i++) {
                x.set(x0 + i, wValue(table, wElement(half, half0 + i), exponentBits));
            }
        }
    }

    /**
     * {@link #wNarrow} of rows of bfloat16 numbers for CUDA, whose back end can take a float's bits. Rows of half are {@code
     * pitch} numbers apart, an even one; what fills them up becomes zero.
     */
    public static void wNarrowBf16(
            IntArray c,
            int at,
            KernelContext context,
            FloatArray x,
            IntArray half,
            int rows,
            int width,
            int pitch,
            int round) {
        int pair = context.globalIdx;
        int row = pair / (pitch / 2);
        int column = pair % (pitch / 2) * 2;
        if (row < rows) {
            int from = c.get(at) + row * width + column;
            int low = (char) BFloat16.bf16FromFloat(x.get(from));
            int high = 0;
            if (round != 0) {
                x.set(from, BFloat16.bf16ToFloat((short) low));
            }
            if (column + 1 < width) {
                high = (char) BFloat16.bf16FromFloat(x.get(from + 1));
                if (round != 0) {
                    x.set(from + 1, BFloat16.bf16ToFloat((short) high));
                }
            }
            half.set(c.get(at + 1) / 2 + pair, high << 16 | low);
        }
    }

    /** {@link #wWiden} of bfloat16 numbers for CUDA. */
    public static void wWidenBf16(IntArray c, int at, KernelContext context, IntArray half, FloatArray x, int n) {
        int i = context.globalIdx;
        if (i < n) {
            x.set(c.get(at + 1) + i, BFloat16.bf16ToFloat((short) wElement(half, c.get(at) + i)));
        }
    }
}
