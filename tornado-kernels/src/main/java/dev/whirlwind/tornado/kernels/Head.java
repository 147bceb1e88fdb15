package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** Cross-entropy of a chunk of rows whose logits lie in scratch memory; the products around it are {@link Gemm}. */
public final class Head {
    private Head() {}

    /** nll = log(sum(exp(logits))) - logits[target], 0 where the target is negative. */
    public static void wNll(
            IntArray c, int at, IntArray targets, FloatArray logits, FloatArray nll, int rows, int vocabulary) {
        int logits0 = c.get(at);
        int nll0 = c.get(at + 1);
        int firstRow = c.get(Cursor.FIRST_ROW);
        for (@Parallel int r = 0; r < rows; r++) {
            int row = logits0 + r * vocabulary;
            int target = targets.get(firstRow + r);
            float loss = 0f;
            if (target >= 0) {
                float max = wMax(logits, row, vocabulary);
                float sum = wSumOfExp(logits, row, vocabulary, max);
                loss = TornadoMath.log(sum) + max - logits.get(row + target);
            }
            nll.set(nll0 + r, loss);
        }
    }

    /** The same, and the logits become their gradients: (softmax - onehot) * lossScale, 0 where nothing is predicted. */
    public static void wNllBackward(
            IntArray c,
            int at,
            IntArray targets,
            FloatArray floats,
            FloatArray nll,
            FloatArray logits,
            int rows,
            int vocabulary) {
        int nll0 = c.get(at);
        int logits0 = c.get(at + 1);
        int firstRow = c.get(Cursor.FIRST_ROW);
        float lossScale = floats.get(Cursor.LOSS_SCALE);
        for (@Parallel int r = 0; r < rows; r++) {
            int row = logits0 + r * vocabulary;
            int target = targets.get(firstRow + r);
            float loss = 0f;
            if (target >= 0) {
                float max = wMax(logits, row, vocabulary);
                float right = logits.get(row + target);
                float sum = 0f;
                for (int block = 0; block < vocabulary; block += 512) {
                    float blockSum = 0f;
                    int end = TornadoMath.min(vocabulary, block + 512);
                    for (int i = block; i < end; i++) {
                        float e = TornadoMath.exp(logits.get(row + i) - max);
                        logits.set(row + i, e);
                        blockSum += e;
                    }
                    sum += blockSum;
                }
                loss = TornadoMath.log(sum) + max - right;
                float factor = lossScale / sum;
                for (int i = 0; i < vocabulary; i++) {
                    logits.set(row + i, logits.get(row + i) * factor);
                }
                logits.set(row + target, logits.get(row + target) - lossScale);
            } else {
                for (int i = 0; i < vocabulary; i++) {
                    logits.set(row + i, 0f);
                }
            }
            nll.set(nll0 + r, loss);
        }
    }

    private static float wMax(FloatArray x, int x0, int n) {
        float max = x.get(x0);
        for (int i = 1; i < n; i++) {
            max = TornadoMath.max(max, x.get(x0 + i));
        }
        return max;
    }

    /** In blocks, so that small terms are not lost beside a large sum. */
    private static float wSumOfExp(FloatArray x, int x0, int n, float max) {
        float total = 0f;
        for (int block = 0; block < n; block += 512) {
            float sum = 0f;
            int end = TornadoMath.min(n, block + 512);
            for (int i = block; i < end; i++) {
                sum += TornadoMath.exp(x.get(x0 + i) - max);
            }
            total += sum;
        }
        return total;
    }
}
