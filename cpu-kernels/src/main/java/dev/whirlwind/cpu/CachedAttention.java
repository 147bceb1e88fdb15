package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import dev.whirlwind.model.AttentionLayer;
import dev.whirlwind.model.AttentionShape;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Attention while generating (the formula is {@link Attention}'s forward form): the rows' keys and values go to the cache,
 * then each query head attends to the places up to its own, straight from the cache. A task is one row's query heads of
 * one key/value head. Each key and value is read once for each query head, so this is bound by the cache's memory.
 */
final class CachedAttention {
    private final Workers workers;
    private final Workers.Task attend = this::attend;

    /** For each worker: of every place. */
    private final float[][] probabilities;

    // The call in progress; addresses.
    private long out;
    private long cache;
    private long qkv;
    private AttentionShape shape;
    private AttentionLayer kind;
    private int position;

    CachedAttention(Workers workers) {
        this.workers = workers;
        probabilities = new float[workers.threads()][0];
    }

    void run(long out, long cache, long qkv, AttentionShape shape, AttentionLayer kind, int position) {
        this.out = out;
        this.cache = cache;
        this.qkv = qkv;
        this.shape = shape;
        this.kind = kind;
        this.position = position;
        int width = 2 * shape.kvHeads() * shape.headDim();
        for (int r = 0; r < shape.sequence(); r++) {
            long row = qkv + 4 * ((long) r * shape.qkvWidth() + shape.keyOffset());
            Memory.copy(row, cache + 4L * (position + r) * width, width);
        }
        reserve(position + shape.sequence());
        workers.run(shape.sequence() * shape.kvHeads(), attend);
    }

    /** Room for the places and some more, in whole vectors. */
    private void reserve(int places) {
        int vectors = Math.ceilDiv(places, LANES) + 1;
        if (probabilities[0].length < vectors * LANES) {
            int length = (vectors + vectors / 2) * LANES;
            Arrays.setAll(probabilities, worker -> new float[length]);
        }
    }

    private void attend(int task, int worker) {
        int row = task / shape.kvHeads();
        int kvHead = task % shape.kvHeads();
        int group = shape.heads() / shape.kvHeads();
        float scale = kind.scale();
        int headDim = shape.headDim();
        long step = 8L * shape.kvHeads() * headDim;
        int first = kind.firstKey(position + row);
        int count = position + row + 1 - first;
        long keys = cache + step * first + 4L * kvHead * headDim;
        long values = keys + 4L * shape.kvHeads() * headDim;
        float[] p = probabilities[worker];
        for (int h = kvHead * group; h < (kvHead + 1) * group; h++) {
            long query = qkv + 4 * ((long) row * shape.qkvWidth() + (long) h * headDim);
            float max = Float.NEGATIVE_INFINITY;
            for (int s = 0; s < count; s++) {
                float score = RmsNorm.sumOfProducts(query, keys + step * s, headDim) * scale;
                p[s] = score;
                max = Math.max(max, score);
            }
            VectorMath.exponentials(p, 0, max, count);
            float total = VectorMath.sum(p, count);
            long to = out + 4 * ((long) row * shape.outWidth() + (long) h * headDim);
            weigh(to, p, 1 / total, values, step, count, headDim);
        }
    }

    /** to = factor * sum over s of p[s] values[s]. */
    private static void weigh(long to, float[] p, float factor, long values, long step, int count, int width) {
        int c = 0;
        for (; c + LANES <= width; c += LANES) {
            weighVector(to + 4L * c, p, factor, values + 4L * c, step, count);
        }
        for (; c < width; c++) {
            float sum = 0;
            for (int s = 0; s < count; s++) {
                sum = Math.fma(p[s], Memory.get(values + step * s + 4L * c), sum);
            }
            Memory.set(to + 4L * c, sum * factor);
        }
    }

    private static void weighVector(long to, float[] p, float factor, long values, long step, int count) {
        FloatVector sum = fromMemorySegment(SPECIES, ALL, values, ORDER).mul(p[0]);
        for (int s = 1; s < count; s++) {
            FloatVector weight = FloatVector.broadcast(SPECIES, p[s]);
            sum = weight.fma(fromMemorySegment(SPECIES, ALL, values + step * s, ORDER), sum);
        }
        sum.mul(factor).intoMemorySegment(ALL, to, ORDER);
    }
}
