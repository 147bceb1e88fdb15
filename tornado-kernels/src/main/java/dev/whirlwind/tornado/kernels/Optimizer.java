package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** AdamW (arXiv 1711.05101) and the gradient's norm. */
public final class Optimizer {
    private Optimizer() {}

    /** g *= gradientScale; p *= 1 - lr decay; m, v; p -= lr / bias1 * m / (sqrt(v / bias2) + eps); g = 0. */
    public static void wAdamW(
            IntArray c,
            int at,
            FloatArray floats,
            FloatArray parameter,
            FloatArray gradient,
            FloatArray m,
            FloatArray v,
            int n,
            int share,
            float beta1,
            float beta2,
            float eps,
            float weightDecay) {
        int parameter0 = c.get(at);
        int gradient0 = c.get(at + 1);
        int m0 = c.get(at + 2);
        int v0 = c.get(at + 3);
        float learningRate = floats.get(Cursor.LEARNING_RATE);
        float bias1 = floats.get(Cursor.BIAS_CORRECTION_1);
        float bias2 = floats.get(Cursor.BIAS_CORRECTION_2);
        float scale = floats.get(Cursor.GRADIENT_SCALE);
        for (@Parallel int block = 0; block < (n + share - 1) / share; block++) {
            int end = TornadoMath.min(n, (block + 1) * share);
            for (int i = block * share; i < end; i++) {
                float g = gradient.get(gradient0 + i) * scale;
                float newM = beta1 * m.get(m0 + i) + (1f - beta1) * g;
                float newV = beta2 * v.get(v0 + i) + (1f - beta2) * g * g;
                float step = learningRate / bias1 * newM / (TornadoMath.sqrt(newV / bias2) + eps);
                float p = parameter.get(parameter0 + i);
                parameter.set(parameter0 + i, p - p * (learningRate * weightDecay) - step);
                m.set(m0 + i, newM);
                v.set(v0 + i, newV);
                gradient.set(gradient0 + i, 0f);
            }
        }
    }

    /** partials[p] = the sum of squares of a stretch of x, summed in blocks so that float keeps its digits. */
    public static void wSumOfSquares(
            IntArray c, int at, FloatArray x, FloatArray partials, int n, int parts, int stretch) {
        int x0 = c.get(at);
        int partials0 = c.get(at + 1);
        for (@Parallel int p = 0; p < parts; p++) {
            float total = 0f;
            int end = TornadoMath.min(n, (p + 1) * stretch);
            for (int block = p * stretch; block < end; block += 256) {
                float sum = 0f;
                float sum1 = 0f;
                float sum2 = 0f;
                float sum3 = 0f;
                int last = TornadoMath.min(end, block + 256);
                int i = block;
                // Four sums, as an addition waits for the one before it.
                for (; i + 3 < last; i += 4) {
                    float value = x.get(x0 + i);
                    float value1 = x.get(x0 + i + 1);
                    float value2 = x.get(x0 + i + 2);
                    float value3 = x.get(x0 + i + 3);
                    sum += value * value;
                    sum1 += value1 * value1;
                    sum2 += value2 * value2;
                    sum3 += value3 * value3;
                }
                for (; i < last; i++) {
                    float value = x.get(x0 + i);
                    sum += value * value;
                }
                total += sum + sum1 + (sum2 + sum3);
            }
            partials.set(partials0 + p, total);
        }
    }
}
