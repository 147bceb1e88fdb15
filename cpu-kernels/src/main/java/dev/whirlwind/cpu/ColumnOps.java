package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import jdk.incubator.vector.FloatVector;

/**
 * Matrices that are some columns of wider rows.
 *
 * <p>run: out = factor * x, or added to it.
 *
 * <p>scale: out = scales * (out - bias) + bias, by column.
 *
 * <p>addProducts: sums += scales / divisors * the sum over rows of a * b, by column.
 */
final class ColumnOps {
    private final Workers workers;
    private final RowSums sums;
    private final Workers.Task run = this::run;
    private final Workers.Task scale = this::scale;
    private final Workers.Task products = this::products;

    // The call in progress; addresses, and floats from row to row.
    private long out;
    private int outStep;
    private long x;
    private int xStep;
    private long scales;
    private long bias;
    private int rows;
    private int width;
    private int chunk;
    private float factor;
    private boolean add;

    ColumnOps(Workers workers, RowSums sums) {
        this.workers = workers;
        this.sums = sums;
    }

    void run(long out, int outStep, long x, int xStep, int rows, int width, float factor, boolean add) {
        this.out = out;
        this.outStep = outStep;
        this.x = x;
        this.xStep = xStep;
        this.rows = rows;
        this.width = width;
        this.factor = factor;
        this.add = add;
        chunk = Chunks.rowsPerTask(width);
        workers.run(Math.ceilDiv(rows, chunk), run);
    }

    private void run(int task, int worker) {
        int end = Math.min(rows, (task + 1) * chunk);
        for (int r = task * chunk; r < end; r++) {
            long to = out + 4L * r * outStep;
            long from = x + 4L * r * xStep;
            if (add) {
                add(to, from, width, factor);
            } else {
                copy(to, from, width, factor);
            }
        }
    }

    private static void add(long out, long x, int width, float factor) {
        int full = SPECIES.loopBound(width);
        for (int c = 0; c < full; c += LANES) {
            fromMemorySegment(SPECIES, ALL, out + 4L * c, ORDER)
                    .add(fromMemorySegment(SPECIES, ALL, x + 4L * c, ORDER).mul(factor))
                    .intoMemorySegment(ALL, out + 4L * c, ORDER);
        }
        for (int c = full; c < width; c++) {
            Memory.set(out + 4L * c, Memory.get(out + 4L * c) + factor * Memory.get(x + 4L * c));
        }
    }

    private static void copy(long out, long x, int width, float factor) {
        int full = SPECIES.loopBound(width);
        for (int c = 0; c < full; c += LANES) {
            fromMemorySegment(SPECIES, ALL, x + 4L * c, ORDER).mul(factor).intoMemorySegment(ALL, out + 4L * c, ORDER);
        }
        for (int c = full; c < width; c++) {
            Memory.set(out + 4L * c, factor * Memory.get(x + 4L * c));
        }
    }

    /** bias may be 0 for none. */
    void scale(long out, int outStep, long scales, long bias, int rows, int width) {
        this.out = out;
        this.outStep = outStep;
        this.scales = scales;
        this.bias = bias;
        this.rows = rows;
        this.width = width;
        chunk = Chunks.rowsPerTask(width);
        workers.run(Math.ceilDiv(rows, chunk), scale);
    }

    private void scale(int task, int worker) {
        int end = Math.min(rows, (task + 1) * chunk);
        for (int r = task * chunk; r < end; r++) {
            long row = out + 4L * r * outStep;
            if (bias == 0) {
                scale(row, scales, width);
            } else {
                scaleAbout(row, scales, bias, width);
            }
        }
    }

    private static void scale(long out, long scales, int width) {
        int full = SPECIES.loopBound(width);
        for (int c = 0; c < full; c += LANES) {
            fromMemorySegment(SPECIES, ALL, out + 4L * c, ORDER)
                    .mul(fromMemorySegment(SPECIES, ALL, scales + 4L * c, ORDER))
                    .intoMemorySegment(ALL, out + 4L * c, ORDER);
        }
        for (int c = full; c < width; c++) {
            Memory.set(out + 4L * c, Memory.get(out + 4L * c) * Memory.get(scales + 4L * c));
        }
    }

    private static void scaleAbout(long out, long scales, long bias, int width) {
        int full = SPECIES.loopBound(width);
        for (int c = 0; c < full; c += LANES) {
            FloatVector b = fromMemorySegment(SPECIES, ALL, bias + 4L * c, ORDER);
            fromMemorySegment(SPECIES, ALL, out + 4L * c, ORDER)
                    .sub(b)
                    .mul(fromMemorySegment(SPECIES, ALL, scales + 4L * c, ORDER))
                    .add(b)
                    .intoMemorySegment(ALL, out + 4L * c, ORDER);
        }
        for (int c = full; c < width; c++) {
            float b = Memory.get(bias + 4L * c);
            Memory.set(out + 4L * c, (Memory.get(out + 4L * c) - b) * Memory.get(scales + 4L * c) + b);
        }
    }

    void addProducts(
            long total, long a, int aStep, long b, int bStep, long scales, long divisors, int rows, int width) {
        out = a;
        outStep = aStep;
        x = b;
        xStep = bStep;
        this.scales = scales;
        bias = divisors;
        this.rows = rows;
        this.width = width;
        chunk = Chunks.rowsPerSum(rows);
        int chunks = Math.ceilDiv(rows, chunk);
        sums.reserve(chunks, width);
        workers.run(chunks, products);
        sums.addTo(total, 0, width);
    }

    private void products(int task, int worker) {
        long sum = sums.begin(task);
        int end = Math.min(rows, (task + 1) * chunk);
        for (int r = task * chunk; r < end; r++) {
            addProduct(sum, out + 4L * r * outStep, x + 4L * r * xStep, width);
        }
        for (int c = 0; c < width; c++) {
            float scale = Memory.get(scales + 4L * c) / Memory.get(bias + 4L * c);
            Memory.set(sum + 4L * c, Memory.get(sum + 4L * c) * scale);
        }
    }

    private static void addProduct(long sum, long a, long b, int width) {
        int full = SPECIES.loopBound(width);
        for (int c = 0; c < full; c += LANES) {
            fromMemorySegment(SPECIES, ALL, a + 4L * c, ORDER)
                    .fma(
                            fromMemorySegment(SPECIES, ALL, b + 4L * c, ORDER),
                            fromMemorySegment(SPECIES, ALL, sum + 4L * c, ORDER))
                    .intoMemorySegment(ALL, sum + 4L * c, ORDER);
        }
        for (int c = full; c < width; c++) {
            Memory.set(
                    sum + 4L * c, Math.fma(Memory.get(a + 4L * c), Memory.get(b + 4L * c), Memory.get(sum + 4L * c)));
        }
    }
}
