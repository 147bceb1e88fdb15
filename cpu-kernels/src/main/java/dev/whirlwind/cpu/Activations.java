package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromArray;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import dev.whirlwind.model.Activation;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * The activations of feed-forward parts, plain and gated (Shazeer, arXiv 2002.05202). A row of x holds gate, then up, where
 * there is a gate:
 *
 * <p>plain: out = f(x); dx = dout f'(x);
 *
 * <p>gated: out = f(gate) up; dup = dout f(gate); dgate = dout up f'(gate).
 *
 * <p>f and f' are computed for as many floats at a time as stay in the first-level cache ({@link ActivationFunctions}); whole
 * vectors of those with a logistic function, which most models have, in one pass ({@link LogisticUnits}).
 */
final class Activations {
    /** Floats of three arrays that together take half of an L1 cache. */
    private static final int BLOCK = 2048;

    private final Workers workers;
    private final Workers.Task forward = this::forward;
    private final Workers.Task backward = this::backward;
    private final Workers.Task gated = this::gated;
    private final Workers.Task gatedBackward = this::gatedBackward;

    // For each worker: x, f(x), f'(x).
    private final float[][] xs;
    private final float[][] values;
    private final float[][] slopes;

    // The call in progress; addresses.
    private Activation f;
    private boolean logistic;
    private float linear;
    private float cubic;
    private long out;
    private long x;
    private long dx;
    private long dout;
    private long length;
    private int rows;
    private int width;
    private int chunk;

    Activations(Workers workers) {
        this.workers = workers;
        xs = blocks();
        values = blocks();
        slopes = blocks();
    }

    private float[][] blocks() {
        float[][] blocks = new float[workers.threads()][];
        Arrays.setAll(blocks, worker -> new float[BLOCK]);
        return blocks;
    }

    void forward(Activation f, long out, long x, long length) {
        this.out = out;
        begin(f, x);
        this.length = length;
        workers.run(Chunks.tasks(length), forward);
    }

    private void forward(int task, int worker) {
        long start = Chunks.start(task, length);
        long end = Chunks.start(task + 1, length);
        int whole = inOnePass((int) (end - start));
        LogisticUnits.forward(out + 4 * start, x + 4 * start, whole, linear, cubic);
        for (long i = start + whole; i < end; i += BLOCK) {
            int count = (int) Math.min(BLOCK, end - i);
            Memory.copy(x + 4 * i, xs[worker], 0, count);
            ActivationFunctions.values(f, xs[worker], values[worker], count);
            Memory.copy(values[worker], out + 4 * i, count);
        }
    }

    void backward(Activation f, long dx, long dout, long x, long length) {
        this.dx = dx;
        this.dout = dout;
        begin(f, x);
        this.length = length;
        workers.run(Chunks.tasks(length), backward);
    }

    private void backward(int task, int worker) {
        long start = Chunks.start(task, length);
        long end = Chunks.start(task + 1, length);
        int whole = inOnePass((int) (end - start));
        LogisticUnits.backward(dx + 4 * start, dout + 4 * start, x + 4 * start, whole, linear, cubic);
        for (long i = start + whole; i < end; i += BLOCK) {
            int count = (int) Math.min(BLOCK, end - i);
            Memory.copy(x + 4 * i, xs[worker], 0, count);
            ActivationFunctions.slopes(f, xs[worker], values[worker], slopes[worker], count);
            multiply(dout + 4 * i, slopes[worker], dx + 4 * i, count);
        }
    }

    void gated(Activation f, long out, long x, int rows, int width) {
        this.out = out;
        begin(f, x, rows, width);
        workers.run(Math.ceilDiv(rows, chunk), gated);
    }

    void gatedBackward(Activation f, long dx, long dout, long x, int rows, int width) {
        this.dx = dx;
        this.dout = dout;
        begin(f, x, rows, width);
        workers.run(Math.ceilDiv(rows, chunk), gatedBackward);
    }

    private void begin(Activation f, long x) {
        this.f = f;
        this.x = x;
        logistic = f.isLogistic();
        linear = logistic ? (float) f.linear() : 0;
        cubic = (float) f.cubic();
    }

    /** How many of so many floats are done in one pass. */
    private int inOnePass(int count) {
        return logistic ? SPECIES.loopBound(count) : 0;
    }

    private void begin(Activation f, long x, int rows, int width) {
        begin(f, x);
        this.rows = rows;
        this.width = width;
        chunk = Chunks.rowsPerTask(width);
    }

    private void gated(int task, int worker) {
        int end = Math.min(rows, (task + 1) * chunk);
        int whole = inOnePass(width);
        for (int r = task * chunk; r < end; r++) {
            long row = x + 8L * r * width;
            LogisticUnits.gated(out + 4L * r * width, row, row + 4L * width, whole, linear, cubic);
            for (int c = whole; c < width; c += BLOCK) {
                int count = Math.min(BLOCK, width - c);
                long gate = x + 4 * (2L * r * width + c);
                Memory.copy(gate, xs[worker], 0, count);
                ActivationFunctions.values(f, xs[worker], values[worker], count);
                multiply(gate + 4L * width, values[worker], out + 4 * ((long) r * width + c), count);
            }
        }
    }

    private void gatedBackward(int task, int worker) {
        int end = Math.min(rows, (task + 1) * chunk);
        int whole = inOnePass(width);
        for (int r = task * chunk; r < end; r++) {
            long row = 8L * r * width;
            long half = 4L * width;
            LogisticUnits.gatedBackward(
                    dx + row, dx + row + half, dout + row / 2, x + row, x + row + half, whole, linear, cubic);
            for (int c = whole; c < width; c += BLOCK) {
                int count = Math.min(BLOCK, width - c);
                long gate = 4 * (2L * r * width + c);
                long d = dout + 4 * ((long) r * width + c);
                long up = gate + 4L * width;
                Memory.copy(x + gate, xs[worker], 0, count);
                ActivationFunctions.slopes(f, xs[worker], values[worker], slopes[worker], count);
                multiply(d, values[worker], dx + up, count);
                multiply(x + up, slopes[worker], dx + gate, d, count);
            }
        }
    }

    /** to = from * factors. */
    private static void multiply(long from, float[] factors, long to, int count) {
        int full = SPECIES.loopBound(count);
        for (int i = 0; i < full; i += LANES) {
            fromMemorySegment(SPECIES, ALL, from + 4L * i, ORDER)
                    .mul(fromArray(SPECIES, factors, i))
                    .intoMemorySegment(ALL, to + 4L * i, ORDER);
        }
        for (int i = full; i < count; i++) {
            Memory.set(to + 4L * i, Memory.get(from + 4L * i) * factors[i]);
        }
    }

    /** to = from * d * factors. */
    private static void multiply(long from, float[] factors, long to, long d, int count) {
        int full = SPECIES.loopBound(count);
        for (int i = 0; i < full; i += LANES) {
            FloatVector product = fromMemorySegment(SPECIES, ALL, from + 4L * i, ORDER)
                    .mul(fromMemorySegment(SPECIES, ALL, d + 4L * i, ORDER));
            product.mul(fromArray(SPECIES, factors, i)).intoMemorySegment(ALL, to + 4L * i, ORDER);
        }
        for (int i = full; i < count; i++) {
            Memory.set(to + 4L * i, Memory.get(from + 4L * i) * Memory.get(d + 4L * i) * factors[i]);
        }
    }
}
