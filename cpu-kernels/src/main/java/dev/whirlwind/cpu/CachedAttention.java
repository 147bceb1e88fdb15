package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import dev.whirlwind.model.AttentionShape;
import jdk.incubator.vector.FloatVector;

/**
 * Attention while generating (the formula is {@link Attention}'s forward form): the rows' keys and values go to the cache,
 * then each query head attends to the places up to its own, straight from the cache. A task is one row's query heads of
 * one key/value head. Each key and value is read once for each query head, so this is bound by the cache's memory.
 */
final class CachedAttention {
    private final Workers workers;
    private final Scratch scratch;
    private final Workers.Task attend = this::attend;

    // The call in progress; addresses.
    private long out;
    private long cache;
    private long qkv;
    private AttentionShape shape;
    private int position;
    private long probabilities;
    private int places;

    CachedAttention(Workers workers, Scratch scratch) {
        this.workers = workers;
        this.scratch = scratch;
    }

    void run(long out, long cache, long qkv, AttentionShape shape, int position) {
        this.out = out;
        this.cache = cache;
        this.qkv = qkv;
        this.shape = shape;
        this.position = position;
        int width = 2 * shape.kvHeads() * shape.headDim();
        for (int r = 0; r < shape.sequence(); r++) {
            long row = qkv + 4 * ((long) r * shape.qkvWidth() + shape.keyOffset());
            Memory.copy(row, cache + 4L * (position + r) * width, width);
        }
        places = position + shape.sequence() + LANES;
        probabilities = scratch.reserve((long) places * workers.threads());
        workers.run(shape.sequence() * shape.kvHeads(), attend);
    }

    private void attend(int task, int worker) {
        int row = task / shape.kvHeads();
        int kvHead = task % shape.kvHeads();
        int group = shape.heads() / shape.kvHeads();
        int headDim = shape.headDim();
        long step = 8L * shape.kvHeads() * headDim;
        int first = shape.firstKey(position + row);
        int count = position + row + 1 - first;
        long keys = cache + step * first + 4L * kvHead * headDim;
        long values = keys + 4L * shape.kvHeads() * headDim;
        long p = probabilities + 4L * places * worker;
        for (int h = kvHead * group; h < (kvHead + 1) * group; h++) {
            long query = qkv + 4 * ((long) row * shape.qkvWidth() + (long) h * headDim);
            float max = Float.NEGATIVE_INFINITY;
            for (int s = 0; s < count; s++) {
                float score = RmsNorm.sumOfProducts(query, keys + step * s, headDim) * shape.scale();
                Memory.set(p + 4L * s, score);
                max = Math.max(max, score);
            }
            VectorMath.exponentials(p, max, count);
            float total = LayerNorm.sum(p, count);
            long to = out + 4 * ((long) row * shape.outWidth() + (long) h * headDim);
            weigh(to, p, 1 / total, values, step, count, headDim);
        }
    }

    /** to = factor * sum over s of p[s] values[s]. */
    private static void weigh(long to, long p, float factor, long values, long step, int count, int width) {
        int c = 0;
        for (; c + LANES <= width; c += LANES) {
            weighVector(to + 4L * c, p, factor, values + 4L * c, step, count);
        }
        for (; c < width; c++) {
            float sum = 0;
            for (int s = 0; s < count; s++) {
                sum = Math.fma(Memory.get(p + 4L * s), Memory.get(values + step * s + 4L * c), sum);
            }
            Memory.set(to + 4L * c, sum * factor);
        }
    }

    private static void weighVector(long to, long p, float factor, long values, long step, int count) {
        FloatVector sum = fromMemorySegment(SPECIES, ALL, values, ORDER).mul(Memory.get(p));
        for (int s = 1; s < count; s++) {
            FloatVector weight = FloatVector.broadcast(SPECIES, Memory.get(p + 4L * s));
            sum = weight.fma(fromMemorySegment(SPECIES, ALL, values + step * s, ORDER), sum);
        }
        sum.mul(factor).intoMemorySegment(ALL, to, ORDER);
    }
}
