package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import jdk.incubator.vector.FloatVector;

/**
 * GELU (Hendrycks and Gimpel, arXiv 1606.08415), the tanh form of GPT-2. With u = sqrt(2 / pi) (x + 0.044715 x^3), and
 * because (1 + tanh u) / 2 is the logistic function s of 2 u:
 *
 * <p>forward: out = x s(2u);
 *
 * <p>backward: dx = dout (s + x s (1 - s) 2u'), u' = sqrt(2 / pi) (1 + 3 * 0.044715 x^2).
 */
final class Gelu {
    private static final double TWICE_SQRT_2_OVER_PI = 2 * Math.sqrt(2 / Math.PI);
    private static final float LINEAR = (float) TWICE_SQRT_2_OVER_PI;
    private static final float CUBIC = (float) (TWICE_SQRT_2_OVER_PI * 0.044715);

    private final Workers workers;
    private final Scratch scratch;
    private final Workers.Task forward = this::forward;
    private final Workers.Task backward = this::backward;

    // The call in progress; addresses.
    private long out;
    private long x;
    private long dx;
    private long dout;
    private long whole;

    Gelu(Workers workers, Scratch scratch) {
        this.workers = workers;
        this.scratch = scratch;
    }

    void forward(long out, long x, long length) {
        this.out = out;
        this.x = x;
        int rest = (int) (length % LANES);
        whole = length - rest;
        workers.run(Chunks.tasks(whole), forward);
        if (rest > 0) {
            long padded = scratch.reserve(LANES);
            Memory.copy(x + 4 * whole, padded, rest);
            forward(padded, padded, LANES);
            Memory.copy(padded, out + 4 * whole, rest);
        }
    }

    private void forward(int task, int worker) {
        long from = 4 * Chunks.start(task, whole);
        forward(out + from, x + from, Chunks.count(task, whole));
    }

    private static void forward(long out, long x, int count) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector v = fromMemorySegment(SPECIES, ALL, x + 4L * i, ORDER);
            v.mul(logistic(v)).intoMemorySegment(ALL, out + 4L * i, ORDER);
        }
    }

    void backward(long dx, long dout, long x, long length) {
        this.dx = dx;
        this.dout = dout;
        this.x = x;
        int rest = (int) (length % LANES);
        whole = length - rest;
        workers.run(Chunks.tasks(whole), backward);
        if (rest > 0) {
            long paddedX = scratch.reserve(2L * LANES);
            long paddedD = paddedX + 4L * LANES;
            Memory.copy(x + 4 * whole, paddedX, rest);
            Memory.copy(dout + 4 * whole, paddedD, rest);
            backward(paddedD, paddedD, paddedX, LANES);
            Memory.copy(paddedD, dx + 4 * whole, rest);
        }
    }

    private void backward(int task, int worker) {
        long from = 4 * Chunks.start(task, whole);
        backward(dx + from, dout + from, x + from, Chunks.count(task, whole));
    }

    private static void backward(long dx, long dout, long x, int count) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector v = fromMemorySegment(SPECIES, ALL, x + 4L * i, ORDER);
            FloatVector s = logistic(v);
            FloatVector slope = v.mul(v).mul(3 * CUBIC).add(LINEAR);
            FloatVector rise = v.mul(slope).mul(s.sub(s.mul(s)));
            fromMemorySegment(SPECIES, ALL, dout + 4L * i, ORDER)
                    .mul(s.add(rise))
                    .intoMemorySegment(ALL, dx + 4L * i, ORDER);
        }
    }

    /** s(2u) = 1 / (1 + exp(-2u)). */
    private static FloatVector logistic(FloatVector x) {
        FloatVector minus2u = x.mul(x).mul(-CUBIC).add(-LINEAR).mul(x);
        return FloatVector.broadcast(SPECIES, 1f).div(VectorMath.exp(minus2u).add(1f));
    }
}
