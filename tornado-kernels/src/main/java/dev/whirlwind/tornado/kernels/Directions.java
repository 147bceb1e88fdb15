package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** Lion (arXiv 2302.06675), Muon's momentum, and what optimizers make of a direction: lengths, weighted sums, steps. */
public final class Directions {
    private Directions() {}

    /** g *= gradientScale; p *= 1 - lr decay; p -= lr sign(beta1 m + (1 - beta1) g); m = beta2 m + (1 - beta2) g; g = 0. */
    public static void wLion(
            IntArray c,
            int at,
            FloatArray floats,
            FloatArray parameter,
            FloatArray gradient,
            FloatArray m,
            int n,
            int share,
            float beta1,
            float beta2,
            float weightDecay) {
        int parameter0 = c.get(at);
        int gradient0 = c.get(at + 1);
        int m0 = c.get(at + 2);
        float learningRate = floats.get(Cursor.LEARNING_RATE);
        float scale = floats.get(Cursor.GRADIENT_SCALE);
        for (@Parallel int block = 0; block < (n + share - 1) / share; block++) {
            int end = TornadoMath.min(n, (block + 1) * share);
            for (int i = block * share; i < end; i++) {
                float g = gradient.get(gradient0 + i) * scale;
                float oldM = m.get(m0 + i);
                float direction = beta1 * oldM + (1f - beta1) * g;
                float step = 0f;
                if (direction > 0f) {
                    step = learningRate;
                }
                if (direction < 0f) {
                    step = -learningRate;
                }
                float p = parameter.get(parameter0 + i);
                parameter.set(parameter0 + i, p - p * (learningRate * weightDecay) - step);
                m.set(m0 + i, beta2 * oldM + (1f - beta2) * g);
                gradient.set(gradient0 + i, 0f);
            }
        }
    }

    /** g *= gradientScale; m = momentum m + (1 - momentum) g; g = momentum m + (1 - momentum) g. */
    public static void wMomentum(
            IntArray c,
            int at,
            FloatArray floats,
            FloatArray gradient,
            FloatArray m,
            int n,
            int share,
            float momentum) {
        int gradient0 = c.get(at);
        int m0 = c.get(at + 1);
        float scale = floats.get(Cursor.GRADIENT_SCALE) * (1f - momentum);
        for (@Parallel int block = 0; block < (n + share - 1) / share; block++) {
            int end = TornadoMath.min(n, (block + 1) * share);
            for (int i = block * share; i < end; i++) {
                float g = gradient.get(gradient0 + i) * scale;
                float newM = momentum * m.get(m0 + i) + g;
                m.set(m0 + i, newM);
                gradient.set(gradient0 + i, momentum * newM + g);
            }
        }
    }

    /** factor[0] = 1 / max(least, scale sqrt(sum of partials)), by one work item: share is n. */
    public static void wFactorOfNorm(
            IntArray c, int at, FloatArray partials, FloatArray factor, int n, int share, float least, float scale) {
        int partials0 = c.get(at);
        int factor0 = c.get(at + 1);
        for (@Parallel int block = 0; block < (n + share - 1) / share; block++) {
            float sum = 0f;
            for (int i = block * share; i < (block + 1) * share; i++) {
                sum += partials.get(partials0 + i);
            }
            factor.set(factor0 + block, 1f / TornadoMath.max(least, scale * TornadoMath.sqrt(sum)));
        }
    }

    /** x *= factor[0]. */
    public static void wScale(IntArray c, int at, FloatArray factor, FloatArray x, int n, int share) {
        int factor0 = c.get(at);
        int x0 = c.get(at + 1);
        float by = factor.get(factor0);
        for (@Parallel int block = 0; block < (n + share - 1) / share; block++) {
            int end = TornadoMath.min(n, (block + 1) * share);
            for (int i = block * share; i < end; i++) {
                x.set(x0 + i, x.get(x0 + i) * by);
            }
        }
    }

    /** x *= sqrt(numerators / denominators), of its row or else of its column. */
    public static void wScaleByRoots(
            IntArray c,
            int at,
            FloatArray numerators,
            FloatArray denominators,
            FloatArray x,
            int n,
            int share,
            int columns,
            int ofRows) {
        int numerators0 = c.get(at);
        int denominators0 = c.get(at + 1);
        int x0 = c.get(at + 2);
        for (@Parallel int block = 0; block < (n + share - 1) / share; block++) {
            int end = TornadoMath.min(n, (block + 1) * share);
            for (int i = block * share; i < end; i++) {
                int row = i / columns;
                int channel = ofRows * row + (1 - ofRows) * (i - row * columns);
                float ratio = numerators.get(numerators0 + channel) / denominators.get(denominators0 + channel);
                x.set(x0 + i, x.get(x0 + i) * TornadoMath.sqrt(ratio));
            }
        }
    }

    /** p -= lr (factor direction + weightDecay p). */
    public static void wDescend(
            IntArray c,
            int at,
            FloatArray floats,
            FloatArray direction,
            FloatArray parameter,
            int n,
            int share,
            float factor,
            float weightDecay) {
        int direction0 = c.get(at);
        int parameter0 = c.get(at + 1);
        float learningRate = floats.get(Cursor.LEARNING_RATE);
        for (@Parallel int block = 0; block < (n + share - 1) / share; block++) {
            int end = TornadoMath.min(n, (block + 1) * share);
            for (int i = block * share; i < end; i++) {
                float p = parameter.get(parameter0 + i);
                float step = factor * direction.get(direction0 + i) + weightDecay * p;
                parameter.set(parameter0 + i, p - learningRate * step);
            }
        }
    }

    /** gradient += strength importance (parameter - start). */
    public static void wPull(
            IntArray c,
            int at,
            FloatArray importance,
            FloatArray parameter,
            FloatArray start,
            FloatArray gradient,
            int n,
            int share,
            float strength) {
        int importance0 = c.get(at);
        int parameter0 = c.get(at + 1);
        int start0 = c.get(at + 2);
        int gradient0 = c.get(at + 3);
        for (@Parallel int block = 0; block < (n + share - 1) / share; block++) {
            int end = TornadoMath.min(n, (block + 1) * share);
            for (int i = block * share; i < end; i++) {
                float distance = parameter.get(parameter0 + i) - start.get(start0 + i);
                float pull = strength * importance.get(importance0 + i) * distance;
                gradient.set(gradient0 + i, gradient.get(gradient0 + i) + pull);
            }
        }
    }

    /** out = a x + b y. */
    public static void wCombine(
            IntArray c, int at, FloatArray x, FloatArray y, FloatArray out, int n, int share, float a, float b) {
        int x0 = c.get(at);
        int y0 = c.get(at + 1);
        int out0 = c.get(at + 2);
        for (@Parallel int block = 0; block < (n + share - 1) / share; block++) {
            int end = TornadoMath.min(n, (block + 1) * share);
            for (int i = block * share; i < end; i++) {
                out.set(out0 + i, a * x.get(x0 + i) + b * y.get(y0 + i));
            }
        }
    }
}
