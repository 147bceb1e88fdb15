package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import jdk.incubator.vector.FloatVector;

/**
 * Root-mean-square normalisation (Zhang and Sennrich, arXiv 1910.07467). With n = x rstd, rstd = 1 / sqrt(mean(x^2) +
 * eps):
 *
 * <p>forward: out = n weight;
 *
 * <p>backward, with g = dout weight: dx += rstd (g - n mean(g n)); dweight += sum of dout n over rows.
 */
final class RmsNorm {
    private static final long VECTOR = 4L * LANES;

    private final Workers workers;
    private final RowSums sums;
    private final Workers.Task forward = this::forward;
    private final Workers.Task backward = this::backward;

    // The call in progress; addresses.
    private long out;
    private long rstd;
    private long x;
    private long weight;
    private long dx;
    private long dout;
    private int rows;
    private int width;
    private float eps;
    private int chunk;

    RmsNorm(Workers workers, RowSums sums) {
        this.workers = workers;
        this.sums = sums;
    }

    void forward(long out, long rstd, long x, long weight, int rows, int width, float eps) {
        this.out = out;
        this.rstd = rstd;
        this.x = x;
        this.weight = weight;
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
            float s = reciprocalRms(x + row, width, eps);
            normalise(out + row, x + row, s, weight, width);
            Memory.set(rstd + 4L * r, s);
        }
    }

    /** 1 / sqrt(mean(x^2) + eps). */
    static float reciprocalRms(long x, int width, float eps) {
        return (float) (1 / Math.sqrt((double) sumOfProducts(x, x, width) / width + eps));
    }

    /** out = x * rstd * weight. */
    static void normalise(long out, long x, float rstd, long weight, int width) {
        int full = SPECIES.loopBound(width);
        for (int c = 0; c < full; c += LANES) {
            FloatVector n = fromMemorySegment(SPECIES, ALL, x + 4L * c, ORDER).mul(rstd);
            n.mul(fromMemorySegment(SPECIES, ALL, weight + 4L * c, ORDER)).intoMemorySegment(ALL, out + 4L * c, ORDER);
        }
        for (int c = full; c < width; c++) {
            Memory.set(out + 4L * c, Memory.get(x + 4L * c) * rstd * Memory.get(weight + 4L * c));
        }
    }

    void backward(long dx, long dweight, long dout, long x, long rstd, long weight, int rows, int width) {
        this.dx = dx;
        this.dout = dout;
        this.x = x;
        this.rstd = rstd;
        this.weight = weight;
        this.rows = rows;
        this.width = width;
        chunk = Chunks.rowsPerSum(rows);
        int chunks = Math.ceilDiv(rows, chunk);
        sums.reserve(chunks, width);
        workers.run(chunks, backward);
        sums.addTo(dweight, 0, width);
    }

    private void backward(int task, int worker) {
        long dweight = sums.begin(task);
        int end = Math.min(rows, (task + 1) * chunk);
        for (int r = task * chunk; r < end; r++) {
            long row = 4L * r * width;
            float s = Memory.get(rstd + 4L * r);
            float meanGN = sumOfGN(dout + row, weight, x + row, s, width) / width;
            addWeightGradient(dweight, dout + row, x + row, s, width);
            addInputGradient(dx + row, dout + row, x + row, weight, s, meanGN, width);
        }
    }

    static float sumOfProducts(long a, long b, int width) {
        int full = SPECIES.loopBound(width);
        FloatVector lanes = FloatVector.zero(SPECIES);
        FloatVector more = lanes;
        int v = 0;
        for (; v + LANES < full; v += 2 * LANES) {
            FloatVector a0 = fromMemorySegment(SPECIES, ALL, a + 4L * v, ORDER);
            FloatVector a1 = fromMemorySegment(SPECIES, ALL, a + 4L * v + VECTOR, ORDER);
            lanes = a0.fma(fromMemorySegment(SPECIES, ALL, b + 4L * v, ORDER), lanes);
            more = a1.fma(fromMemorySegment(SPECIES, ALL, b + 4L * v + VECTOR, ORDER), more);
        }
        if (v < full) {
            lanes = fromMemorySegment(SPECIES, ALL, a + 4L * v, ORDER)
                    .fma(fromMemorySegment(SPECIES, ALL, b + 4L * v, ORDER), lanes);
        }
        float sum = VectorMath.sum(lanes.add(more));
        for (int c = full; c < width; c++) {
            sum = Math.fma(Memory.get(a + 4L * c), Memory.get(b + 4L * c), sum);
        }
        return sum;
    }

    /** The sum of g n. */
    static float sumOfGN(long dout, long weight, long x, float rstd, int width) {
        int full = SPECIES.loopBound(width);
        FloatVector lanes = FloatVector.zero(SPECIES);
        for (int c = 0; c < full; c += LANES) {
            FloatVector g = fromMemorySegment(SPECIES, ALL, dout + 4L * c, ORDER)
                    .mul(fromMemorySegment(SPECIES, ALL, weight + 4L * c, ORDER));
            lanes = g.fma(fromMemorySegment(SPECIES, ALL, x + 4L * c, ORDER), lanes);
        }
        float sum = VectorMath.sum(lanes);
        for (int c = full; c < width; c++) {
            sum = Math.fma(Memory.get(dout + 4L * c) * Memory.get(weight + 4L * c), Memory.get(x + 4L * c), sum);
        }
        return sum * rstd;
    }

    static void addWeightGradient(long dweight, long dout, long x, float rstd, int width) {
        int full = SPECIES.loopBound(width);
        for (int c = 0; c < full; c += LANES) {
            FloatVector n = fromMemorySegment(SPECIES, ALL, x + 4L * c, ORDER).mul(rstd);
            FloatVector d = fromMemorySegment(SPECIES, ALL, dout + 4L * c, ORDER);
            d.fma(n, fromMemorySegment(SPECIES, ALL, dweight + 4L * c, ORDER))
                    .intoMemorySegment(ALL, dweight + 4L * c, ORDER);
        }
        for (int c = full; c < width; c++) {
            float n = Memory.get(x + 4L * c) * rstd;
            Memory.set(dweight + 4L * c, Math.fma(Memory.get(dout + 4L * c), n, Memory.get(dweight + 4L * c)));
        }
    }

    private static void addInputGradient(long dx, long dout, long x, long weight, float rstd, float meanGN, int width) {
        int full = SPECIES.loopBound(width);
        for (int c = 0; c < full; c += LANES) {
            FloatVector n = fromMemorySegment(SPECIES, ALL, x + 4L * c, ORDER).mul(rstd);
            FloatVector g = fromMemorySegment(SPECIES, ALL, dout + 4L * c, ORDER)
                    .mul(fromMemorySegment(SPECIES, ALL, weight + 4L * c, ORDER));
            FloatVector d = g.sub(n.mul(meanGN)).mul(rstd);
            fromMemorySegment(SPECIES, ALL, dx + 4L * c, ORDER).add(d).intoMemorySegment(ALL, dx + 4L * c, ORDER);
        }
        for (int c = full; c < width; c++) {
            float n = Memory.get(x + 4L * c) * rstd;
            float g = Memory.get(dout + 4L * c) * Memory.get(weight + 4L * c);
            Memory.set(dx + 4L * c, Memory.get(dx + 4L * c) + (g - n * meanGN) * rstd);
        }
    }
}
