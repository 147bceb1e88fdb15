package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import dev.whirlwind.model.Dropout;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Philox;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * Sums, dropout, noise and zeros.
 *
 * <p>add: out = a + b; its backward form is a plain use of the gradient.
 *
 * <p>dropout (Srivastava et al., JMLR 15, 2014; inverted form): out = x mask / (1 - p); its backward form is itself.
 */
final class Elementwise {
    private final Workers workers;
    private final Mask mask = new Mask();
    private final Workers.Task add = this::add;
    private final Workers.Task dropout = this::dropout;
    private final Workers.Task noise = this::addNoise;
    private final Workers.Task copy = this::copy;
    private final Workers.Task zero = this::zero;

    // The call in progress; addresses.
    private long out;
    private long a;
    private long b;
    private long length;
    private float keptScale;
    private float magnitude;
    private Inputs inputs;
    private int layer;

    Elementwise(Workers workers) {
        this.workers = workers;
    }

    void add(long out, long a, long b, long length) {
        this.out = out;
        this.a = a;
        this.b = b;
        this.length = length;
        workers.run(Chunks.tasks(length), add);
    }

    private void add(int task, int worker) {
        long from = 4 * Chunks.start(task, length);
        add(out + from, a + from, b + from, Chunks.count(task, length));
    }

    /** out = a + b for so many elements. */
    static void add(long out, long a, long b, int count) {
        int full = SPECIES.loopBound(count);
        for (int i = 0; i < full; i += LANES) {
            fromMemorySegment(SPECIES, ALL, a + 4L * i, ORDER)
                    .add(fromMemorySegment(SPECIES, ALL, b + 4L * i, ORDER))
                    .intoMemorySegment(ALL, out + 4L * i, ORDER);
        }
        for (int i = full; i < count; i++) {
            Memory.set(out + 4L * i, Memory.get(a + 4L * i) + Memory.get(b + 4L * i));
        }
    }

    void dropout(long out, long x, long length, Dropout dropout, Inputs inputs, int layer) {
        this.out = out;
        a = x;
        this.length = length;
        keptScale = dropout.keptScale();
        mask.begin(inputs, layer, dropout);
        workers.run(Chunks.tasks(length), dropout.active() ? this.dropout : copy);
    }

    private void copy(int task, int worker) {
        long from = 4 * Chunks.start(task, length);
        Memory.copy(a + from, out + from, Chunks.count(task, length));
    }

    private void dropout(int task, int worker) {
        long to = Chunks.start(task + 1, length);
        for (long i = Chunks.start(task, length); i < to; i += Mask.ELEMENTS) {
            long kept = mask.kept(i);
            if (i + Mask.ELEMENTS <= to) {
                dropout(out + 4 * i, a + 4 * i, kept, keptScale);
            } else {
                dropoutRest(out + 4 * i, a + 4 * i, kept, keptScale, (int) (to - i));
            }
        }
    }

    private static void dropout(long out, long x, long kept, float scale) {
        for (int i = 0; i < Mask.ELEMENTS; i += LANES) {
            VectorMask<Float> lanes = VectorMask.fromLong(SPECIES, kept >>> i);
            FloatVector scaled =
                    fromMemorySegment(SPECIES, ALL, x + 4L * i, ORDER).mul(scale);
            FloatVector.zero(SPECIES).blend(scaled, lanes).intoMemorySegment(ALL, out + 4L * i, ORDER);
        }
    }

    private static void dropoutRest(long out, long x, long kept, float scale, int rest) {
        for (int i = 0; i < rest; i++) {
            Memory.set(out + 4L * i, (kept >>> i & 1) == 1 ? Memory.get(x + 4L * i) * scale : 0);
        }
    }

    /** x += magnitude * (uniform in [-1, 1)). */
    void addNoise(long x, long length, float magnitude, Inputs inputs, int layer) {
        out = x;
        this.length = length;
        this.magnitude = magnitude;
        this.inputs = inputs;
        this.layer = layer;
        workers.run(Chunks.tasks(length), noise);
    }

    private void addNoise(int task, int worker) {
        int[] bits = new int[4];
        long to = Chunks.start(task + 1, length);
        for (long i = Chunks.start(task, length); i < to; i++) {
            if (i % 4 == 0) {
                Philox.maskBlock(inputs, layer, Philox.NOISE, i / 4, bits);
            }
            float uniform = (bits[(int) (i % 4)] >> 8) * 0x1p-23f;
            Memory.set(out + 4 * i, Memory.get(out + 4 * i) + magnitude * uniform);
        }
    }

    void zero(long x, long length) {
        out = x;
        this.length = length;
        workers.run(Chunks.tasks(length), zero);
    }

    private void zero(int task, int worker) {
        Memory.zero(out + 4 * Chunks.start(task, length), Chunks.count(task, length));
    }
}
