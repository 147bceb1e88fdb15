package dev.whirlwind.cpu;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Elementary functions of whole vectors, by argument reduction and minimax polynomials (Muller, Elementary Functions,
 * 2016, chapters 3 and 11); coefficients are our own fits. The JDK's lanewise EXP and TANH call a library per vector at
 * best and run lane by lane at worst; these inline into the loop around them. Lanes are independent of each other and of
 * the vector's width, so tails give the same bits as bodies.
 */
final class VectorMath {
    private static final VectorSpecies<Float> SPECIES = Memory.SPECIES;

    private static final float LOG2_E = 1.442695f;
    /** ln 2 in two parts, the first short enough that its product with an exponent is exact. */
    private static final float LN2_HIGH = 0.6933594f;

    private static final float LN2_LOW = -2.1219444e-4f;
    /** Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits. */
    private static final float ROUNDER = 12582912f;

    // The minimax polynomial of e^r: 1 + r + r^2 (EXP_1 + r EXP_2 + r^2 EXP_3 + ...).
    private static final float EXP_1 = 0.49999994f;
    private static final float EXP_2 = 0.1666652f;
    private static final float EXP_3 = 0.041668408f;
    private static final float EXP_4 = 0.008368901f;
    private static final float EXP_5 = 0.001381423f;

    /** Below, the result would be subnormal: it becomes 0. */
    private static final float EXP_SMALLEST = -87.33654f;

    /** Above, the result would be infinite. */
    private static final float EXP_LARGEST = 88.72283f;

    private static final int MANTISSA_BITS = 23;

    /** Up to here tanh is a polynomial; beyond, its distance from 1 is taken from exp. */
    private static final float TANH_SMALL = 0.6f;

    private static final VectorShuffle<Float> BY_8 = rotation(8);
    private static final VectorShuffle<Float> BY_4 = rotation(4);
    private static final VectorShuffle<Float> BY_2 = rotation(2);
    private static final VectorShuffle<Float> BY_1 = rotation(1);

    private VectorMath() {}

    /**
     * The sum of all lanes, by halves: always in the same order. {@link FloatVector#reduceLanes} promises none for
     * sums, and gives other bits once compiled than it did while interpreted; so sums that must be the same in each run
     * take this.
     */
    static float sum(FloatVector x) {
        FloatVector sum = x;
        if (Memory.LANES > 8) {
            sum = sum.add(sum.rearrange(BY_8));
        }
        if (Memory.LANES > 4) {
            sum = sum.add(sum.rearrange(BY_4));
        }
        if (Memory.LANES > 2) {
            sum = sum.add(sum.rearrange(BY_2));
        }
        return sum.add(sum.rearrange(BY_1)).lane(0);
    }

    /**
     * The sum of the first {@code count} floats. The array is whole vectors long, one more than the floats need: what lies
     * beyond them is lost. (No vector is handed on, because it might become an object: {@link Memory}.)
     */
    static float sum(float[] x, int count) {
        Arrays.fill(x, count, Math.ceilDiv(count, Memory.LANES) * Memory.LANES, 0);
        FloatVector sum0 = FloatVector.zero(SPECIES);
        FloatVector sum1 = sum0;
        int i = 0;
        for (; i + Memory.LANES < count; i += 2 * Memory.LANES) {
            sum0 = sum0.add(FloatVector.fromArray(SPECIES, x, i));
            sum1 = sum1.add(FloatVector.fromArray(SPECIES, x, i + Memory.LANES));
        }
        if (i < count) {
            sum0 = sum0.add(FloatVector.fromArray(SPECIES, x, i));
        }
        int at = x.length - Memory.LANES;
        sum0.add(sum1).intoArray(x, at);
        for (int half = Memory.LANES / 2; half > 0; half /= 2) {
            for (int lane = 0; lane < half; lane++) {
                x[at + lane] += x[at + lane + half];
            }
        }
        return x[at];
    }

