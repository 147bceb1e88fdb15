package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * {@link Attention#wCachedAttention} for GPUs. A group of 256 work items owns a row's query heads, up to eight, that read the
 * same keys, and one of several parts of the keys, so that a long cache fills a device though a token has few heads
 * ("Flash-Decoding for long-context inference", 2023). It meets its keys 256 at a time: first an item scores a key for each head,
 * then it sums one column over every (256 / headDim)-th value.
 */
public final class AttentionCached {
    public static final int ITEMS = 256;

    /** An item keeps one column. */
    public static final int MAX_HEAD_DIM = ITEMS;

    /** Query heads of a group at most. */
    public static final int MAX_SHARED = 8;

    private AttentionCached() {}

    /**
     * Of every row and head, in this order: with one part the output, [headDim]; else for every part [headDim + 2], the sum of
     * exp(score - max) v, max, and the sum of exp(score - max).
     *
     * @param shared query heads of a group; groups of a key head have all of its query heads between them
     */
    public static void wCachedAttentionRows(
            IntArray c,
            int at,
            KernelContext context,
            FloatArray qkv,
            FloatArray cache,
            FloatArray out,
            int heads,
            int kvHeads,
            int headDim,
            int shared,
            int parts) {
        float[] weights = context.allocateFloatLocalArray(2048);
        float[] sums = context.allocateFloatLocalArray(2048);
        float[] maxima = context.allocateFloatLocalArray(8);
        int item = context.localIdx;
        int r = context.groupIdx;
        int part = context.groupIdy % parts;
        int sharers = (heads / kvHeads + shared - 1) / shared;
        int g = context.groupIdy / parts / sharers;
        int firstHead = context.groupIdy / parts % sharers * shared;
        int sharing = TornadoMath.min(shared, heads / kvHeads - firstHead);
        firstHead += g * (heads / kvHeads);
        int end = c.get(Cursor.POSITION) + r + 1;
        int first = TornadoMath.max(0, end - c.get(at + 3));
        float divisor = c.get(at + 4);
        int share = (end - first + parts - 1) / parts;
        first += part * share;
        end = TornadoMath.min(end, first + share);
        float scale = 1f / TornadoMath.sqrt(divisor);
        int query = c.get(at) + r * (heads + 2 * kvHeads) * headDim;
        int width = 2 * kvHeads * headDim;
        int keys = c.get(at + 1) + g * headDim;
        int values = keys + kvHeads * headDim;
        int slices = 256 / headDim;
        int column = item % headDim;
        int slice = item / headDim;
        float[] max = new float[shared];
        float[] denominator = new float[shared];
        float[] sum = new float[shared];
        float[] scores = new float[shared];
        for (int h = 0; h < shared; h++) {
            max[h] = -1e30f;
            denominator[h] = 0f;
            sum[h] = 0f;
        }
        for (int begin = first; begin < end; begin += 256) {
            int s = TornadoMath.min(begin + item, end - 1);
            for (int h = 0; h < shared; h++) {
                scores[h] = 0f;
            }
            for (int i = 0; i < headDim; i++) {
                float key = cache.get(keys + s * width + i);
                for (int h = 0; h < shared; h++) {
                    int head = firstHead + TornadoMath.min(h, sharing - 1);
                    scores[h] += qkv.get(query + head * headDim + i) * key;
                }
            }
            for (int h = 0; h < shared; h++) {
                scores[h] *= scale;
                sums[h * 256 + item] = scores[h];
            }
            for (int half = 128; half > 0; half = half / 2) {
                context.localBarrier();
                if (item < half) {
                    for (int h = 0; h < shared; h++) {
                        sums[h * 256 + item] = TornadoMath.max(sums[h * 256 + item], sums[h * 256 + item + half]);
                    }
                }
            }
            context.localBarrier();
            for (int h = 0; h < shared; h++) {
                float most = TornadoMath.max(max[h], sums[h * 256]);
                float shrink = TornadoMath.exp(max[h] - most);
                denominator[h] *= shrink;
                sum[h] *= shrink;
                max[h] = most;
            }
            float met = begin + item < end ? 1f : 0f;
            for (int h = 0; h < shared; h++) {
                float p = met * TornadoMath.exp(scores[h] - max[h]);
                denominator[h] += p;
                weights[h * 256 + item] = p;
            }
            context.localBarrier();
            int count = slice < slices ? TornadoMath.min(256, end - begin) : 0;
            for (int j = slice; j < count; j += slices) {
                float value = cache.get(values + (begin + j) * width + column);
                for (int h = 0; h < shared; h++) {
                    sum[h] += weights[h * 256 + j] * value;
                }
            }
            context.localBarrier();
        }
        for (int h = 0; h < shared; h++) {
            sums[h * 256 + item] = sum[h];
            weights[h * 256 + item] = denominator[h];
        }
        if (item == 0) {
            for (int h = 0; h < shared; h++) {
                maxima[h] = max[h];
            }
        }
        for (int half = 128; half > 0; half = half / 2) {
            context.localBarrier();
            if (item < half) {
                for (int h = 0; h < shared; h++) {
                    weights[h * 256 + item] += weights[h * 256 + item + half];
                }
            }
        }
        context.localBarrier();
        if (item < headDim) {
            for (int h = 0; h < sharing; h++) {
                float total = 0f;
                for (int j = 0; j < slices; j++) {
                    total += sums[h * 256 + j * headDim + item];
                }
                int place = (r * heads + firstHead + h) * parts + part;
                if (parts == 1) {
                    out.set(c.get(at + 2) + place * headDim + item, total / weights[h * 256]);
                } else {
                    int to = c.get(at + 2) + place * (headDim + 2);
                    out.set(to + item, total);
                    if (item == 0) {
                        out.set(to + headDim, maxima[h]);
                        out.set(to + headDim + 1, weights[h * 256]);
                    }
                }
            }
        }
    }

    /** The output of every row and head from its parts. */
    public static void wCachedAttentionParts(
            IntArray c, int at, FloatArray partial, FloatArray out, int rowsAndHeads, int headDim, int parts) {
        for (@Parallel int row = 0; row < rowsAndHeads; row++) {
            for (@Parallel int column = 0; column < headDim; column++) {
                int from = c.get(at) + row * parts * (headDim + 2);
                float max = -1e30f;
                for (int part = 0; part < parts; part++) {
                    max = TornadoMath.max(max, partial.get(from + part * (headDim + 2) + headDim));
                }
                float sum = 0f;
                float denominator = 0f;
                for (int part = 0; part < parts; part++) {
                    int place = from + part * (headDim + 2);
                    float weight = TornadoMath.exp(partial.get(place + headDim) - max);
                    sum += weight * partial.get(place + column);
                    denominator += weight * partial.get(place + headDim + 1);
                }
                out.set(c.get(at + 1) + row * headDim + column, sum / denominator);
            }
        }
    }
}
