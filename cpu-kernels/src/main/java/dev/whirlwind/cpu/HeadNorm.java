package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import dev.whirlwind.model.AttentionShape;
import jdk.incubator.vector.FloatVector;

/**
 * RMS normalisation of each query and key head (Qwen3 technical report, arXiv 2505.09388; the formulas are
 * {@link RmsNorm}'s): one weight of head_dim for all query heads, one for all key heads. Values are copied.
 */
final class HeadNorm {
    private final Workers workers;
    private final RowSums sums;
    private final Workers.Task forward = this::forward;
    private final Workers.Task backward = this::backward;

    // The call in progress; addresses.
    private long out;
    private long rstd;
    private long x;
    private long queryWeight;
    private long keyWeight;
    private long dx;
    private long dout;
    private AttentionShape shape;
    private float eps;
    private int chunk;

    HeadNorm(Workers workers, RowSums sums) {
        this.workers = workers;
        this.sums = sums;
    }

    void forward(long out, long rstd, long x, long queryWeight, long keyWeight, AttentionShape shape, float eps) {
        this.out = out;
        this.rstd = rstd;
        this.x = x;
        this.queryWeight = queryWeight;
        this.keyWeight = keyWeight;
        this.shape = shape;
        this.eps = eps;
        chunk = Chunks.rowsPerTask(shape.qkvWidth());
        workers.run(Math.ceilDiv(shape.rows(), chunk), forward);
    }

    private void forward(int task, int worker) {
        int headDim = shape.headDim();
        int normed = shape.heads() + shape.kvHeads();
        int end = Math.min(shape.rows(), (task + 1) * chunk);
        for (int r = task * chunk; r < end; r++) {
            long row = 4L * r * shape.qkvWidth();
            for (int h = 0; h < normed; h++) {
                long head = row + 4L * h * headDim;
                float s = RmsNorm.reciprocalRms(x + head, headDim, eps);
                long weight = h < shape.heads() ? queryWeight : keyWeight;
                RmsNorm.normalise(out + head, x + head, s, weight, headDim);
                Memory.set(rstd + 4L * ((long) r * normed + h), s);
            }
            copyValues(out + row, x + row);
        }
    }

    private void copyValues(long to, long from) {
        long values = 4L * shape.valueOffset();
        Memory.copy(from + values, to + values, shape.qkvWidth() - shape.valueOffset());
    }

    void backward(
            long dx,
            long dqueryWeight,
            long dkeyWeight,
            long dout,
            long x,
            long rstd,
            long queryWeight,
            long keyWeight,
            AttentionShape shape) {
        this.dx = dx;
        this.dout = dout;
        this.x = x;
        this.rstd = rstd;
        this.queryWeight = queryWeight;
        this.keyWeight = keyWeight;
        this.shape = shape;
        chunk = Chunks.rowsPerSum(shape.rows());
        int chunks = Math.ceilDiv(shape.rows(), chunk);
        sums.reserve(chunks, 2 * shape.headDim());
        workers.run(chunks, backward);
        sums.addTo(dqueryWeight, 0, shape.headDim());
        sums.addTo(dkeyWeight, shape.headDim(), shape.headDim());
    }

    private void backward(int task, int worker) {
        int headDim = shape.headDim();
        int normed = shape.heads() + shape.kvHeads();
        long dqueryWeight = sums.begin(task);
        long dkeyWeight = dqueryWeight + 4L * headDim;
        int end = Math.min(shape.rows(), (task + 1) * chunk);
        for (int r = task * chunk; r < end; r++) {
            long row = 4L * r * shape.qkvWidth();
            for (int h = 0; h < normed; h++) {
                long head = row + 4L * h * headDim;
                boolean query = h < shape.heads();
                long weight = query ? queryWeight : keyWeight;
                float s = Memory.get(rstd + 4L * ((long) r * normed + h));
                float meanGN = RmsNorm.sumOfGN(dout + head, weight, x + head, s, headDim) / headDim;
                RmsNorm.addWeightGradient(query ? dqueryWeight : dkeyWeight, dout + head, x + head, s, headDim);
                inputGradient(dx + head, dout + head, x + head, weight, s, meanGN, headDim);
            }
            if (dx != dout) {
                copyValues(dx + row, dout + row);
            }
        }
    }

    /** dx = rstd (g - n mean(g n)); dx may be dout. */
    private static void inputGradient(long dx, long dout, long x, long weight, float rstd, float meanGN, int width) {
        int full = SPECIES.loopBound(width);
        for (int c = 0; c < full; c += LANES) {
            FloatVector n = fromMemorySegment(SPECIES, ALL, x + 4L * c, ORDER).mul(rstd);
            FloatVector g = fromMemorySegment(SPECIES, ALL, dout + 4L * c, ORDER)
                    .mul(fromMemorySegment(SPECIES, ALL, weight + 4L * c, ORDER));
            g.sub(n.mul(meanGN)).mul(rstd).intoMemorySegment(ALL, dx + 4L * c, ORDER);
        }
        for (int c = full; c < width; c++) {
            float n = Memory.get(x + 4L * c) * rstd;
            float g = Memory.get(dout + 4L * c) * Memory.get(weight + 4L * c);
            Memory.set(dx + 4L * c, (g - n * meanGN) * rstd);
        }
    }
}
