package dev.whirlwind.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import java.util.function.UnaryOperator;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

class VectorMathTest {
    private static final int SAMPLES = 2_000_000;

    @Test
    void expIsWithinTwoUnitsInTheLastPlaceOfItsWholeRange() {
        assertThat(worstUlps(VectorMath::exp, Math::exp, -87.3, 88.7)).isLessThan(2);
        assertThat(worstUlps(VectorMath::exp, Math::exp, -1, 1)).isLessThan(2);
    }

    @Test
    void tanhIsWithinThreeUnitsInTheLastPlace() {
        assertThat(worstUlps(VectorMath::tanh, Math::tanh, -12, 12)).isLessThan(3);
        assertThat(worstUlps(VectorMath::tanh, Math::tanh, -0.7, 0.7)).isLessThan(3);
        assertThat(worstUlps(VectorMath::tanh, Math::tanh, -1e-6, 1e-6)).isLessThan(3);
    }

    @Test
    void limits() {
        assertThat(exp(Float.NEGATIVE_INFINITY)).isZero();
        assertThat(exp(-1000)).isZero();
        assertThat(exp(-Float.MAX_VALUE)).isZero();
        assertThat(exp(0)).isEqualTo(1);
        assertThat(exp(89)).isEqualTo(Float.POSITIVE_INFINITY);
        assertThat(exp(Float.POSITIVE_INFINITY)).isEqualTo(Float.POSITIVE_INFINITY);
        assertThat(exp(Float.NaN)).isNaN();
        assertThat(tanh(Float.NEGATIVE_INFINITY)).isEqualTo(-1);
        assertThat(tanh(50)).isEqualTo(1);
        assertThat(tanh(0)).isZero();
        assertThat(tanh(Float.NaN)).isNaN();
    }

    @Test
    void sumTakesEveryLaneOnceAndAlwaysInTheSameOrder() {
        Random random = new Random();
        float[] x = new float[Memory.LANES];
        for (int i = 0; i < 100_000; i++) {
            double expected = 0;
            for (int lane = 0; lane < x.length; lane++) {
                x[lane] = (float) random.nextGaussian();
                expected += x[lane];
            }
            float[] halves = x.clone();
            for (int half = x.length / 2; half > 0; half /= 2) {
                for (int lane = 0; lane < half; lane++) {
                    halves[lane] += halves[lane + half];
                }
            }
            float sum = VectorMath.sum(FloatVector.fromArray(Memory.SPECIES, x, 0));
            assertThat(sum).isEqualTo(halves[0]).isCloseTo((float) expected, offset(1e-5f));
        }
    }

    private static float exp(float x) {
        return VectorMath.exp(FloatVector.broadcast(Memory.SPECIES, x)).lane(Memory.LANES - 1);
    }

    private static float tanh(float x) {
        return VectorMath.tanh(FloatVector.broadcast(Memory.SPECIES, x)).lane(0);
    }

    private static double worstUlps(
            UnaryOperator<FloatVector> function, DoubleUnaryOperator reference, double from, double to) {
        Random random = new Random();
        float[] x = new float[Memory.LANES];
        double worst = 0;
        for (int i = 0; i < SAMPLES; i += x.length) {
            for (int lane = 0; lane < x.length; lane++) {
                x[lane] = (float) (from + (to - from) * random.nextDouble());
            }
            FloatVector y = function.apply(FloatVector.fromArray(Memory.SPECIES, x, 0));
            for (int lane = 0; lane < x.length; lane++) {
                double expected = reference.applyAsDouble(x[lane]);
                worst = Math.max(worst, Math.abs(y.lane(lane) - expected) / Math.ulp((float) expected));
            }
        }
        return worst;
    }
}
