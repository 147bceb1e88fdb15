package dev.whirlwind.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.UserException;
import dev.whirlwind.training.Evaluation.Window;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ComparisonTest {
    private static Evaluation evaluation(long seed, int windows, double better) {
        Random text = new Random(1);
        Random model = new Random(seed);
        List<Window> list = new ArrayList<>();
        for (int i = 0; i < windows; i++) {
            int predicted = i == windows - 1 ? 5 : 40;
            list.add(
                    new Window(predicted, predicted * (3 + text.nextGaussian() + 0.2 * model.nextGaussian() - better)));
        }
        return new Evaluation("text", 40L * windows, 4, list);
    }

    /** Differences 1, 0, 2, 0, 2: mean 1, standard deviation 1, so t = sqrt(5) with 4 degrees of freedom. */
    @Test
    void theTTestIsTheTextbooks() {
        double[] a = {1, 2, 3, 4, 7};
        double[] b = {2, 2, 5, 4, 9};
        List<Window> first = new ArrayList<>();
        List<Window> second = new ArrayList<>();
        for (int i = 0; i < a.length; i++) {
            first.add(new Window(2, 2 * a[i]));
            second.add(new Window(2, 2 * b[i]));
        }
        Comparison comparison =
                Comparison.of(new Evaluation("text", 10, 1, first), new Evaluation("text", 10, 1, second));
        assertThat(comparison.difference()).isCloseTo(1, within(1e-12));
        assertThat(comparison.pValue()).isCloseTo(0.08900934, within(1e-8));
        assertThat(comparison.low()).isBetween(0.0, 0.5);
        assertThat(comparison.high()).isBetween(1.5, 2.0);
        assertThat(comparison.significant()).isFalse();
    }

    @Test
    void aSmallButSteadyGainIsFoundInWidelyVaryingText() {
        Comparison comparison = Comparison.of(evaluation(2, 200, 0), evaluation(3, 200, 0.1));
        assertThat(comparison.significant()).isTrue();
        assertThat(comparison.low()).isLessThan(comparison.difference());
        assertThat(comparison.high()).isBetween(comparison.difference(), 0.0);
        double standardError = 0.2 * Math.sqrt(2.0 / 200);
        assertThat(comparison.high() - comparison.low()).isCloseTo(2 * 1.96 * standardError, within(0.02));
    }

    @Test
    void equalModelsDoNotDiffer() {
        Comparison comparison = Comparison.of(evaluation(2, 50, 0), evaluation(2, 50, 0));
        assertThat(comparison).isEqualTo(new Comparison(0, 0, 0, 1, 50));
        int found = 0;
        for (int seed = 10; seed < 40; seed++) {
            found += Comparison.of(evaluation(seed, 50, 0), evaluation(seed + 100, 50, 0))
                            .significant()
                    ? 1
                    : 0;
        }
        assertThat(found).isLessThan(6);
    }

    @Test
    void otherWindowsCannotBeCompared() {
        assertThatThrownBy(() -> Comparison.of(evaluation(2, 50, 0), evaluation(2, 51, 0)))
                .isInstanceOf(UserException.class);
    }
}
