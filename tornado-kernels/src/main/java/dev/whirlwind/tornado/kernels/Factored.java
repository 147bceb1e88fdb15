package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** Adafactor's second moments (arXiv 1804.04235); squares are raised by 1e-30, so that nothing is divided by 0. */
public final class Factored {
    private Factored() {}

    /** sums[row] = the sum of squares of a row of x, by a work item. */
    public static void wRowSquares(IntArray c, int at, FloatArray x, FloatArray sums, int rows, int columns) {
        int x0 = c.get(at);
        int sums0 = c.get(at + 1);
        for (@Parallel int r = 0; r < rows; r++) {
            sums.set(sums0 + r, wSquares(x, x0 + r * columns, 1, columns));
        }
    }

    /** The same by a group of 256 work items. */
    public static void wRowSquaresOfGroup(
            IntArray c, int at, KernelContext context, FloatArray x, FloatArray sums, int columns) {
        float[] parts = context.allocateFloatLocalArray(256);
        int item = context.localIdx;
        int row = c.get(at) + context.groupIdx * columns;
        float sum = 0f;
        for (int i = item; i < columns; i += 256) {
            float value = x.get(row + i);
            sum += value * value;
        }
        parts[item] = sum;
        for (int half = 128; half > 0; half = half / 2) {
            context.localBarrier();
            if (item < half) {
                parts[item] += parts[item + half];
            }
        }
        if (item == 0) {
            sums.set(c.get(at + 1) + context.groupIdx, parts[0]);
        }
    }

    /** sums[column] = the sum of squares of a column of x, by a work item. */
    public static void wColumnSquares(IntArray c, int at, FloatArray x, FloatArray sums, int rows, int columns) {
        int x0 = c.get(at);
        int sums0 = c.get(at + 1);
        for (@Parallel int i = 0; i < columns; i++) {
            sums.set(sums0 + i, wSquares(x, x0 + i, columns, rows));
        }
    }

    /** In blocks, so that small terms are not lost beside a large sum. */
    private static float wSquares(FloatArray x, int start, int step, int n) {
        float total = 0f;
        for (int block = 0; block < n; block += 256) {
            float sum = 0f;
            int end = TornadoMath.min(n, block + 256);
            for (int i = block; i < end; i++) {
                float value = x.get(start + i * step);
                sum += value * value;
            }
            total += sum;
        }
        return total;
    }

    /** With b = secondMomentDecay: v = b v + (1 - b) (gradientScale^2 sums / count + 1e-30). */
    public static void wMoments(
            IntArray c, int at, FloatArray floats, FloatArray sums, FloatArray v, int n, int share, int count) {
        int sums0 = c.get(at);
        int v0 = c.get(at + 1);
        float decay = floats.get(Cursor.SECOND_MOMENT_DECAY);
        float scale = floats.get(Cursor.GRADIENT_SCALE);
        for (@Parallel int block = 0; block < (n + share - 1) / share; block++) {
            int end = TornadoMath.min(n, (block + 1) * share);
            for (int i = block * share; i < end; i++) {
                float square = sums.get(sums0 + i) / count * scale * scale + 1e-30f;
                v.set(v0 + i, decay * v.get(v0 + i) + (1f - decay) * square);
            }
        }
    }

    /** mean[0] = that of x, by one work item: share is n. */
    public static void wMean(IntArray c, int at, FloatArray x, FloatArray mean, int n, int share) {
        int x0 = c.get(at);
        int mean0 = c.get(at + 1);
        for (@Parallel int part = 0; part < (n + share - 1) / share; part++) {
            float total = 0f;
            for (int block = part * share; block < (part + 1) * share; block += 256) {
                float sum = 0f;
                int end = TornadoMath.min((part + 1) * share, block + 256);
                for (int i = block; i < end; i++) {
                    sum += x.get(x0 + i);
                }
                total += sum;
            }
            mean.set(mean0 + part, total / share);
        }
    }

    /** g = gradientScale g / sqrt(r / mean) / sqrt(c), of the row and the column. */
    public static void wFactoredDirection(
            IntArray c,
            int at,
            FloatArray floats,
            FloatArray rowMoments,
            FloatArray columnMoments,
            FloatArray mean,
            FloatArray gradient,
            int n,
            int share,
            int columns) {
        int rows0 = c.get(at);
        int columns0 = c.get(at + 1);
        int gradient0 = c.get(at + 3);
        float all = mean.get(c.get(at + 2));
        float scale = floats.get(Cursor.GRADIENT_SCALE);
        for (@Parallel int block = 0; block < (n + share - 1) / share; block++) {
            int end = TornadoMath.min(n, (block + 1) * share);
            for (int i = block * share; i < end; i++) {
                int row = i / columns;
                float ofRow = TornadoMath.sqrt(rowMoments.get(rows0 + row) / all);
                float ofColumn = TornadoMath.sqrt(columnMoments.get(columns0 + i - row * columns));
                gradient.set(gradient0 + i, gradient.get(gradient0 + i) * scale / ofRow / ofColumn);
            }
        }
    }

    /** With b = secondMomentDecay: g *= gradientScale; v = b v + (1 - b) (g^2 + 1e-30); g = g / sqrt(v). */
    public static void wUnfactoredDirection(
            IntArray c, int at, FloatArray floats, FloatArray gradient, FloatArray v, int n, int share) {
        int gradient0 = c.get(at);
        int v0 = c.get(at + 1);
        float decay = floats.get(Cursor.SECOND_MOMENT_DECAY);
        float scale = floats.get(Cursor.GRADIENT_SCALE);
        for (@Parallel int block = 0; block < (n + share - 1) / share; block++) {
            int end = TornadoMath.min(n, (block + 1) * share);
            for (int i = block * share; i < end; i++) {
                float g = gradient.get(gradient0 + i) * scale;
                float newV = decay * v.get(v0 + i) + (1f - decay) * (g * g + 1e-30f);
                v.set(v0 + i, newV);
                gradient.set(gradient0 + i, g / TornadoMath.sqrt(newV));
            }
        }
    }
}
