package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.broadcast;
import static jdk.incubator.vector.FloatVector.fromArray;

import dev.whirlwind.model.Activation;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Activations and their slopes on the first {@code count} floats of arrays, rounded up to whole vectors. All are x p(x):
 *
 * <p>logistic: p = s(a x + b x^3), s the logistic function; slope = s + x (a + 3 b x^2) s (1 - s);
 *
 * <p>normal: p = Phi(x), the distribution function; slope = Phi(x) + x phi(x), phi(x) = exp(-x^2 / 2) / sqrt(2 pi);
 *
 * <p>relu: p = 1 for x above 0, and 0.
 */
final class ActivationFunctions {
    private static final float ROOT_OF_2_PI = (float) Math.sqrt(2 * Math.PI);

    // Minimax polynomials, our own fits: (Phi(x) - 1/2) / x in x^2 up to |x| = 1, and the tail Phi(-x) exp(x^2 / 2) / r
    // in
    // r = 1 / (1 + x / 2) beyond.
    private static final float CENTRE_0 = 0.3989423f;
    private static final float CENTRE_1 = -0.06649036f;
    private static final float CENTRE_2 = 0.00997333f;
    private static final float CENTRE_3 = -0.0011863485f;
    private static final float CENTRE_4 = 0.00011350748f;
    private static final float CENTRE_5 = -7.662608e-6f;
    private static final float TAIL_0 = 0.19947042f;
    private static final float TAIL_1 = 0.19944857f;
    private static final float TAIL_2 = 0.15051712f;
    private static final float TAIL_3 = 0.03873814f;
    private static final float TAIL_4 = 0.0054519163f;
    private static final float TAIL_5 = -0.3406083f;
    private static final float TAIL_6 = 0.3736067f;
    private static final float TAIL_7 = -0.12756044f;

    private ActivationFunctions() {}

    /** y = f(x). */
    static void values(Activation f, float[] x, float[] y, int count) {
        switch (f) {
            case SILU, QUICK_GELU, GELU_TANH -> logistic(x, y, (float) -f.linear(), (float) -f.cubic(), count);
            case GELU -> {
                normal(x, y, y, count);
                times(x, y, count);
            }
            case RELU -> relu(x, y, count);
        }
    }

    /** y = f(x), slope = f'(x). */
    static void slopes(Activation f, float[] x, float[] y, float[] slope, int count) {
        switch (f) {
            case SILU, QUICK_GELU, GELU_TANH ->
                logisticSlopes(x, y, slope, (float) f.linear(), (float) f.cubic(), count);
            case GELU -> {
                normal(x, y, slope, count);
                normalSlopes(x, y, slope, count);
            }
            case RELU -> {
                relu(x, y, count);
                steps(x, slope, count);
            }
        }
    }

    private static void logistic(float[] x, float[] y, float minusLinear, float minusCubic, int count) {
        FloatVector one = broadcast(SPECIES, 1f);
        for (int i = 0; i < count; i += LANES) {
            FloatVector v = fromArray(SPECIES, x, i);
            FloatVector e =
                    VectorMath.exp(v.mul(minusCubic).mul(v).add(minusLinear).mul(v));
            v.mul(one.div(e.add(1f))).intoArray(y, i);
        }
    }

    private static void logisticSlopes(float[] x, float[] y, float[] slope, float linear, float cubic, int count) {
        FloatVector one = broadcast(SPECIES, 1f);
        for (int i = 0; i < count; i += LANES) {
            FloatVector v = fromArray(SPECIES, x, i);
            FloatVector bend = v.mul(cubic).mul(v);
            FloatVector e = VectorMath.exp(bend.add(linear).mul(v).neg());
            FloatVector s = one.div(e.add(1f));
            FloatVector rise = bend.mul(3f).add(linear).mul(v);
            v.mul(s).intoArray(y, i);
            rise.mul(s.sub(s.mul(s))).add(s).intoArray(slope, i);
        }
    }

    /** p = Phi(x), within 5 units in the last place, and e = exp(-x^2 / 2); one of them is lost where they are the same. */
    private static void normal(float[] x, float[] p, float[] e, int count) {
        FloatVector one = broadcast(SPECIES, 1f);
        for (int i = 0; i < count; i += LANES) {
            FloatVector v = fromArray(SPECIES, x, i);
            FloatVector square = v.mul(v);
            FloatVector exp = VectorMath.exp(square.mul(-0.5f));
            // What rounding took from the square.
            exp = exp.sub(exp.mul(v.fma(v, square.neg())).mul(0.5f));
            exp.intoArray(e, i);
            FloatVector r = one.div(v.abs().mul(0.5f).add(1f));
            FloatVector t = broadcast(SPECIES, TAIL_7).fma(r, broadcast(SPECIES, TAIL_6));
            t = t.fma(r, broadcast(SPECIES, TAIL_5)).fma(r, broadcast(SPECIES, TAIL_4));
            t = t.fma(r, broadcast(SPECIES, TAIL_3)).fma(r, broadcast(SPECIES, TAIL_2));
            t = t.fma(r, broadcast(SPECIES, TAIL_1)).fma(r, broadcast(SPECIES, TAIL_0));
            t = t.mul(r).mul(exp);
            t = t.blend(one.sub(t), v.compare(VectorOperators.GT, 0f));
            t.intoArray(p, i);
        }
        centre(x, p, count);
    }

    /** p = Phi(x) where |x| is below 1, by another polynomial. */
    private static void centre(float[] x, float[] p, int count) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector v = fromArray(SPECIES, x, i);
            FloatVector square = v.mul(v);
            FloatVector c = broadcast(SPECIES, CENTRE_5).fma(square, broadcast(SPECIES, CENTRE_4));
            c = c.fma(square, broadcast(SPECIES, CENTRE_3)).fma(square, broadcast(SPECIES, CENTRE_2));
            c = c.fma(square, broadcast(SPECIES, CENTRE_1)).fma(square, broadcast(SPECIES, CENTRE_0));
            c = c.fma(v, broadcast(SPECIES, 0.5f));
            fromArray(SPECIES, p, i)
                    .blend(c, square.compare(VectorOperators.LT, 1f))
                    .intoArray(p, i);
        }
    }

    /** From p and e: slope = p + x e / sqrt(2 pi), y = x p. */
    private static void normalSlopes(float[] x, float[] y, float[] slope, int count) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector v = fromArray(SPECIES, x, i);
            FloatVector p = fromArray(SPECIES, y, i);
            FloatVector density = fromArray(SPECIES, slope, i).mul(1 / ROOT_OF_2_PI);
            // Not x times 0 where x is infinite: beyond 100 the density is 0.
            v.max(-100f).min(100f).mul(density).add(p).intoArray(slope, i);
            v.mul(p).intoArray(y, i);
        }
    }

    private static void times(float[] x, float[] y, int count) {
        for (int i = 0; i < count; i += LANES) {
            fromArray(SPECIES, x, i).mul(fromArray(SPECIES, y, i)).intoArray(y, i);
        }
    }

    private static void relu(float[] x, float[] y, int count) {
        for (int i = 0; i < count; i += LANES) {
            fromArray(SPECIES, x, i).max(0f).intoArray(y, i);
        }
    }

    private static void steps(float[] x, float[] slope, int count) {
        FloatVector zero = FloatVector.zero(SPECIES);
        for (int i = 0; i < count; i += LANES) {
            zero.blend(1f, fromArray(SPECIES, x, i).compare(VectorOperators.GT, 0f))
                    .intoArray(slope, i);
        }
    }
}
