package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import jdk.incubator.vector.FloatVector;

/**
 * The logistic forms of {@link Activations} on whole vectors of native memory: those that most models have (SwiGLU and
 * GPT-2's GELU), in one pass each. With s the logistic function of a x + b x^3: f(x) = x s, f'(x) = s + x (a + 3 b x^2) s
 * (1 - s). Addresses; counts are multiples of a vector's length.
 */
final class LogisticUnits {
    private LogisticUnits() {}

    /** out = f(x). */
    static void forward(long out, long x, int count, float a, float b) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector v = fromMemorySegment(SPECIES, ALL, x + 4L * i, ORDER);
            v.mul(logistic(v, -a, -b)).intoMemorySegment(ALL, out + 4L * i, ORDER);
        }
    }

    /** dx = dout f'(x). */
    static void backward(long dx, long dout, long x, int count, float a, float b) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector v = fromMemorySegment(SPECIES, ALL, x + 4L * i, ORDER);
            FloatVector s = logistic(v, -a, -b);
            FloatVector rise = v.mul(3 * b).mul(v).add(a).mul(v).mul(s.sub(s.mul(s)));
            fromMemorySegment(SPECIES, ALL, dout + 4L * i, ORDER)
                    .mul(s.add(rise))
                    .intoMemorySegment(ALL, dx + 4L * i, ORDER);
        }
    }

    /** out = f(gate) up. */
    static void gated(long out, long gate, long up, int count, float a, float b) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector g = fromMemorySegment(SPECIES, ALL, gate + 4L * i, ORDER);
            g.mul(logistic(g, -a, -b))
                    .mul(fromMemorySegment(SPECIES, ALL, up + 4L * i, ORDER))
                    .intoMemorySegment(ALL, out + 4L * i, ORDER);
        }
    }

    /** dgate = dout up f'(gate), dup = dout f(gate). */
    static void gatedBackward(long dgate, long dup, long dout, long gate, long up, int count, float a, float b) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector g = fromMemorySegment(SPECIES, ALL, gate + 4L * i, ORDER);
            FloatVector s = logistic(g, -a, -b);
            FloatVector slope =
                    g.mul(3 * b).mul(g).add(a).mul(g).mul(s.sub(s.mul(s))).add(s);
            FloatVector d = fromMemorySegment(SPECIES, ALL, dout + 4L * i, ORDER);
            FloatVector u = fromMemorySegment(SPECIES, ALL, up + 4L * i, ORDER);
            d.mul(g.mul(s)).intoMemorySegment(ALL, dup + 4L * i, ORDER);
            d.mul(u).mul(slope).intoMemorySegment(ALL, dgate + 4L * i, ORDER);
        }
    }

    /** 1 / (1 + exp(minusA x + minusB x^3)). */
    private static FloatVector logistic(FloatVector x, float minusA, float minusB) {
        FloatVector argument = x.mul(minusB).mul(x).add(minusA).mul(x);
        return FloatVector.broadcast(SPECIES, 1f).div(VectorMath.exp(argument).add(1f));
    }
}
