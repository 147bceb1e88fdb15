package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Means of gradients in eight bits, in memory as {@code DynamicBlocks} has them: four codes an int, and in {@code numbers} what
 * the 256 codes mean, and then a float for each block of 256.
 */
public final class Moments {
    /** Moments of a block, and codes. */
    public static final int BLOCK = 256;

    private static final int BLOCK_BITS = 8;

    private Moments() {}

    private static float wMoment(FloatArray numbers, IntArray words, int i) {
        int code = (words.get(i >> 2) >> ((i & 3) * 8)) & 0xff;
        return numbers.get(code) * numbers.get(BLOCK + (i >> BLOCK_BITS));
    }

    /** The code nearest to a number from -1 to 1: beyond the middle between two it is the upper one. */
    private static int wNearest(FloatArray numbers, float x) {
        int code = 0;
        for (int step = BLOCK / 2; step > 0; step = step / 2) {
            if (x > (numbers.get(code + step - 1) + numbers.get(code + step)) / 2) {
                code += step;
            }
        }
        return code;
    }

    /** x = some of the moments. */
    public static void wWidenMoments(
            IntArray c, int at, FloatArray numbers, IntArray words, FloatArray x, int n, int share) {
        int first = c.get(at);
        int x0 = c.get(at + 1);
        for (@Parallel int part = 0; part < (n + share - 1) / share; part++) {
            int end = TornadoMath.min(n, (part + 1) * share);
            for (int i = part * share; i < end; i++) {
                x.set(x0 + i, wMoment(numbers, words, first + i));
            }
        }
    }

    /**
     * n of {@code length} moments = x, to the nearest: a work item a block. Of blocks that are changed in part the rest is
     * rounded anew, by what may be another scale.
     */
    public static void wRoundMoments(
            IntArray c, int at, FloatArray x, FloatArray numbers, IntArray words, int n, int share, int length) {
        int x0 = c.get(at);
        int first = c.get(at + 1);
        for (@Parallel int part = 0; part < (n + share - 1) / share + 1; part++) {
            int start = (first / share + part) * share;
            int size = TornadoMath.min(share, length - start);
            if (start < first + n) {
                float[] values = new float[BLOCK];
                float largest = 0f;
                for (int i = 0; i < size; i++) {
                    int from = start + i - first;
                    float value;
                    if (from >= 0 && from < n) {
                        value = x.get(x0 + from);
                    } else {
                        value = wMoment(numbers, words, start + i);
                    }
                    values[i] = value;
                    if (TornadoMath.abs(value) > TornadoMath.abs(largest)) {
                        largest = value;
                    }
                }
                for (int i = size; i < BLOCK; i++) {
                    values[i] = 0f;
                }
                numbers.set(BLOCK + start / BLOCK, largest);
                for (int i = 0; i < BLOCK; i += 4) {
                    int word = 0;
                    for (int k = 0; k < 4; k++) {
                        float of = 0f;
                        if (largest != 0f) {
                            of = values[i + k] / largest;
                        }
                        word = word | wNearest(numbers, of) << (8 * k);
                    }
                    words.set((start + i) / 4, word);
                }
            }
        }
    }

    /** The same by a group of 256 work items for each block. */
    public static void wRoundMomentsOfGroup(
            IntArray c,
            int at,
            KernelContext context,
            FloatArray x,
            FloatArray numbers,
            IntArray words,
            int n,
            int length) {
        float[] largest = context.allocateFloatLocalArray(BLOCK);
        int[] codes = context.allocateIntLocalArray(BLOCK);
        int item = context.localIdx;
        int first = c.get(at + 1);
        int block = first / BLOCK + context.groupIdx;
        int i = block * BLOCK + item;
        int from = i - first;
        float value = 0f;
        if (from >= 0 && from < n) {
            value = x.get(c.get(at) + from);
        }
        if (i < length && (from < 0 || from >= n)) {
            value = wMoment(numbers, words, i);
        }
        // All have read before one writes.
        context.globalBarrier();
        largest[item] = value;
        // Of two that are as large the first, as there: neighbours are compared first.
        for (int step = 1; step < BLOCK; step = 2 * step) {
            context.localBarrier();
            if (item % (2 * step) == 0 && TornadoMath.abs(largest[item + step]) > TornadoMath.abs(largest[item])) {
                largest[item] = largest[item + step];
            }
        }
        context.localBarrier();
        float scale = largest[0];
        float of = 0f;
        if (scale != 0f) {
            of = value / scale;
        }
        codes[item] = wNearest(numbers, of);
        context.localBarrier();
        if (item % 4 == 0 && block * BLOCK < first + n) {
            words.set(i / 4, codes[item] | codes[item + 1] << 8 | codes[item + 2] << 16 | codes[item + 3] << 24);
        }
        if (item == 0 && block * BLOCK < first + n) {
            numbers.set(BLOCK + block, scale);
        }
    }
}
