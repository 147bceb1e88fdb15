package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import dev.whirlwind.model.Ops;
import jdk.incubator.vector.FloatVector;

/**
 * The sum of squares in {@link Ops#PARTIALS} partial sums, for the gradient's norm. What each covers depends on the
 * length only; within it, lanes are summed over short stretches and these in double, so that the sum of millions is as
 * exact as a float can be.
 */
final class SumOfSquares {
    private static final int STRETCH = 1 << 12;

    private final Workers workers;
    private final Workers.Task partial = this::partial;

    // The call in progress; addresses.
    private long partials;
    private long x;
    private long length;
    private long chunk;

    SumOfSquares(Workers workers) {
        this.workers = workers;
    }

    void run(long partials, long x, long length) {
        this.partials = partials;
        this.x = x;
        this.length = length;
        chunk = Math.max(STRETCH, Math.ceilDiv(length, (long) Ops.PARTIALS));
        workers.run(Ops.PARTIALS, partial);
    }

    private void partial(int task, int worker) {
        long end = Math.min(length, (task + 1) * chunk);
        double sum = 0;
        for (long i = task * chunk; i < end; i += STRETCH) {
            sum += stretch(x + 4 * i, (int) Math.min(STRETCH, end - i));
        }
        Memory.set(partials + 4L * task, (float) sum);
    }

    /** Four sums at a time, because an addition takes about four cycles. */
    private static float stretch(long x, int length) {
        FloatVector sum0 = FloatVector.zero(SPECIES);
        FloatVector sum1 = sum0;
        FloatVector sum2 = sum0;
        FloatVector sum3 = sum0;
        int i = 0;
        for (; i + 4 * LANES <= length; i += 4 * LANES) {
            FloatVector x0 = fromMemorySegment(SPECIES, ALL, x + 4L * i, ORDER);
            FloatVector x1 = fromMemorySegment(SPECIES, ALL, x + 4L * (i + LANES), ORDER);
            FloatVector x2 = fromMemorySegment(SPECIES, ALL, x + 4L * (i + 2 * LANES), ORDER);
            FloatVector x3 = fromMemorySegment(SPECIES, ALL, x + 4L * (i + 3 * LANES), ORDER);
            sum0 = x0.fma(x0, sum0);
            sum1 = x1.fma(x1, sum1);
            sum2 = x2.fma(x2, sum2);
            sum3 = x3.fma(x3, sum3);
        }
        float sum = VectorMath.sum(sum0.add(sum1).add(sum2.add(sum3)));
        for (; i < length; i++) {
            float v = Memory.get(x + 4L * i);
            sum = Math.fma(v, v, sum);
        }
        return sum;
    }
}
