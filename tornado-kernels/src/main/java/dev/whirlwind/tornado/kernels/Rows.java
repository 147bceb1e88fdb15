package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Norms and the head's loss for GPUs: a group of {@link #ITEMS} work items owns a row. Neighbours read neighbours, and what
 * a row needs of itself is added up in local memory, as a tree (the loops are written out in each kernel since TornadoVM
 * addresses local memory wrongly in a helper). The formulas are those of {@link Norm} and {@link Head}.
 */
public final class Rows {
    public static final int ITEMS = 256;

    /** Of a group that owns one head of a row. */
    public static final int HEAD_ITEMS = 64;

    private Rows() {}

    /** {@link Norm#wLayerNorm}. */
    public static void wLayerNormRows(
            IntArray c,
            int at,
            KernelContext context,
            FloatArray x,
            FloatArray weight,
            FloatArray bias,
            FloatArray mean,
            FloatArray rstd,
            FloatArray out,
            int width,
            float eps) {
        float[] sums = context.allocateFloatLocalArray(256);
        int item = context.localIdx;
        int r = context.groupIdx;
        int row = c.get(at) + r * width;
        float sum = 0f;
        for (int i = item; i < width; i += 256) {
            sum += x.get(row + i);
        }
        sums[item] = sum;
        for (int half = 128; half > 0; half = half / 2) {
            context.localBarrier();
            if (item < half) {
                sums[item] += sums[item + half];
            }
        }
        context.localBarrier();
        float m = sums[0] / width;
        context.localBarrier();
        float squares = 0f;
        for (int i = item; i < width; i += 256) {
            float d = x.get(row + i) - m;
            squares += d * d;
        }
        sums[item] = squares;
        for (int half = 128; half > 0; half = half / 2) {
            context.localBarrier();
            if (item < half) {
                sums[item] += sums[item + half];
            }
        }
        context.localBarrier();
        float s = 1f / TornadoMath.sqrt(sums[0] / width + eps);
        if (item == 0) {
            mean.set(c.get(at + 3) + r, m);
            rstd.set(c.get(at + 4) + r, s);
        }
        for (int i = item; i < width; i += 256) {
            float n = (x.get(row + i) - m) * s;
            out.set(c.get(at + 5) + r * width + i, n * weight.get(c.get(at + 1) + i) + bias.get(c.get(at + 2) + i));
        }
    }

    /** {@link Norm#wLayerNormBackward}. */
    public static void wLayerNormBackwardRows(
            IntArray c,
            int at,
            KernelContext context,
            FloatArray dout,
            FloatArray x,
            FloatArray mean,
            FloatArray rstd,
            FloatArray weight,
            FloatArray dx,
            int width) {
        float[] sums = context.allocateFloatLocalArray(256);
        float[] products = context.allocateFloatLocalArray(256);
        int item = context.localIdx;
        int r = context.groupIdx;
        int dout0 = c.get(at) + r * width;
        int x0 = c.get(at + 1) + r * width;
        float m = mean.get(c.get(at + 2) + r);
        float s = rstd.get(c.get(at + 3) + r);
        int weight0 = c.get(at + 4);
        int dx0 = c.get(at + 5) + r * width;
        float sum = 0f;
        float product = 0f;
        for (int i = item; i < width; i += 256) {
            float g = dout.get(dout0 + i) * weight.get(weight0 + i);
            sum += g;
            product += g * (x.get(x0 + i) - m) * s;
        }
        sums[item] = sum;
        products[item] = product;
        for (int half = 128; half > 0; half = half / 2) {
            context.localBarrier();
            if (item < half) {
                sums[item] += sums[item + half];
                products[item] += products[item + half];
            }
        }
        context.localBarrier();
        float meanG = sums[0] / width;
        float meanGn = products[0] / width;
        for (int i = item; i < width; i += 256) {
            float g = dout.get(dout0 + i) * weight.get(weight0 + i);
            float n = (x.get(x0 + i) - m) * s;
            dx.set(dx0 + i, dx.get(dx0 + i) + s * (g - meanG - n * meanGn));
        }
    }

