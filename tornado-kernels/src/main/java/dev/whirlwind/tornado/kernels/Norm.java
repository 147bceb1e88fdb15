package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Layer norm (arXiv 1607.06450) and RMS norm (arXiv 1910.07467). Sums over rows are sixteen columns a work item, so that
 * what lies on a line of memory is read together.
 */
public final class Norm {
    private Norm() {}

    /** out = (x - mean) * rstd * weight + bias, rstd = 1 / sqrt(var + eps); two passes, so that var keeps its digits. */
    public static void wLayerNorm(
            IntArray c,
            int at,
            FloatArray x,
            FloatArray weight,
            FloatArray bias,
            FloatArray mean,
            FloatArray rstd,
            FloatArray out,
            int rows,
            int width,
            float eps) {
        int x0 = c.get(at);
        int weight0 = c.get(at + 1);
        int bias0 = c.get(at + 2);
        int mean0 = c.get(at + 3);
        int rstd0 = c.get(at + 4);
        int out0 = c.get(at + 5);
        for (@Parallel int r = 0; r < rows; r++) {
            int row = x0 + r * width;
            float sum = 0f;
            for (int i = 0; i < width; i++) {
                sum += x.get(row + i);
            }
            float m = sum / width;
            // What rounding left of the mean, which counts where the mean is near 0.
            float rest = 0f;
            for (int i = 0; i < width; i++) {
                rest += x.get(row + i) - m;
            }
            m += rest / width;
            float squares = 0f;
            for (int i = 0; i < width; i++) {
                float d = x.get(row + i) - m;
                squares += d * d;
            }
            float s = 1f / TornadoMath.sqrt(squares / width + eps);
            mean.set(mean0 + r, m);
            rstd.set(rstd0 + r, s);
            for (int i = 0; i < width; i++) {
                float n = (x.get(row + i) - m) * s;
                out.set(out0 + r * width + i, n * weight.get(weight0 + i) + bias.get(bias0 + i));
            }
        }
    }

    /** With n = (x - mean) * rstd, g = dout * weight: dx += rstd * (g - mean(g) - n * mean(g * n)). */
    public static void wLayerNormBackward(
            IntArray c,
            int at,
            FloatArray dout,
            FloatArray x,
            FloatArray mean,
            FloatArray rstd,
            FloatArray weight,
            FloatArray dx,
            int rows,
            int width) {
        int dout0 = c.get(at);
        int x0 = c.get(at + 1);
        int mean0 = c.get(at + 2);
        int rstd0 = c.get(at + 3);
        int weight0 = c.get(at + 4);
        int dx0 = c.get(at + 5);
        for (@Parallel int r = 0; r < rows; r++) {
            int row = r * width;
            float m = mean.get(mean0 + r);
            float s = rstd.get(rstd0 + r);
            float sum = 0f;
            float product = 0f;
            for (int i = 0; i < width; i++) {
                float g = dout.get(dout0 + row + i) * weight.get(weight0 + i);
                sum += g;
                product += g * (x.get(x0 + row + i) - m) * s;
            }
            float meanG = sum / width;
            float meanGn = product / width;
            for (int i = 0; i < width; i++) {
                float g = dout.get(dout0 + row + i) * weight.get(weight0 + i);
                float n = (x.get(x0 + row + i) - m) * s;
                dx.set(dx0 + row + i, dx.get(dx0 + row + i) + s * (g - meanG - n * meanGn));
            }
        }
    }

    /** dweight += the sum over rows of dout * n. */
    public static void wLayerNormWeightBackward(
            IntArray c,
            int at,
            FloatArray dout,
            FloatArray x,
            FloatArray mean,
            FloatArray rstd,
            FloatArray dweight,
            int rows,
            int width) {
        int dout0 = c.get(at);
        int x0 = c.get(at + 1);
        int mean0 = c.get(at + 2);
        int rstd0 = c.get(at + 3);
        int dweight0 = c.get(at + 4);
        for (@Parallel int block = 0; block < (width + 15) / 16; block++) {
            float[] sums = new float[16];
            for (int i = 0; i < 16; i++) {
                sums[i] = 0f;
            }
            int columns = TornadoMath.min(16, width - 16 * block);
            for (int r = 0; r < rows; r++) {
                int place = r * width + 16 * block;
                float m = mean.get(mean0 + r);
                float s = rstd.get(rstd0 + r);
                for (int i = 0; i < columns; i++) {
                    sums[i] += dout.get(dout0 + place + i) * (x.get(x0 + place + i) - m) * s;
                }
            }
            for (int i = 0; i < columns; i++) {
                int to = dweight0 + 16 * block + i;
                dweight.set(to, dweight.get(to) + sums[i]);
            }
        }
    }

