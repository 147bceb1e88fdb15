package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import dev.whirlwind.model.AttentionShape;
import dev.whirlwind.model.Inputs;
import jdk.incubator.vector.FloatVector;

/**
 * Rotary positions (Su et al., arXiv 2104.09864), the half-rotation form. For each query and key head, with a its first
 * half and b its second, in place:
 *
 * <p>forward: (a, b) becomes (a cos - b sin, b cos + a sin);
 *
 * <p>backward, the inverse rotation: (a, b) becomes (a cos + b sin, b cos - a sin).
 */
final class Rope {
    private final Workers workers;
    private final Workers.Task rotate = this::rotate;

    // The call in progress; addresses.
    private long qkv;
    private long cos;
    private long sin;
    private AttentionShape shape;
    private Inputs inputs;
    private float direction;
    private int chunk;

    Rope(Workers workers) {
        this.workers = workers;
    }

    void forward(long qkv, long cos, long sin, AttentionShape shape, Inputs inputs) {
        rotate(qkv, cos, sin, shape, inputs, 1);
    }

    void backward(long dqkv, long cos, long sin, AttentionShape shape, Inputs inputs) {
        rotate(dqkv, cos, sin, shape, inputs, -1);
    }

    private void rotate(long qkv, long cos, long sin, AttentionShape shape, Inputs inputs, float direction) {
        this.qkv = qkv;
        this.cos = cos;
        this.sin = sin;
        this.shape = shape;
        this.inputs = inputs;
        this.direction = direction;
        chunk = Chunks.rowsPerTask(shape.qkvWidth());
        workers.run(Math.ceilDiv(shape.rows(), chunk), rotate);
    }

    private void rotate(int task, int worker) {
        int half = shape.headDim() / 2;
        int end = Math.min(shape.rows(), (task + 1) * chunk);
        for (int r = task * chunk; r < end; r++) {
            long angles = 4L * (inputs.position + r % shape.sequence() - inputs.starts[r]) * half;
            for (int h = 0; h < shape.heads() + shape.kvHeads(); h++) {
                long head = qkv + 4L * ((long) r * shape.qkvWidth() + (long) h * shape.headDim());
                rotate(head, head + 4L * half, cos + angles, sin + angles, direction, half);
            }
        }
    }

    private static void rotate(long a, long b, long cos, long sin, float direction, int half) {
        int full = SPECIES.loopBound(half);
        for (int i = 0; i < full; i += LANES) {
            FloatVector va = fromMemorySegment(SPECIES, ALL, a + 4L * i, ORDER);
            FloatVector vb = fromMemorySegment(SPECIES, ALL, b + 4L * i, ORDER);
            FloatVector c = fromMemorySegment(SPECIES, ALL, cos + 4L * i, ORDER);
            FloatVector s = fromMemorySegment(SPECIES, ALL, sin + 4L * i, ORDER).mul(direction);
            va.mul(c).sub(vb.mul(s)).intoMemorySegment(ALL, a + 4L * i, ORDER);
            vb.mul(c).add(va.mul(s)).intoMemorySegment(ALL, b + 4L * i, ORDER);
        }
        for (int i = full; i < half; i++) {
            float fa = Memory.get(a + 4L * i);
            float fb = Memory.get(b + 4L * i);
            float c = Memory.get(cos + 4L * i);
            float s = Memory.get(sin + 4L * i) * direction;
            Memory.set(a + 4L * i, fa * c - fb * s);
            Memory.set(b + 4L * i, fb * c + fa * s);
        }
    }
}
