package dev.whirlwind.training.distillation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.UserException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TopTokensTest {
    /** Logits of few different values, so that many are equal: of those the first ones are taken. */
    @Test
    void areThoseThatSortingFinds() {
        Random random = new Random(8);
        for (int n : new int[] {2, 5, 64, 1000}) {
            for (int top : new int[] {1, 3, 63, n - 1}) {
                if (top >= n) {
                    continue;
                }
                float[] logits = new float[n];
                for (int i = 0; i < n; i++) {
                    logits[i] = random.nextInt(9) - 4;
                }
                TopTokens tokens = new TopTokens(top, 1.5);
                tokens.choose(logits.clone());
                int[] expected = IntStream.range(0, n)
                        .boxed()
                        .sorted(Comparator.comparingDouble(i -> -logits[i]))
                        .limit(top)
                        .mapToInt(i -> i)
                        .sorted()
                        .toArray();
                assertThat(tokens.ids()).isEqualTo(expected);
                double sum = IntStream.range(0, n)
                        .mapToDouble(i -> Math.exp(logits[i] / 1.5))
                        .sum();
                double kept = 0;
                for (int j = 0; j < top; j++) {
                    double q = Math.exp(logits[expected[j]] / 1.5) / sum;
                    kept += q;
                    assertThat(tokens.probabilities()[j]).isCloseTo((float) q, within((float) (1e-6 * q)));
                }
                assertThat(tokens.probabilities()[top]).isCloseTo((float) (1 - kept), within(1e-6f));
            }
        }
    }

    /** A rest that the sum of all others has no digits for. */
    @Test
    void aSmallRestKeepsItsDigits() {
        float[] logits = new float[100];
        Arrays.fill(logits, -40);
        logits[7] = 0;
        TopTokens tokens = new TopTokens(1, 1);
        tokens.choose(logits);
        assertThat(tokens.ids()).containsExactly(7);
        assertThat(tokens.probabilities()[1]).isCloseTo((float) (99 * Math.exp(-40)), within(1e-22f));
    }

    @Test
    void whatIsNoNumberIsRefused() {
        assertThatThrownBy(() -> new TopTokens(2, 1).choose(new float[] {1, Float.NaN, 2, 0}))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("not finite");
    }
}