    /** e^x, within 2 units in the last place; 0 below -87.33, infinite above 88.72, NaN for NaN. */
    static FloatVector exp(FloatVector x) {
        // x = n ln 2 + r with |r| <= ln 2 / 2; e^x = 2^n e^r.
        FloatVector rounder = FloatVector.broadcast(SPECIES, ROUNDER);
        FloatVector shifted = x.fma(FloatVector.broadcast(SPECIES, LOG2_E), rounder);
        FloatVector n = shifted.sub(rounder);
        FloatVector r = n.fma(FloatVector.broadcast(SPECIES, -LN2_HIGH), x);
        r = n.fma(FloatVector.broadcast(SPECIES, -LN2_LOW), r);
        FloatVector p = r.fma(FloatVector.broadcast(SPECIES, EXP_5), FloatVector.broadcast(SPECIES, EXP_4));
        p = p.fma(r, FloatVector.broadcast(SPECIES, EXP_3));
        p = p.fma(r, FloatVector.broadcast(SPECIES, EXP_2));
        p = p.fma(r, FloatVector.broadcast(SPECIES, EXP_1));
        FloatVector one = FloatVector.broadcast(SPECIES, 1f);
        p = p.fma(r, one).fma(r, one);
        FloatVector scaled = p.reinterpretAsInts()
                .add(shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, MANTISSA_BITS))
                .reinterpretAsFloats();
        VectorMask<Float> tooSmall = x.compare(VectorOperators.LT, EXP_SMALLEST);
        VectorMask<Float> tooLarge = x.compare(VectorOperators.GT, EXP_LARGEST);
        return scaled.blend(0f, tooSmall).blend(Float.POSITIVE_INFINITY, tooLarge);
    }

    /**
     * Floats x of an array, from {@code row} on, become exp(x - shift), for differences of at most 88; width is rounded up
     * to whole vectors. This is {@link #exp} written out, for callers that hold so much code that the compiler would no
     * longer inline it, and vectors passed to it would have to become objects ({@link Memory}).
     */
    static void exponentials(float[] m, int row, float shift, int width) {
        FloatVector rounder = FloatVector.broadcast(SPECIES, ROUNDER);
        FloatVector one = FloatVector.broadcast(SPECIES, 1f);
        for (int c = 0; c < width; c += Memory.LANES) {
            FloatVector x = FloatVector.fromArray(SPECIES, m, row + c).sub(shift);
            FloatVector shifted = x.fma(FloatVector.broadcast(SPECIES, LOG2_E), rounder);
            FloatVector n = shifted.sub(rounder);
            FloatVector r = n.fma(FloatVector.broadcast(SPECIES, -LN2_HIGH), x);
            r = n.fma(FloatVector.broadcast(SPECIES, -LN2_LOW), r);
            FloatVector p = r.fma(FloatVector.broadcast(SPECIES, EXP_5), FloatVector.broadcast(SPECIES, EXP_4));
            p = p.fma(r, FloatVector.broadcast(SPECIES, EXP_3));
            p = p.fma(r, FloatVector.broadcast(SPECIES, EXP_2));
            p = p.fma(r, FloatVector.broadcast(SPECIES, EXP_1));
            p = p.fma(r, one).fma(r, one);
            FloatVector scaled = p.reinterpretAsInts()
                    .add(shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, MANTISSA_BITS))
                    .reinterpretAsFloats();
            scaled.blend(0f, x.compare(VectorOperators.LT, EXP_SMALLEST)).intoArray(m, row + c);
        }
    }

    /** tanh x, within 3 units in the last place; NaN for NaN. */
    static FloatVector tanh(FloatVector x) {
        FloatVector square = x.mul(x);
        FloatVector p = square.fma(
                FloatVector.broadcast(SPECIES, -0.0058951196f), FloatVector.broadcast(SPECIES, 0.020795941f));
        p = p.fma(square, FloatVector.broadcast(SPECIES, -0.053783823f));
        p = p.fma(square, FloatVector.broadcast(SPECIES, 0.13331924f));
        p = p.fma(square, FloatVector.broadcast(SPECIES, -0.333333f));
        FloatVector small = p.mul(square).fma(x, x);
        // tanh |x| = 1 - 2 / (e^(2|x|) + 1), which is exact to rounding where it is above 1/2.
        FloatVector size = x.abs();
        FloatVector one = FloatVector.broadcast(SPECIES, 1f);
        FloatVector large = one.sub(
                FloatVector.broadcast(SPECIES, 2f).div(exp(size.add(size)).add(one)));
        VectorMask<Float> negative = x.compare(VectorOperators.LT, 0f);
        large = large.blend(large.neg(), negative);
        return small.blend(large, size.compare(VectorOperators.GT, TANH_SMALL));
    }

    private static VectorShuffle<Float> rotation(int lanes) {
        return VectorShuffle.fromOp(SPECIES, i -> (i + lanes) % Memory.LANES);
    }
}
