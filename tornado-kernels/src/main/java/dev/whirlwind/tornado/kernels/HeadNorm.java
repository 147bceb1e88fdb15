package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** RMS norm of every query and key head of a row of qkv (Qwen3, arXiv 2505.09388); values pass. */
public final class HeadNorm {
    private HeadNorm() {}

    /** As {@link Norm#wRmsNorm}, a head for a row. */
    public static void wHeadNorm(
            IntArray c,
            int at,
            FloatArray x,
            FloatArray queryWeight,
            FloatArray keyWeight,
            FloatArray rstd,
            FloatArray out,
            int rows,
            int heads,
            int kvHeads,
            int headDim,
            float eps) {
        int x0 = c.get(at);
        int query0 = c.get(at + 1);
        int key0 = c.get(at + 2);
        int rstd0 = c.get(at + 3);
        int out0 = c.get(at + 4);
        for (@Parallel int r = 0; r < rows; r++) {
            for (@Parallel int h = 0; h < heads + 2 * kvHeads; h++) {
                int head = (r * (heads + 2 * kvHeads) + h) * headDim;
                if (h < heads + kvHeads) {
                    float squares = 0f;
                    for (int i = 0; i < headDim; i++) {
                        float v = x.get(x0 + head + i);
                        squares += v * v;
                    }
                    float s = 1f / TornadoMath.sqrt(squares / headDim + eps);
                    rstd.set(rstd0 + r * (heads + kvHeads) + h, s);
                    for (int i = 0; i < headDim; i++) {
                        float w = h < heads ? queryWeight.get(query0 + i) : keyWeight.get(key0 + i);
                        out.set(out0 + head + i, x.get(x0 + head + i) * s * w);
                    }
                } else {
                    for (int i = 0; i < headDim; i++) {
                        out.set(out0 + head + i, x.get(x0 + head + i));
                    }
                }
            }
        }
    }

    /** With n = x * rstd, g = dout * weight: dx = rstd * (g - n * mean(g * n)); dx may be dout. */
    public static void wHeadNormBackward(
            IntArray c,
            int at,
            FloatArray dout,
            FloatArray x,
            FloatArray rstd,
            FloatArray queryWeight,
            FloatArray keyWeight,
            FloatArray dx,
            int rows,
            int heads,
            int kvHeads,
            int headDim) {
        int dout0 = c.get(at);
        int x0 = c.get(at + 1);
        int rstd0 = c.get(at + 2);
        int query0 = c.get(at + 3);
        int key0 = c.get(at + 4);
        int dx0 = c.get(at + 5);
        for (@Parallel int r = 0; r < rows; r++) {
            for (@Parallel int h = 0; h < heads + 2 * kvHeads; h++) {
                int head = (r * (heads + 2 * kvHeads) + h) * headDim;
                if (h < heads + kvHeads) {
                    float s = rstd.get(rstd0 + r * (heads + kvHeads) + h);
                    float product = 0f;
                    for (int i = 0; i < headDim; i++) {
                        float w = h < heads ? queryWeight.get(query0 + i) : keyWeight.get(key0 + i);
                        product += dout.get(dout0 + head + i) * w * x.get(x0 + head + i) * s;
                    }
                    float meanGn = product / headDim;
                    for (int i = 0; i < headDim; i++) {
                        float w = h < heads ? queryWeight.get(query0 + i) : keyWeight.get(key0 + i);
                        float g = dout.get(dout0 + head + i) * w;
                        dx.set(dx0 + head + i, s * (g - x.get(x0 + head + i) * s * meanGn));
                    }
                } else {
                    for (int i = 0; i < headDim; i++) {
                        dx.set(dx0 + head + i, dout.get(dout0 + head + i));
                    }
                }
            }
        }
    }

    /** dweight += the sum of dout * n over all rows and the heads {@code first} to {@code first + count - 1}. */
    public static void wHeadNormWeightBackward(
            IntArray c,
            int at,
            FloatArray dout,
            FloatArray x,
            FloatArray rstd,
            FloatArray dweight,
            int rows,
            int first,
            int count,
            int headDim,
            int qkvWidth,
            int normedHeads) {
        int dout0 = c.get(at);
        int x0 = c.get(at + 1);
        int rstd0 = c.get(at + 2);
        int dweight0 = c.get(at + 3);
        for (@Parallel int i = 0; i < headDim; i++) {
            float sum = 0f;
            for (int r = 0; r < rows; r++) {
                for (int h = first; h < first + count; h++) {
                    int place = r * qkvWidth + h * headDim + i;
                    float n = x.get(x0 + place) * rstd.get(rstd0 + r * normedHeads + h);
                    sum += dout.get(dout0 + place) * n;
                }
            }
            dweight.set(dweight0 + i, dweight.get(dweight0 + i) + sum);
        }
    }
}
