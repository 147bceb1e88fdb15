package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * {@link Attention#wCachedAttention} for GPUs: a group of 256 work items owns a query of a head, and meets the keys 256 at
 * a time: first an item scores a key, then it sums one
 * column over every (256 / headDim)-th value.
 */
public final class AttentionCached {
    public static final int ITEMS = 256;

    /** An item keeps one column. */
    public static final int MAX_HEAD_DIM = ITEMS;

    private AttentionCached() {}

    public static void wCachedAttentionRows(
            IntArray c,
            int at,
            KernelContext context,
            FloatArray qkv,
            FloatArray cache,
            FloatArray out,
            int heads,
            int kvHeads,
            int headDim) {
        float[] weights = context.allocateFloatLocalArray(256);
        float[] sums = context.allocateFloatLocalArray(256);
        int item = context.localIdx;
        int h = context.groupIdx;
        int r = context.groupIdy;
        int last = c.get(Cursor.POSITION) + r;
        int first = TornadoMath.max(0, last - c.get(at + 3) + 1);
        float divisor = c.get(at + 4);
        float scale = 1f / TornadoMath.sqrt(divisor);
        int query = c.get(at) + (r * (heads + 2 * kvHeads) + h) * headDim;
        int width = 2 * kvHeads * headDim;
        int keys = c.get(at + 1) + h / (heads / kvHeads) * headDim;
        int values = keys + kvHeads * headDim;
        int slices = 256 / headDim;
        int column = item % headDim;
        int slice = item / headDim;
        float max = -1e30f;
        float denominator = 0f;
        float sum = 0f;
        for (int begin = first; begin <= last; begin += 256) {
            int s = begin + item;
            float score = -1e30f;
            if (s <= last) {
                score = 0f;
                for (int i = 0; i < headDim; i++) {
                    score += qkv.get(query + i) * cache.get(keys + s * width + i);
                }
                score *= scale;
            }
            sums[item] = score;
            for (int half = 128; half > 0; half = half / 2) {
                context.localBarrier();
                if (item < half) {
                    sums[item] = TornadoMath.max(sums[item], sums[item + half]);
                }
            }
            context.localBarrier();
            float most = TornadoMath.max(max, sums[0]);
            context.localBarrier();
            float p = 0f;
            if (s <= last) {
                p = TornadoMath.exp(score - most);
            }
            weights[item] = p;
            sums[item] = p;
            for (int half = 128; half > 0; half = half / 2) {
                context.localBarrier();
                if (item < half) {
                    sums[item] += sums[item + half];
                }
            }
            context.localBarrier();
            float shrink = TornadoMath.exp(max - most);
            denominator = denominator * shrink + sums[0];
            sum *= shrink;
            max = most;
            int count = TornadoMath.min(256, last - begin + 1);
            if (slice < slices) {
                for (int j = slice; j < count; j += slices) {
                    sum += weights[j] * cache.get(values + (begin + j) * width + column);
                }
            }
            context.localBarrier();
        }
        sums[item] = sum;
        context.localBarrier();
        if (item < headDim) {
            float total = 0f;
            for (int j = 0; j < slices; j++) {
                total += sums[j * headDim + item];
            }
            out.set(c.get(at + 2) + (r * heads + h) * headDim + item, total / denominator);
        }
    }
}