    /** {@link Norm#wRmsNorm}. */
    public static void wRmsNormRows(
            IntArray c,
            int at,
            KernelContext context,
            FloatArray x,
            FloatArray weight,
            FloatArray rstd,
            FloatArray out,
            int width,
            float eps) {
        float[] sums = context.allocateFloatLocalArray(256);
        int item = context.localIdx;
        int r = context.groupIdx;
        int row = c.get(at) + r * width;
        float squares = 0f;
        for (int i = item; i < width; i += 256) {
            float v = x.get(row + i);
            squares += v * v;
        }
        sums[item] = squares;
        for (int half = 128; half > 0; half = half / 2) {
            context.localBarrier();
            if (item < half) {
                sums[item] += sums[item + half];
            }
        }
        context.localBarrier();
        float s = 1f / TornadoMath.sqrt(sums[0] / width + eps);
        if (item == 0) {
            rstd.set(c.get(at + 2) + r, s);
        }
        for (int i = item; i < width; i += 256) {
            out.set(c.get(at + 3) + r * width + i, x.get(row + i) * s * weight.get(c.get(at + 1) + i));
        }
    }

    /** {@link Norm#wRmsNormBackward}. */
    public static void wRmsNormBackwardRows(
            IntArray c,
            int at,
            KernelContext context,
            FloatArray dout,
            FloatArray x,
            FloatArray rstd,
            FloatArray weight,
            FloatArray dx,
            int width) {
        float[] products = context.allocateFloatLocalArray(256);
        int item = context.localIdx;
        int r = context.groupIdx;
        int dout0 = c.get(at) + r * width;
        int x0 = c.get(at + 1) + r * width;
        float s = rstd.get(c.get(at + 2) + r);
        int weight0 = c.get(at + 3);
        int dx0 = c.get(at + 4) + r * width;
        float product = 0f;
        for (int i = item; i < width; i += 256) {
            product += dout.get(dout0 + i) * weight.get(weight0 + i) * x.get(x0 + i) * s;
        }
        products[item] = product;
        for (int half = 128; half > 0; half = half / 2) {
            context.localBarrier();
            if (item < half) {
                products[item] += products[item + half];
            }
        }
        context.localBarrier();
        float meanGn = products[0] / width;
        for (int i = item; i < width; i += 256) {
            float g = dout.get(dout0 + i) * weight.get(weight0 + i);
            float n = x.get(x0 + i) * s;
            dx.set(dx0 + i, dx.get(dx0 + i) + s * (g - n * meanGn));
        }
    }

    /** {@link Head#wNll}, the largest logit and the sum of exponentials in one pass (arXiv 1805.02867). */
    public static void wNllRows(
            IntArray c,
            int at,
            KernelContext context,
            IntArray targets,
            FloatArray logits,
            FloatArray nll,
            int vocabulary) {
        float[] maxima = context.allocateFloatLocalArray(256);
        float[] sums = context.allocateFloatLocalArray(256);
        int item = context.localIdx;
        int r = context.groupIdx;
        int row = c.get(at) + r * vocabulary;
        int target = targets.get(c.get(Cursor.FIRST_ROW) + r);
        float max = -1e30f;
        float sum = 0f;
        for (int i = item; i < vocabulary; i += 256) {
            float v = logits.get(row + i);
            float most = TornadoMath.max(max, v);
            sum = sum * TornadoMath.exp(max - most) + TornadoMath.exp(v - most);
            max = most;
        }
        maxima[item] = max;
        sums[item] = sum;
        for (int half = 128; half > 0; half = half / 2) {
            context.localBarrier();
            if (item < half) {
                float most = TornadoMath.max(maxima[item], maxima[item + half]);
                sums[item] = sums[item] * TornadoMath.exp(maxima[item] - most)
                        + sums[item + half] * TornadoMath.exp(maxima[item + half] - most);
                maxima[item] = most;
            }
        }
        if (item == 0) {
            float loss = 0f;
            if (target >= 0) {
                loss = TornadoMath.log(sums[0]) + maxima[0] - logits.get(row + target);
            }
            nll.set(c.get(at + 1) + r, loss);
        }
    }

