package dev.whirlwind.training.optimizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class LossGuardTest {
    private static LossGuard after(double... losses) {
        LossGuard guard = new LossGuard();
        for (double loss : losses) {
            guard.add(loss);
        }
        return guard;
    }

    private static LossGuard afterTimes(int times, double loss) {
        LossGuard guard = new LossGuard();
        for (int i = 0; i < times; i++) {
            guard.add(loss);
        }
        return guard;
    }

    /** Of the first twenty losses all weigh the same. */
    @Test
    void beginsWithThePlainMeanAndVariance() {
        LossGuard guard = after(1, 2, 4, 9);
        assertThat(guard.mean).isCloseTo(4, within(1e-12));
        assertThat(guard.variance).isCloseTo((9 + 4 + 0 + 25) / 4.0, within(1e-12));
        assertThat(guard.count).isEqualTo(4);
        guard = new LossGuard();
        for (int i = 1; i <= 20; i++) {
            guard.add(i);
        }
        assertThat(guard.mean).isCloseTo(10.5, within(1e-12));
        assertThat(guard.variance).isCloseTo((400 - 1) / 12.0, within(1e-12));
    }

    /** From then on a loss weighs a twentieth: mean += d / 20, variance = 0.95 (variance + d^2 / 20). */
    @Test
    void laterForgetsExponentially() {
        LossGuard guard = afterTimes(100, 3);
        assertThat(guard.variance).isZero();
        guard.add(5);
        assertThat(guard.mean).isCloseTo(3.1, within(1e-12));
        assertThat(guard.variance).isCloseTo(0.95 * 0.05 * 4, within(1e-12));
        guard.add(3);
        assertThat(guard.mean).isCloseTo(3.095, within(1e-12));
        assertThat(guard.variance).isCloseTo(0.95 * (0.19 + 0.05 * 0.01), within(1e-12));
    }

    @Test
    void saysNothingBeforeItKnowsTwentyLosses() {
        assertThat(afterTimes(19, 3).isJump(1000, 6)).isFalse();
        assertThat(afterTimes(20, 3).isJump(1000, 6)).isTrue();
    }

    @Test
    void howeverStillTheLossATenthIsNoJump() {
        LossGuard guard = afterTimes(50, 3);
        assertThat(guard.isJump(3.0999, 6)).isFalse();
        assertThat(guard.isJump(3.1001, 6)).isTrue();
        assertThat(guard.isJump(1, 6)).isFalse();
    }

    @Test
    void aJumpIsSoManyStandardDeviations() {
        LossGuard guard = new LossGuard();
        for (int i = 0; i < 20; i++) {
            guard.add(i % 2 == 0 ? 2.5 : 3.5);
        }
        assertThat(Math.sqrt(guard.variance)).isCloseTo(0.5, within(1e-12));
        assertThat(guard.isJump(5.999, 6)).isFalse();
        assertThat(guard.isJump(6.001, 6)).isTrue();
        assertThat(guard.isJump(4.001, 2)).isTrue();
        assertThat(guard.isJump(3.999, 2)).isFalse();
    }
}