    /** dbias += the sum over rows of dout; a linear layer's bias has the same gradient. */
    public static void wBiasBackward(IntArray c, int at, FloatArray dout, FloatArray dbias, int rows, int width) {
        int dout0 = c.get(at);
        int dbias0 = c.get(at + 1);
        for (@Parallel int block = 0; block < (width + 15) / 16; block++) {
            float[] sums = new float[16];
            for (int i = 0; i < 16; i++) {
                sums[i] = 0f;
            }
            int columns = TornadoMath.min(16, width - 16 * block);
            for (int r = 0; r < rows; r++) {
                int place = r * width + 16 * block;
                for (int i = 0; i < columns; i++) {
                    sums[i] += dout.get(dout0 + place + i);
                }
            }
            for (int i = 0; i < columns; i++) {
                int to = dbias0 + 16 * block + i;
                dbias.set(to, dbias.get(to) + sums[i]);
            }
        }
    }

    /** out = x * rstd * weight, rstd = 1 / sqrt(mean(x^2) + eps). */
    public static void wRmsNorm(
            IntArray c,
            int at,
            FloatArray x,
            FloatArray weight,
            FloatArray rstd,
            FloatArray out,
            int rows,
            int width,
            float eps) {
        int x0 = c.get(at);
        int weight0 = c.get(at + 1);
        int rstd0 = c.get(at + 2);
        int out0 = c.get(at + 3);
        for (@Parallel int r = 0; r < rows; r++) {
            int row = x0 + r * width;
            float squares = 0f;
            for (int i = 0; i < width; i++) {
                float v = x.get(row + i);
                squares += v * v;
            }
            float s = 1f / TornadoMath.sqrt(squares / width + eps);
            rstd.set(rstd0 + r, s);
            for (int i = 0; i < width; i++) {
                out.set(out0 + r * width + i, x.get(row + i) * s * weight.get(weight0 + i));
            }
        }
    }

    /** With n = x * rstd, g = dout * weight: dx += rstd * (g - n * mean(g * n)). */
    public static void wRmsNormBackward(
            IntArray c,
            int at,
            FloatArray dout,
            FloatArray x,
            FloatArray rstd,
            FloatArray weight,
            FloatArray dx,
            int rows,
            int width) {
        int dout0 = c.get(at);
        int x0 = c.get(at + 1);
        int rstd0 = c.get(at + 2);
        int weight0 = c.get(at + 3);
        int dx0 = c.get(at + 4);
        for (@Parallel int r = 0; r < rows; r++) {
            int row = r * width;
            float s = rstd.get(rstd0 + r);
            float product = 0f;
            for (int i = 0; i < width; i++) {
                product += dout.get(dout0 + row + i) * weight.get(weight0 + i) * x.get(x0 + row + i) * s;
            }
            float meanGn = product / width;
            for (int i = 0; i < width; i++) {
                float g = dout.get(dout0 + row + i) * weight.get(weight0 + i);
                float n = x.get(x0 + row + i) * s;
                dx.set(dx0 + row + i, dx.get(dx0 + row + i) + s * (g - n * meanGn));
            }
        }
    }

    /** dweight += the sum over rows of dout * n. */
    public static void wRmsNormWeightBackward(
            IntArray c,
            int at,
            FloatArray dout,
            FloatArray x,
            FloatArray rstd,
            FloatArray dweight,
            int rows,
            int width) {
        int dout0 = c.get(at);
        int x0 = c.get(at + 1);
        int rstd0 = c.get(at + 2);
        int dweight0 = c.get(at + 3);
        for (@Parallel int block = 0; block < (width + 15) / 16; block++) {
            float[] sums = new float[16];
            for (int i = 0; i < 16; i++) {
                sums[i] = 0f;
            }
            int columns = TornadoMath.min(16, width - 16 * block);
            for (int r = 0; r < rows; r++) {
                int place = r * width + 16 * block;
                float s = rstd.get(rstd0 + r);
                for (int i = 0; i < columns; i++) {
                    sums[i] += dout.get(dout0 + place + i) * x.get(x0 + place + i) * s;
                }
            }
            for (int i = 0; i < columns; i++) {
                int to = dweight0 + 16 * block + i;
                dweight.set(to, dweight.get(to) + sums[i]);
            }
        }
    }
}
