package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import dev.whirlwind.model.Ops;
import jdk.incubator.vector.FloatVector;

/**
 * What optimizers make of gradients element by element: Nesterov's momentum, lengths, weighted sums. A step along a
 * direction is a weighted sum, too.
 */
final class Directions {
    private final Workers workers;
    private final Workers.Task momentum = this::momentum;
    private final Workers.Task combine = this::combine;
    private final Workers.Task pull = this::pull;

    // The call in progress; addresses.
    private long out;
    private long x;
    private long y;
    private long z;
    private long length;
    private float a;
    private float b;

    Directions(Workers workers) {
        this.workers = workers;
    }

    /** With g = gradient * scale: m = momentum m + (1 - momentum) g; gradient = momentum m + (1 - momentum) g. */
    void momentum(long gradient, long m, long length, float momentum, float scale) {
        x = gradient;
        y = m;
        this.length = length;
        a = momentum;
        b = (1 - momentum) * scale;
        workers.run(Chunks.tasks(length), this.momentum);
    }

    private void momentum(int task, int worker) {
        long from = 4 * Chunks.start(task, length);
        int count = Chunks.count(task, length);
        int full = SPECIES.loopBound(count);
        momentumVectors(x + from, y + from, full, a, b);
        for (int i = full; i < count; i++) {
            float g = Memory.get(x + from + 4L * i) * b;
            float m = Memory.get(y + from + 4L * i) * a + g;
            Memory.set(y + from + 4L * i, m);
            Memory.set(x + from + 4L * i, m * a + g);
        }
    }

    private static void momentumVectors(long gradient, long m, int count, float momentum, float scale) {
        for (int i = 0; i < 4 * count; i += 4 * LANES) {
            FloatVector g = fromMemorySegment(SPECIES, ALL, gradient + i, ORDER).mul(scale);
            FloatVector newM =
                    fromMemorySegment(SPECIES, ALL, m + i, ORDER).mul(momentum).add(g);
            newM.intoMemorySegment(ALL, m + i, ORDER);
            newM.mul(momentum).add(g).intoMemorySegment(ALL, gradient + i, ORDER);
        }
    }

    /** x = x / max(least, scale sqrt(sum of partials)). */
    void divideByNorm(long x, long partials, long length, float least, float scale) {
        double squares = 0;
        for (int i = 0; i < Ops.PARTIALS; i++) {
            squares += Memory.get(partials + 4L * i);
        }
        combine(x, x, x, length, (float) (1 / Math.max(least, scale * Math.sqrt(squares))), 0);
    }

    /** out = a x + b y; out may be x or y, and both may be one. */
    void combine(long out, long x, long y, long length, float a, float b) {
        this.out = out;
        this.x = x;
        this.y = y;
        this.length = length;
        this.a = a;
        this.b = b;
        workers.run(Chunks.tasks(length), combine);
    }

    private void combine(int task, int worker) {
        long from = 4 * Chunks.start(task, length);
        int count = Chunks.count(task, length);
        int full = SPECIES.loopBound(count);
        combineVectors(out + from, x + from, y + from, full, a, b);
        for (int i = full; i < count; i++) {
            long at = from + 4L * i;
            Memory.set(out + at, Memory.get(x + at) * a + Memory.get(y + at) * b);
        }
    }

    private static void combineVectors(long out, long x, long y, int count, float a, float b) {
        for (int i = 0; i < 4 * count; i += 4 * LANES) {
            fromMemorySegment(SPECIES, ALL, x + i, ORDER)
                    .mul(a)
                    .add(fromMemorySegment(SPECIES, ALL, y + i, ORDER).mul(b))
                    .intoMemorySegment(ALL, out + i, ORDER);
        }
    }

    /** gradient += strength * importance * (parameter - start). */
    void pull(long gradient, long importance, long parameter, long start, long length, float strength) {
        out = gradient;
        x = importance;
        y = parameter;
        z = start;
        this.length = length;
        a = strength;
        workers.run(Chunks.tasks(length), pull);
    }

    private void pull(int task, int worker) {
        long from = 4 * Chunks.start(task, length);
        int count = Chunks.count(task, length);
        int full = SPECIES.loopBound(count);
        pullVectors(out + from, x + from, y + from, z + from, full, a);
        for (int i = full; i < count; i++) {
            long at = from + 4L * i;
            float distance = Memory.get(y + at) - Memory.get(z + at);
            Memory.set(out + at, Memory.get(out + at) + Memory.get(x + at) * a * distance);
        }
    }

    private static void pullVectors(long gradient, long importance, long parameter, long start, int count, float a) {
        for (int i = 0; i < 4 * count; i += 4 * LANES) {
            FloatVector distance = fromMemorySegment(SPECIES, ALL, parameter + i, ORDER)
                    .sub(fromMemorySegment(SPECIES, ALL, start + i, ORDER));
            fromMemorySegment(SPECIES, ALL, gradient + i, ORDER)
                    .add(fromMemorySegment(SPECIES, ALL, importance + i, ORDER)
                            .mul(a)
                            .mul(distance))
                    .intoMemorySegment(ALL, gradient + i, ORDER);
        }
    }
}
