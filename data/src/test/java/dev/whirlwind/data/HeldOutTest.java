package dev.whirlwind.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HeldOutTest {
    private final long seed = System.nanoTime();

    private static HeldOut observed(double fraction, long seed, List<String> names) {
        HeldOut heldOut = new HeldOut(fraction, seed);
        names.forEach(heldOut::observe);
        return heldOut;
    }

    private List<String> names(int n) {
        return IntStream.range(0, n).mapToObj(i -> "folder/file" + i + ".txt").toList();
    }

    @ParameterizedTest
    @ValueSource(doubles = {0.01, 0.05, 0.1, 0.5, 0.9})
    void takesAboutTheFraction(double fraction) {
        List<String> names = names(20_000);
        HeldOut heldOut = observed(fraction, seed, names);
        double share = names.stream().filter(heldOut::contains).count() / 20_000.0;
        double deviation = Math.sqrt(fraction * (1 - fraction) / 20_000);
        assertThat(share).as("seed %d", seed).isBetween(fraction - 6 * deviation, fraction + 6 * deviation);
    }

    @Test
    void bothSidesHaveADocumentWhenThereAreTwo() {
        for (int n = 2; n < 8; n++) {
            for (double fraction : new double[] {0.001, 0.05, 0.5, 0.999}) {
                for (int s = 0; s < 50; s++) {
                    List<String> names = names(n);
                    HeldOut heldOut = observed(fraction, seed + s, names);
                    assertThat(names.stream().filter(heldOut::contains).count()).isBetween(1L, n - 1L);
                }
            }
        }
    }

    @Test
    void nothingIsHeldOutOfFractionZero() {
        HeldOut heldOut = observed(0, seed, names(1000));
        assertThat(names(1000)).noneMatch(heldOut::contains);
    }

    @Test
    void moreDocumentsMoveNoneAcross() {
        List<String> few = names(1000);
        HeldOut before = observed(0.1, seed, few);
        HeldOut after = observed(0.1, seed, names(5000));
        assertThat(few.stream().filter(name -> before.contains(name) != after.contains(name)))
                .isEmpty();
    }

    @Test
    void theSeedDecides() {
        List<String> names = names(1000);
        HeldOut one = observed(0.5, seed, names);
        HeldOut other = observed(0.5, seed + 1, names);
        assertThat(names.stream()
                        .filter(name -> one.contains(name) != other.contains(name))
                        .count())
                .isBetween(400L, 600L);
    }
}
