package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Sums over many rows or elements for GPUs, in two stages with a fixed order, so that they are the same each time: groups
 * add up parts, and {@link GemmBlocked#wAddParts} or the host the rest.
 */
public final class Sums {
    /** Columns of a group, and the rows that it reads at once. */
    public static final int COLUMNS = 32;

    public static final int ROWS = 8;

    /** What is summed: dout, dout x rstd (an RMS norm's weight), dout (x - mean) rstd (a layer norm's), or dout^2. */
    public static final int PLAIN = 0;

    public static final int SCALED = 1;
    public static final int CENTRED = 2;
    public static final int SQUARED = 3;

    private Sums() {}

    /**
     * partial[part][i] = the sum of form(r, i) over the part's rows r. A row is one of {@code count} heads, the first at
     * place {@code first}, of a line of {@code stride} floats with {@code heads} values of rstd; or a line of its own.
     */
    public static void wColumnSums(
            IntArray c,
            int at,
            KernelContext context,
            FloatArray dout,
            FloatArray x,
            FloatArray mean,
            FloatArray rstd,
            FloatArray partial,
            int rows,
            int rowsOfPart,
            int width,
            int stride,
            int first,
            int count,
            int headsAndForm) {
        float[] sums = context.allocateFloatLocalArray(256);
        int column = context.localIdx % 32;
        int line = context.localIdx / 32;
        int i = context.groupIdx * 32 + column;
        int part = context.groupIdy;
        int form = headsAndForm % 4;
        int heads = headsAndForm / 4;
        int end = (part + 1) * rowsOfPart < rows ? (part + 1) * rowsOfPart : rows;
        float sum0 = 0f;
        float sum1 = 0f;
        float sum2 = 0f;
        float sum3 = 0f;
        if (i < width) {
            int r = part * rowsOfPart + line;
            // Four in turn, as an item waits for memory.
            for (; r + 24 < end; r += 32) {
                sum0 += wTerm(c, at, dout, x, mean, rstd, r, i, width, stride, first, count, heads, form);
                sum1 += wTerm(c, at, dout, x, mean, rstd, r + 8, i, width, stride, first, count, heads, form);
                sum2 += wTerm(c, at, dout, x, mean, rstd, r + 16, i, width, stride, first, count, heads, form);
                sum3 += wTerm(c, at, dout, x, mean, rstd, r + 24, i, width, stride, first, count, heads, form);
            }
            for (; r < end; r += 8) {
                sum0 += wTerm(c, at, dout, x, mean, rstd, r, i, width, stride, first, count, heads, form);
            }
        }
        sums[context.localIdx] = sum0 + sum1 + (sum2 + sum3);
        for (int half = 4; half > 0; half = half / 2) {
            context.localBarrier();
            if (line < half) {
                sums[context.localIdx] += sums[context.localIdx + half * 32];
            }
        }
        if (line == 0 && i < width) {
            partial.set(c.get(at + 4) + part * width + i, sums[column]);
        }
    }

    private static float wTerm(
            IntArray c,
            int at,
            FloatArray dout,
            FloatArray x,
            FloatArray mean,
            FloatArray rstd,
            int r,
            int i,
            int width,
            int stride,
            int first,
            int count,
            int heads,
            int form) {
        int place = r / count * stride + (first + r % count) * width + i;
        float value = dout.get(c.get(at) + place);
        if (form == SQUARED) {
            value *= value;
        }
        if (form == SCALED || form == CENTRED) {
            float n = x.get(c.get(at + 1) + place);
            if (form == CENTRED) {
                n -= mean.get(c.get(at + 2) + r);
            }
            value *= n * rstd.get(c.get(at + 3) + r / count * heads + first + r % count);
        }
        return value;
    }

    /** partials[p] = the sum of squares of group p's share of x, by neighbours reading neighbours. */
    public static void wSquares(
            IntArray c, int at, KernelContext context, FloatArray x, FloatArray partials, int n, int stretch) {
        float[] sums = context.allocateFloatLocalArray(256);
        int item = context.localIdx;
        int x0 = c.get(at);
        int first = context.groupIdx * stretch;
        int end = first + TornadoMath.min(stretch, n - first);
        float sum0 = 0f;
        float sum1 = 0f;
        float sum2 = 0f;
        float sum3 = 0f;
        int i = first + item;
        for (; i < end - 768; i += 1024) {
            float value0 = x.get(x0 + i);
            float value1 = x.get(x0 + i + 256);
            float value2 = x.get(x0 + i + 512);
            float value3 = x.get(x0 + i + 768);
            sum0 += value0 * value0;
            sum1 += value1 * value1;
            sum2 += value2 * value2;
            sum3 += value3 * value3;
        }
        for (; i < end; i += 256) {
            float value = x.get(x0 + i);
            sum0 += value * value;
        }
        sums[item] = sum0 + sum1 + (sum2 + sum3);
        for (int half = 128; half > 0; half = half / 2) {
            context.localBarrier();
            if (item < half) {
                sums[item] += sums[item + half];
            }
        }
        if (item == 0) {
            partials.set(c.get(at + 1) + context.groupIdx, sums[0]);
        }
    }

    /** y[0] = the mean of x[n], or where scale is not 0, 1 / max(least, scale sqrt(the sum)): by one group. */
    public static void wSumOfGroup(
            IntArray c, int at, KernelContext context, FloatArray x, FloatArray y, int n, float least, float scale) {
        float[] sums = context.allocateFloatLocalArray(256);
        int item = context.localIdx;
        float sum = 0f;
        for (int i = item; i < n; i += 256) {
            sum += x.get(c.get(at) + i);
        }
        sums[item] = sum;
        for (int half = 128; half > 0; half = half / 2) {
            context.localBarrier();
            if (item < half) {
                sums[item] += sums[item + half];
            }
        }
        if (item == 0) {
            float total = sums[0];
            y.set(
                    c.get(at + 1),
                    scale == 0f ? total / n : 1f / TornadoMath.max(least, scale * TornadoMath.sqrt(total)));
        }
    }

    /**
     * dwte[token] += the sum of dout over the rows with the token: a group owns a token. {@code order} has the number of
     * different tokens, then for each where its rows begin, then the rows by token.
     */
    public static void wTokenRows(
            IntArray c,
            int at,
            KernelContext context,
            IntArray tokens,
            IntArray order,
            FloatArray dout,
            FloatArray dwte,
            int rows,
            int width) {
        int token = context.groupIdx;
        if (token < order.get(0)) {
            int first = order.get(1 + token);
            int end = order.get(2 + token);
            int to = c.get(at + 1) + tokens.get(order.get(2 + rows + first)) * width;
            for (int i = context.localIdx; i < width; i += 256) {
                float sum = 0f;
                for (int j = first; j < end; j++) {
                    sum += dout.get(c.get(at) + order.get(2 + rows + j) * width + i);
                }
                dwte.set(to + i, dwte.get(to + i) + sum);
            }
        }
    }
}
