package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import jdk.incubator.vector.FloatVector;

/**
 * Layer normalisation (Ba et al., arXiv 1607.06450). With n = (x - mean) rstd, rstd = 1 / sqrt(var + eps) and the biased
 * variance:
 *
 * <p>forward: out = n weight + bias;
 *
 * <p>backward, with g = dout weight: dx += rstd (g - mean(g) - n mean(g n)); dweight += sum of dout n over rows; dbias +=
 * sum of dout over rows.
 *
 * <p>A row stays in the first-level cache, so several short loops over it cost no more than one long one. Sums have two
 * vectors each, because an addition takes about four cycles.
 */
final class LayerNorm {
    private static final long VECTOR = 4L * LANES;

    private final Workers workers;
    private final RowSums sums;
    private final Workers.Task forward = this::forward;
    private final Workers.Task backward = this::backward;

    // The call in progress; addresses.
    private long out;
    private long mean;
    private long rstd;
    private long x;
    private long weight;
    private long bias;
    private long dx;
    private long dout;
    private int rows;
    private int width;
    private float eps;
    private int chunk;

    LayerNorm(Workers workers, RowSums sums) {
        this.workers = workers;
        this.sums = sums;
    }

    void forward(long out, long mean, long rstd, long x, long weight, long bias, int rows, int width, float eps) {
        this.out = out;
        this.mean = mean;
        this.rstd = rstd;
        this.x = x;
        this.weight = weight;
        this.bias = bias;
        this.rows = rows;
        this.width = width;
        this.eps = eps;
        chunk = Chunks.rowsPerTask(width);
        workers.run(Math.ceilDiv(rows, chunk), forward);
    }

    private void forward(int task, int worker) {
        int end = Math.min(rows, (task + 1) * chunk);
        for (int r = task * chunk; r < end; r++) {
            long row = 4L * r * width;
            float m = sum(x + row, width) / width;
            float variance = sumOfSquares(x + row, m, width) / width;
            float s = (float) (1 / Math.sqrt((double) variance + eps));
            normalise(out + row, x + row, m, s, weight, bias, width);
            Memory.set(mean + 4L * r, m);
            Memory.set(rstd + 4L * r, s);
        }
    }

    private static float sum(long x, int width) {
        int full = SPECIES.loopBound(width);
        FloatVector lanes = FloatVector.zero(SPECIES);
        FloatVector more = lanes;
        int v = 0;
        for (; v + LANES < full; v += 2 * LANES) {
            lanes = lanes.add(fromMemorySegment(SPECIES, ALL, x + 4L * v, ORDER));
            more = more.add(fromMemorySegment(SPECIES, ALL, x + 4L * v + VECTOR, ORDER));
        }
        if (v < full) {
            lanes = lanes.add(fromMemorySegment(SPECIES, ALL, x + 4L * v, ORDER));
        }
        float sum = VectorMath.sum(lanes.add(more));
        for (int c = full; c < width; c++) {
            sum += Memory.get(x + 4L * c);
        }
        return sum;
    }

    /** The sum of (x - mean)^2. */
    private static float sumOfSquares(long x, float mean, int width) {
        int full = SPECIES.loopBound(width);
        FloatVector lanes = FloatVector.zero(SPECIES);
        FloatVector more = lanes;
        int v = 0;
        for (; v + LANES < full; v += 2 * LANES) {
            FloatVector d0 = fromMemorySegment(SPECIES, ALL, x + 4L * v, ORDER).sub(mean);
            FloatVector d1 =
                    fromMemorySegment(SPECIES, ALL, x + 4L * v + VECTOR, ORDER).sub(mean);
            lanes = d0.fma(d0, lanes);
            more = d1.fma(d1, more);
        }
        if (v < full) {
            FloatVector d = fromMemorySegment(SPECIES, ALL, x + 4L * v, ORDER).sub(mean);
            lanes = d.fma(d, lanes);
        }
        float sum = VectorMath.sum(lanes.add(more));
        for (int c = full; c < width; c++) {
            float d = Memory.get(x + 4L * c) - mean;
            sum = Math.fma(d, d, sum);
        }
        return sum;
    }

    private static void normalise(long out, long x, float mean, float rstd, long weight, long bias, int width) {
        int full = SPECIES.loopBound(width);
        for (int c = 0; c < full; c += LANES) {
            FloatVector n =
                    fromMemorySegment(SPECIES, ALL, x + 4L * c, ORDER).sub(mean).mul(rstd);
            n.fma(
                            fromMemorySegment(SPECIES, ALL, weight + 4L * c, ORDER),
                            fromMemorySegment(SPECIES, ALL, bias + 4L * c, ORDER))
                    .intoMemorySegment(ALL, out + 4L * c, ORDER);
        }
        for (int c = full; c < width; c++) {
            float n = (Memory.get(x + 4L * c) - mean) * rstd;
            Memory.set(out + 4L * c, Math.fma(n, Memory.get(weight + 4L * c), Memory.get(bias + 4L * c)));
        }
    }