    /** {@link Head#wNllBackward}: reads the logits twice, and writes them once. */
    public static void wNllBackwardRows(
            IntArray c,
            int at,
            KernelContext context,
            IntArray targets,
            FloatArray floats,
            FloatArray nll,
            FloatArray logits,
            int vocabulary) {
        float[] maxima = context.allocateFloatLocalArray(256);
        float[] sums = context.allocateFloatLocalArray(256);
        int item = context.localIdx;
        int r = context.groupIdx;
        int row = c.get(at + 1) + r * vocabulary;
        int target = targets.get(c.get(Cursor.FIRST_ROW) + r);
        float lossScale = floats.get(Cursor.LOSS_SCALE);
        float max = -1e30f;
        float sum = 0f;
        for (int i = item; i < vocabulary; i += 256) {
            float v = logits.get(row + i);
            float most = TornadoMath.max(max, v);
            sum = sum * TornadoMath.exp(max - most) + TornadoMath.exp(v - most);
            max = most;
        }
        maxima[item] = max;
        sums[item] = sum;
        for (int half = 128; half > 0; half = half / 2) {
            context.localBarrier();
            if (item < half) {
                float most = TornadoMath.max(maxima[item], maxima[item + half]);
                sums[item] = sums[item] * TornadoMath.exp(maxima[item] - most)
                        + sums[item + half] * TornadoMath.exp(maxima[item + half] - most);
                maxima[item] = most;
            }
        }
        context.localBarrier();
        float all = sums[0];
        float most = maxima[0];
        if (item == 0) {
            float loss = 0f;
            if (target >= 0) {
                loss = TornadoMath.log(all) + most - logits.get(row + target);
            }
            nll.set(c.get(at) + r, loss);
        }
        context.globalBarrier();
        float factor = target >= 0 ? lossScale / all : 0f;
        for (int i = item; i < vocabulary; i += 256) {
            float p = TornadoMath.exp(logits.get(row + i) - most) * factor;
            if (i == target) {
                p -= lossScale;
            }
            logits.set(row + i, p);
        }
    }

    /** {@link Head#wKeptTeacher}: a work item has every 256th token, and of those that were kept, too. */
    public static void wKeptTeacherRows(
            IntArray c,
            int at,
            KernelContext context,
            IntArray tokens,
            FloatArray probabilities,
            FloatArray logits,
            FloatArray teacher,
            int vocabulary,
            int top,
            float temperature) {
        float[] parts = context.allocateFloatLocalArray(256);
        int item = context.localIdx;
        int r = context.groupIdx;
        int row = c.get(at) + r * vocabulary;
        int taught = c.get(at + 1) + r * vocabulary;
        for (int i = item; i < vocabulary; i += 256) {
            teacher.set(taught + i, logits.get(row + i));
        }
        context.globalBarrier();
        for (int j = item; j < top; j += 256) {
            teacher.set(taught + tokens.get(r * top + j), -1e30f);
        }
        context.globalBarrier();
        float most = -1e30f;
        for (int i = item; i < vocabulary; i += 256) {
            most = TornadoMath.max(most, teacher.get(taught + i));
        }
        parts[item] = most;
        for (int half = 128; half > 0; half = half / 2) {
            context.localBarrier();
            if (item < half) {
                parts[item] = TornadoMath.max(parts[item], parts[item + half]);
            }
        }
        context.localBarrier();
        float max = parts[0];
        context.localBarrier();
        float sum = 0f;
        for (int i = item; i < vocabulary; i += 256) {
            sum += TornadoMath.exp((teacher.get(taught + i) - max) / temperature);
        }
        parts[item] = sum;
        for (int half = 128; half > 0; half = half / 2) {
            context.localBarrier();
            if (item < half) {
                parts[item] += parts[item + half];
            }
        }
        context.localBarrier();
        float rest = TornadoMath.max(1e-37f, probabilities.get(r * (top + 1) + top));
        float shift = temperature * (TornadoMath.log(rest) - TornadoMath.log(parts[0])) - max;
        for (int i = item; i < vocabulary; i += 256) {
            teacher.set(taught + i, teacher.get(taught + i) + shift);
        }
        context.globalBarrier();
        for (int j = item; j < top; j += 256) {
            float q = TornadoMath.max(1e-37f, probabilities.get(r * (top + 1) + j));
            teacher.set(taught + tokens.get(r * top + j), temperature * TornadoMath.log(q));
        }
    }

