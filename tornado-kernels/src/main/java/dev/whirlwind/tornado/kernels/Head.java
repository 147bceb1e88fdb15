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

    /**
     * {@link dev.whirlwind.model.Objective}: losses are nll, then from {@code allRows} on the objective's values; the logits
     * become its gradient * lossScale. Teacher's logits lie as those do, and are the same array's where there is no teacher.
     */
    public static void wObjective(
            IntArray c,
            int at,
            IntArray targets,
            FloatArray floats,
            FloatArray teacher,
            FloatArray losses,
            FloatArray logits,
            int rows,
            int allRows,
            int vocabulary,
            float labelSmoothing,
            float zLoss,
            float distillation,
            float temperature) {
        int losses0 = c.get(at);
        int teacher0 = c.get(at + 1);
        int logits0 = c.get(at + 2);
        int firstRow = c.get(Cursor.FIRST_ROW);
        float lossScale = floats.get(Cursor.LOSS_SCALE);
        for (@Parallel int r = 0; r < rows; r++) {
            int row = logits0 + r * vocabulary;
            int taught = teacher0 + r * vocabulary;
            int target = targets.get(firstRow + r);
            float loss = 0f;
            float value = 0f;
            if (target >= 0) {
                float max = wMax(logits, row, vocabulary);
                float sum = wSumOfExp(logits, row, vocabulary, max);
                float lse = TornadoMath.log(sum) + max;
                loss = lse - logits.get(row + target);
                value = (1f - labelSmoothing) * loss;
                if (labelSmoothing > 0f) {
                    value += labelSmoothing * (lse - wSum(logits, row, vocabulary) / vocabulary);
                }
                value = (1f - distillation) * value + zLoss * lse * lse;
                float each = (1f - distillation) * labelSmoothing / vocabulary;
                float factor = (1f - distillation + 2f * zLoss * lse) / sum;
                float softLog = 0f;
                float teacherMax = 0f;
                float teacherLog = 0f;
                if (distillation > 0f) {
                    softLog = TornadoMath.log(wSoftSum(logits, row, vocabulary, max, temperature));
                    teacherMax = wMax(teacher, taught, vocabulary);
                    teacherLog = TornadoMath.log(wSoftSum(teacher, taught, vocabulary, teacherMax, temperature));
                }
                float divergence = 0f;
                for (int i = 0; i < vocabulary; i++) {
                    float v = logits.get(row + i);
                    float d = TornadoMath.exp(v - max) * factor - each;
                    if (distillation > 0f) {
                        float logP = (v - max) / temperature - softLog;
                        float logQ = (teacher.get(taught + i) - teacherMax) / temperature - teacherLog;
                        float q = TornadoMath.exp(logQ);
                        divergence += q * (logQ - logP);
                        d += distillation * temperature * (TornadoMath.exp(logP) - q);
                    }
                    logits.set(row + i, d * lossScale);
                }
                value += distillation * temperature * temperature * divergence;
                float right = (1f - distillation) * (1f - labelSmoothing) * lossScale;
                logits.set(row + target, logits.get(row + target) - right);
            } else {
                for (int i = 0; i < vocabulary; i++) {
                    logits.set(row + i, 0f);
                }
            }
            losses.set(losses0 + r, loss);
            losses.set(losses0 + allRows + r, value);
        }
    }

    /**
     * {@link dev.whirlwind.model.Objective.Kept}: the teacher's logits are T log q of the tokens that were kept; of all others
     * those of the model, shifted such that their probabilities come to that of the rest, the last of each row.
     */
    public static void wKeptTeacher(
            IntArray c,
            int at,
            IntArray tokens,
            FloatArray probabilities,
            FloatArray logits,
            FloatArray teacher,
            int rows,
            int vocabulary,
            int top,
            float temperature) {
        int logits0 = c.get(at);
        int teacher0 = c.get(at + 1);
        for (@Parallel int r = 0; r < rows; r++) {
            int row = logits0 + r * vocabulary;
            int taught = teacher0 + r * vocabulary;
            for (int i = 0; i < vocabulary; i++) {
                teacher.set(taught + i, logits.get(row + i));
            }
            for (int j = 0; j < top; j++) {
                teacher.set(taught + tokens.get(r * top + j), -1e30f);
            }
            float max = wMax(teacher, taught, vocabulary);
            float rest = TornadoMath.max(1e-37f, probabilities.get(r * (top + 1) + top));
            float sum = wSoftSum(teacher, taught, vocabulary, max, temperature);
            float shift = temperature * (TornadoMath.log(rest) - TornadoMath.log(sum)) - max;
            for (int i = 0; i < vocabulary; i++) {
                teacher.set(taught + i, teacher.get(taught + i) + shift);
            }
            for (int j = 0; j < top; j++) {
                float q = TornadoMath.max(1e-37f, probabilities.get(r * (top + 1) + j));
                teacher.set(taught + tokens.get(r * top + j), temperature * TornadoMath.log(q));
            }
        }
    }

    private static float wSum(FloatArray x, int x0, int n) {
        float total = 0f;
        for (int block = 0; block < n; block += 512) {
            float sum = 0f;
            int end = TornadoMath.min(n, block + 512);
            for (int i = block; i < end; i++) {
                sum += x.get(x0 + i);
            }
            total += sum;
        }
        return total;
    }

    /** Of exp((x - max) / temperature). */
    private static float wSoftSum(FloatArray x, int x0, int n, float max, float temperature) {
        float total = 0f;
        for (int block = 0; block < n; block += 512) {
            float sum = 0f;
            int end = TornadoMath.min(n, block + 512);
            for (int i = block; i < end; i++) {
                sum += TornadoMath.exp((x.get(x0 + i) - max) / temperature);
            }
            total += sum;
        }
        return total;
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
