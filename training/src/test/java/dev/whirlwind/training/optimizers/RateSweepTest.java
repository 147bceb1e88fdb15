package dev.whirlwind.training.optimizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;

class RateSweepTest {
    @Test
    void ratesRiseByAConstantFactor() {
        RateSweep sweep = new RateSweep(1e-6, 1e-2, 5);
        assertThat(sweep.rate(0)).isEqualTo(1e-6);
        assertThat(sweep.rate(1)).isCloseTo(1e-5, within(1e-18));
        assertThat(sweep.rate(4)).isCloseTo(1e-2, within(1e-15));
    }

    /** Flat to 1e-4, falling to 1e-2, then exploding. */
    @Test
    void theSuggestionLiesWhereTheLossFalls() {
        RateSweep sweep = new RateSweep(1e-6, 1, 121);
        int steps = 0;
        while (!sweep.hasExploded() && steps < 121) {
            double rate = sweep.rate(steps++);
            sweep.add(rate < 1e-4 ? 5 : rate < 1e-2 ? 5 - 2 * (Math.log10(rate) + 4) / 2 : 3 + 2000 * (rate - 1e-2));
        }
        assertThat(steps).isBetween(85, 110);
        RateSweep.Result result = sweep.result();
        assertThat(result.points()).hasSize(steps);
        assertThat(result.steepest()).isBetween(1e-4, 1e-2);
        assertThat(result.lowest()).isBetween(5e-3, 3e-2);
        assertThat(result.suggested()).isEqualTo(Math.min(result.steepest(), result.lowest() / 10));
    }

    /** Batches that differ by more than a step changes make no slope. */
    @Test
    void theFirstBatchesAreNotTakenForAFall() {
        Random random = new Random(7);
        for (int i = 0; i < 50; i++) {
            RateSweep sweep = new RateSweep(1e-7, 1, 100);
            for (int step = 0; step < 70; step++) {
                double fall = Math.max(0, Math.log10(sweep.rate(step)) + 4);
                sweep.add(4 - fall / 2 + 0.3 * random.nextGaussian());
            }
            assertThat(sweep.result().steepest()).isGreaterThan(5e-5);
        }
    }

    @Test
    void whatIsNotFiniteEndsIt() {
        RateSweep sweep = new RateSweep(1e-6, 1, 10);
        sweep.add(2);
        sweep.add(Double.NaN);
        assertThat(sweep.hasExploded()).isTrue();
        assertThat(sweep.result().points()).hasSize(1);
    }
}