    /** {@link Head#wObjective}: the largest logits first, then the sums of exponentials, then the gradient. */
    public static void wObjectiveRows(
            IntArray c,
            int at,
            KernelContext context,
            IntArray targets,
            FloatArray floats,
            FloatArray teacher,
            FloatArray losses,
            FloatArray logits,
            int allRows,
            int vocabulary,
            float labelSmoothing,
            float zLoss,
            float distillation,
            float temperature) {
        float[] first = context.allocateFloatLocalArray(256);
        float[] second = context.allocateFloatLocalArray(256);
        float[] third = context.allocateFloatLocalArray(256);
        int item = context.localIdx;
        int r = context.groupIdx;
        int taught = c.get(at + 1) + r * vocabulary;
        int row = c.get(at + 2) + r * vocabulary;
        int target = targets.get(c.get(Cursor.FIRST_ROW) + r);
        float lossScale = target >= 0 ? floats.get(Cursor.LOSS_SCALE) : 0f;
        float most = -1e30f;
        float teacherMost = -1e30f;
        float plainSum = 0f;
        for (int i = item; i < vocabulary; i += 256) {
            float v = logits.get(row + i);
            most = TornadoMath.max(most, v);
            plainSum += v;
            if (distillation > 0f) {
                teacherMost = TornadoMath.max(teacherMost, teacher.get(taught + i));
            }
        }
        first[item] = most;
        second[item] = teacherMost;
        third[item] = plainSum;
        for (int half = 128; half > 0; half = half / 2) {
            context.localBarrier();
            if (item < half) {
                first[item] = TornadoMath.max(first[item], first[item + half]);
                second[item] = TornadoMath.max(second[item], second[item + half]);
                third[item] += third[item + half];
            }
        }
        context.localBarrier();
        float max = first[0];
        float teacherMax = second[0];
        float mean = third[0] / vocabulary;
        context.localBarrier();
        float sum = 0f;
        float softSum = 0f;
        float teacherSum = 0f;
        for (int i = item; i < vocabulary; i += 256) {
            float v = logits.get(row + i) - max;
            sum += TornadoMath.exp(v);
            if (distillation > 0f) {
                softSum += TornadoMath.exp(v / temperature);
                teacherSum += TornadoMath.exp((teacher.get(taught + i) - teacherMax) / temperature);
            }
        }
        first[item] = sum;
        second[item] = softSum;
        third[item] = teacherSum;
        for (int half = 128; half > 0; half = half / 2) {
            context.localBarrier();
            if (item < half) {
                first[item] += first[item + half];
                second[item] += second[item + half];
                third[item] += third[item + half];
            }
        }
        context.localBarrier();
        float lse = TornadoMath.log(first[0]) + max;
        float each = (1f - distillation) * labelSmoothing / vocabulary;
        float factor = (1f - distillation + 2f * zLoss * lse) / first[0];
        float softLog = 0f;
        float teacherLog = 0f;
        if (distillation > 0f) {
            softLog = TornadoMath.log(second[0]);
            teacherLog = TornadoMath.log(third[0]);
        }
        float loss = 0f;
        if (item == 0 && target >= 0) {
            loss = lse - logits.get(row + target);
        }
        context.globalBarrier();
        float divergence = 0f;
        for (int i = item; i < vocabulary; i += 256) {
            float v = logits.get(row + i) - max;
            float d = TornadoMath.exp(v) * factor - each;
            if (distillation > 0f) {
                float logP = v / temperature - softLog;
                float logQ = (teacher.get(taught + i) - teacherMax) / temperature - teacherLog;
                float q = TornadoMath.exp(logQ);
                divergence += q * (logQ - logP);
                d += distillation * temperature * (TornadoMath.exp(logP) - q);
            }
            if (i == target) {
                d -= (1f - distillation) * (1f - labelSmoothing);
            }
            logits.set(row + i, d * lossScale);
        }
        // The last barrier was one of global memory: first[0] may not have been read by all yet.
        context.localBarrier();
        first[item] = divergence;
        for (int half = 128; half > 0; half = half / 2) {
            context.localBarrier();
            if (item < half) {
                first[item] += first[item + half];
            }
        }
        if (item == 0) {
            float value = 0f;
            if (target >= 0) {
                value = (1f - distillation) * ((1f - labelSmoothing) * loss + labelSmoothing * (lse - mean))
                        + zLoss * lse * lse
                        + distillation * temperature * temperature * first[0];
            }
            losses.set(c.get(at) + r, loss);
            losses.set(c.get(at) + allRows + r, value);
        }
    }

