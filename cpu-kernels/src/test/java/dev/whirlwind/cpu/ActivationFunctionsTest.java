package dev.whirlwind.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.model.Activation;
import dev.whirlwind.model.Reference;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ActivationFunctionsTest {
    private static final int COUNT = 2048;
    private static final int ROUNDS = 20;

    @Test
    void geluIsWithinSixUnitsInTheLastPlaceOfItsWholeRange() {
        assertThat(worstUlps(-12, 12)).isLessThan(6);
        assertThat(worstUlps(-1, 1)).isLessThan(4);
        assertThat(worstUlps(-1e-3, 1e-3)).isLessThan(3);
    }

    private static double worstUlps(double from, double to) {
        Random random = new Random();
        float[] x = new float[COUNT];
        float[] y = new float[COUNT];
        double worst = 0;
        for (int round = 0; round < ROUNDS; round++) {
            for (int i = 0; i < COUNT; i++) {
                x[i] = (float) (from + (to - from) * random.nextDouble());
            }
            ActivationFunctions.values(Activation.GELU, x, y, COUNT);
            for (int i = 0; i < COUNT; i++) {
                double expected = x[i] * Reference.normal(x[i]);
                worst = Math.max(worst, Math.abs(y[i] - expected) / Math.ulp((float) expected));
            }
        }
        return worst;
    }

    @Test
    void limits() {
        float[] x = new float[Memory.LANES];
        float[] y = new float[Memory.LANES];
        float[] slope = new float[Memory.LANES];
        for (Activation f : Activation.values()) {
            x[0] = Float.NaN;
            x[1] = 0;
            x[2] = 1e12f;
            x[3] = -1e12f;
            ActivationFunctions.slopes(f, x, y, slope, 4);
            assertThat(y[0]).as("%s of NaN", f).isNaN();
            assertThat(y[1]).as("%s of 0", f).isZero();
            assertThat(y[2]).as("%s of 1e12", f).isEqualTo(1e12f);
            assertThat(y[3]).as("%s of -1e12", f).isZero();
            assertThat(slope[1]).as("slope of %s at 0", f).isEqualTo(f == Activation.RELU ? 0 : 0.5f);
            assertThat(slope[2]).as("slope of %s at 1e12", f).isEqualTo(1);
            assertThat(slope[3]).as("slope of %s at -1e12", f).isZero();
        }
    }
}
