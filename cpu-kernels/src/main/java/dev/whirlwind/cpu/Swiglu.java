package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import jdk.incubator.vector.FloatVector;

/**
 * SwiGLU (Shazeer, arXiv 2002.05202). A row of x holds gate, then up; with s the logistic function of gate:
 *
 * <p>forward: out = gate s up;
 *
 * <p>backward: dup = dout gate s; dgate = dout up s (1 + gate (1 - s)).
 */
final class Swiglu {
    private final Workers workers;
    private final Scratch scratch;
    private final Workers.Task forward = this::forward;
    private final Workers.Task backward = this::backward;

    // The call in progress; addresses.
    private long out;
    private long x;
    private long dx;
    private long dout;
    private long padding;
    private int rows;
    private int width;
    private int chunk;

    Swiglu(Workers workers, Scratch scratch) {
        this.workers = workers;
        this.scratch = scratch;
    }

    void forward(long out, long x, int rows, int width) {
        this.out = out;
        begin(x, rows, width);
        workers.run(Math.ceilDiv(rows, chunk), forward);
    }

    void backward(long dx, long dout, long x, int rows, int width) {
        this.dx = dx;
        this.dout = dout;
        begin(x, rows, width);
        workers.run(Math.ceilDiv(rows, chunk), backward);
    }

    private void begin(long x, int rows, int width) {
        this.x = x;
        this.rows = rows;
        this.width = width;
        chunk = Chunks.rowsPerTask(width);
        padding = scratch.reserve(3L * LANES * workers.threads());
    }

    private void forward(int task, int worker) {
        int full = SPECIES.loopBound(width);
        int end = Math.min(rows, (task + 1) * chunk);
        for (int r = task * chunk; r < end; r++) {
            long to = out + 4L * r * width;
            long gate = x + 8L * r * width;
            long up = gate + 4L * width;
            forwardRow(to, gate, up, full);
            if (full < width) {
                forwardRest(to + 4L * full, gate + 4L * full, up + 4L * full, width - full, worker);
            }
        }
    }

    private void forwardRest(long to, long gate, long up, int rest, int worker) {
        long paddedGate = padding + 12L * LANES * worker;
        long paddedUp = paddedGate + 4L * LANES;
        Memory.copy(gate, paddedGate, rest);
        Memory.copy(up, paddedUp, rest);
        forwardRow(paddedGate, paddedGate, paddedUp, LANES);
        Memory.copy(paddedGate, to, rest);
    }

    private static void forwardRow(long to, long gate, long up, int width) {
        for (int c = 0; c < width; c += LANES) {
            FloatVector g = fromMemorySegment(SPECIES, ALL, gate + 4L * c, ORDER);
            g.mul(logistic(g))
                    .mul(fromMemorySegment(SPECIES, ALL, up + 4L * c, ORDER))
                    .intoMemorySegment(ALL, to + 4L * c, ORDER);
        }
    }

    private void backward(int task, int worker) {
        int full = SPECIES.loopBound(width);
        int end = Math.min(rows, (task + 1) * chunk);
        for (int r = task * chunk; r < end; r++) {
            long d = dout + 4L * r * width;
            long gate = 8L * r * width;
            long up = gate + 4L * width;
            backwardRow(dx + gate, dx + up, d, x + gate, x + up, full);
            if (full < width) {
                backwardRest(gate + 4L * full, up + 4L * full, d + 4L * full, width - full, worker);
            }
        }
    }

    private void backwardRest(long gate, long up, long d, int rest, int worker) {
        long paddedGate = padding + 12L * LANES * worker;
        long paddedUp = paddedGate + 4L * LANES;
        long paddedD = paddedUp + 4L * LANES;
        Memory.copy(x + gate, paddedGate, rest);
        Memory.copy(x + up, paddedUp, rest);
        Memory.copy(d, paddedD, rest);
        backwardRow(paddedGate, paddedUp, paddedD, paddedGate, paddedUp, LANES);
        Memory.copy(paddedGate, dx + gate, rest);
        Memory.copy(paddedUp, dx + up, rest);
    }

    private static void backwardRow(long dgate, long dup, long dout, long gate, long up, int width) {
        for (int c = 0; c < width; c += LANES) {
            FloatVector g = fromMemorySegment(SPECIES, ALL, gate + 4L * c, ORDER);
            FloatVector s = logistic(g);
            FloatVector ds =
                    fromMemorySegment(SPECIES, ALL, dout + 4L * c, ORDER).mul(s);
            FloatVector slope = g.sub(g.mul(s)).add(1f);
            FloatVector u = fromMemorySegment(SPECIES, ALL, up + 4L * c, ORDER);
            ds.mul(g).intoMemorySegment(ALL, dup + 4L * c, ORDER);
            ds.mul(u).mul(slope).intoMemorySegment(ALL, dgate + 4L * c, ORDER);
        }
    }

    private static FloatVector logistic(FloatVector x) {
        return FloatVector.broadcast(SPECIES, 1f).div(VectorMath.exp(x.neg()).add(1f));
    }
}