    void backward(
            long dx,
            long dweight,
            long dbias,
            long dout,
            long x,
            long mean,
            long rstd,
            long weight,
            int rows,
            int width) {
        this.dx = dx;
        this.dout = dout;
        this.x = x;
        this.mean = mean;
        this.rstd = rstd;
        this.weight = weight;
        this.rows = rows;
        this.width = width;
        chunk = Chunks.rowsPerSum(rows);
        int chunks = Math.ceilDiv(rows, chunk);
        sums.reserve(chunks, 2 * width);
        workers.run(chunks, backward);
        sums.addTo(dweight, 0, width);
        sums.addTo(dbias, width, width);
    }

    private void backward(int task, int worker) {
        long dweight = sums.begin(task);
        long dbias = dweight + 4L * width;
        int end = Math.min(rows, (task + 1) * chunk);
        for (int r = task * chunk; r < end; r++) {
            long row = 4L * r * width;
            float m = Memory.get(mean + 4L * r);
            float s = Memory.get(rstd + 4L * r);
            float meanG = RmsNorm.sumOfProducts(dout + row, weight, width) / width;
            float meanGN = sumOfGN(dout + row, weight, x + row, m, s, width) / width;
            addGradients(dx + row, dweight, dbias, dout + row, x + row, weight, m, s, meanG, meanGN, width);
        }
    }

    private static float sumOfGN(long dout, long weight, long x, float mean, float rstd, int width) {
        int full = SPECIES.loopBound(width);
        FloatVector lanes = FloatVector.zero(SPECIES);
        for (int c = 0; c < full; c += LANES) {
            FloatVector n =
                    fromMemorySegment(SPECIES, ALL, x + 4L * c, ORDER).sub(mean).mul(rstd);
            lanes = fromMemorySegment(SPECIES, ALL, dout + 4L * c, ORDER)
                    .mul(fromMemorySegment(SPECIES, ALL, weight + 4L * c, ORDER))
                    .fma(n, lanes);
        }
        float sum = VectorMath.sum(lanes);
        for (int c = full; c < width; c++) {
            float n = (Memory.get(x + 4L * c) - mean) * rstd;
            sum = Math.fma(Memory.get(dout + 4L * c) * Memory.get(weight + 4L * c), n, sum);
        }
        return sum;
    }

    private static void addGradients(
            long dx,
            long dweight,
            long dbias,
            long dout,
            long x,
            long weight,
            float mean,
            float rstd,
            float meanG,
            float meanGN,
            int width) {
        int full = SPECIES.loopBound(width);
        for (int c = 0; c < full; c += LANES) {
            FloatVector n =
                    fromMemorySegment(SPECIES, ALL, x + 4L * c, ORDER).sub(mean).mul(rstd);
            FloatVector d = fromMemorySegment(SPECIES, ALL, dout + 4L * c, ORDER);
            d.fma(n, fromMemorySegment(SPECIES, ALL, dweight + 4L * c, ORDER))
                    .intoMemorySegment(ALL, dweight + 4L * c, ORDER);
            d.add(fromMemorySegment(SPECIES, ALL, dbias + 4L * c, ORDER)).intoMemorySegment(ALL, dbias + 4L * c, ORDER);
            FloatVector g = d.mul(fromMemorySegment(SPECIES, ALL, weight + 4L * c, ORDER));
            FloatVector add = g.sub(meanG).sub(n.mul(meanGN)).mul(rstd);
            fromMemorySegment(SPECIES, ALL, dx + 4L * c, ORDER).add(add).intoMemorySegment(ALL, dx + 4L * c, ORDER);
        }
        for (int c = full; c < width; c++) {
            float n = (Memory.get(x + 4L * c) - mean) * rstd;
            float d = Memory.get(dout + 4L * c);
            Memory.set(dweight + 4L * c, Math.fma(d, n, Memory.get(dweight + 4L * c)));
            Memory.set(dbias + 4L * c, d + Memory.get(dbias + 4L * c));
            float g = d * Memory.get(weight + 4L * c);
            Memory.set(dx + 4L * c, Memory.get(dx + 4L * c) + (g - meanG - n * meanGN) * rstd);
        }
    }
}