    /** {@link HeadNorm#wHeadNorm}: a group of 64 work items owns a head of a row. */
    public static void wHeadNormRows(
            IntArray c,
            int at,
            KernelContext context,
            FloatArray x,
            FloatArray queryWeight,
            FloatArray keyWeight,
            FloatArray rstd,
            FloatArray out,
            int heads,
            int kvHeads,
            int headDim,
            float eps) {
        float[] sums = context.allocateFloatLocalArray(64);
        int item = context.localIdx;
        int r = context.groupIdx;
        int h = context.groupIdy;
        int head = (r * (heads + 2 * kvHeads) + h) * headDim;
        float squares = 0f;
        for (int i = item; i < headDim; i += 64) {
            float v = x.get(c.get(at) + head + i);
            squares += v * v;
        }
        sums[item] = squares;
        for (int half = 32; half > 0; half = half / 2) {
            context.localBarrier();
            if (item < half) {
                sums[item] += sums[item + half];
            }
        }
        context.localBarrier();
        float s = 1f / TornadoMath.sqrt(sums[0] / headDim + eps);
        if (item == 0 && h < heads + kvHeads) {
            rstd.set(c.get(at + 3) + r * (heads + kvHeads) + h, s);
        }
        for (int i = item; i < headDim; i += 64) {
            float v = x.get(c.get(at) + head + i);
            if (h < heads) {
                v *= s * queryWeight.get(c.get(at + 1) + i);
            } else if (h < heads + kvHeads) {
                v *= s * keyWeight.get(c.get(at + 2) + i);
            }
            out.set(c.get(at + 4) + head + i, v);
        }
    }

    /** {@link HeadNorm#wHeadNormBackward}, likewise. */
    public static void wHeadNormBackwardRows(
            IntArray c,
            int at,
            KernelContext context,
            FloatArray dout,
            FloatArray x,
            FloatArray rstd,
            FloatArray queryWeight,
            FloatArray keyWeight,
            FloatArray dx,
            int heads,
            int kvHeads,
            int headDim) {
        float[] products = context.allocateFloatLocalArray(64);
        int item = context.localIdx;
        int r = context.groupIdx;
        int h = context.groupIdy;
        int head = (r * (heads + 2 * kvHeads) + h) * headDim;
        boolean normed = h < heads + kvHeads;
        float s = 1f;
        if (normed) {
            s = rstd.get(c.get(at + 2) + r * (heads + kvHeads) + h);
        }
        float product = 0f;
        for (int i = item; i < headDim; i += 64) {
            float w = h < heads ? queryWeight.get(c.get(at + 3) + i) : keyWeight.get(c.get(at + 4) + i);
            product += dout.get(c.get(at) + head + i) * w * x.get(c.get(at + 1) + head + i) * s;
        }
        products[item] = product;
        for (int half = 32; half > 0; half = half / 2) {
            context.localBarrier();
            if (item < half) {
                products[item] += products[item + half];
            }
        }
        context.localBarrier();
        float meanGn = products[0] / headDim;
        for (int i = item; i < headDim; i += 64) {
            float d = dout.get(c.get(at) + head + i);
            if (normed) {
                float w = h < heads ? queryWeight.get(c.get(at + 3) + i) : keyWeight.get(c.get(at + 4) + i);
                d = s * (d * w - x.get(c.get(at + 1) + head + i) * s * meanGn);
            }
            dx.set(c.get(at + 5) + head + i, d);
        }
    }
}
