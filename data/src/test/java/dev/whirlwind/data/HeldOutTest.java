package dev.whirlwind.data;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.data.sources.Hash;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HeldOutTest {
    private final long seed = System.nanoTime();

    /** Which of the texts are held out. */
    private static List<Boolean> heldOut(double fraction, long seed, List<String> texts) {
        HeldOut heldOut = new HeldOut(fraction, seed);
        texts.forEach(text -> heldOut.observe(Hash.add(Hash.EMPTY, text), text.length()));
        return IntStream.range(0, texts.size()).mapToObj(heldOut::contains).toList();
    }

    private static long count(List<Boolean> heldOut) {
        return heldOut.stream().filter(out -> out).count();
    }

    private List<String> texts(int n) {
        return IntStream.range(0, n).mapToObj(i -> "Text of " + i + ".").toList();
    }

    @ParameterizedTest
    @ValueSource(doubles = {0.01, 0.05, 0.1, 0.5, 0.9})
    void takesAboutTheFraction(double fraction) {
        double share = count(heldOut(fraction, seed, texts(20_000))) / 20_000.0;
        double deviation = Math.sqrt(fraction * (1 - fraction) / 20_000);
        assertThat(share).as("seed %d", seed).isBetween(fraction - 6 * deviation, fraction + 6 * deviation);
    }

    @Test
    void bothSidesHaveADocumentWhenTwoDiffer() {
        for (int n = 2; n < 8; n++) {
            for (double fraction : new double[] {0.001, 0.05, 0.5, 0.999}) {
                for (int s = 0; s < 50; s++) {
                    assertThat(count(heldOut(fraction, seed + s, texts(n)))).isBetween(1L, n - 1L);
                    // Copies change nothing.
                    List<String> copied = new ArrayList<>(Collections.nCopies(9, "Text of 0."));
                    copied.addAll(texts(n));
                    assertThat(count(heldOut(fraction, seed + s, copied))).isBetween(1L, n + 8L);
                }
            }
        }
    }

    /** The same documents in any order and however many times, with other white space. */
    @Test
    void documentsThatAreTheSameAreOnTheSameSide() {
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            texts.add("Line " + i + ".\nAnother\u00e9 \u4e2d.\n");
            texts.add("Line " + i + ".\r\nAnother\u00e9 \u3000\u4e2d.");
        }
        List<Integer> order = new ArrayList<>(IntStream.range(0, 600).boxed().toList());
        Collections.shuffle(order, new Random(seed));
        for (double fraction : new double[] {1e-9, 0.3, 1 - 1e-9}) {
            List<Boolean> heldOut = heldOut(fraction, seed, texts);
            assertThat(count(heldOut)).isBetween(2L, 598L);
            List<Boolean> shuffled =
                    heldOut(fraction, seed, order.stream().map(texts::get).toList());
            for (int i = 0; i < 600; i++) {
                assertThat(heldOut.get(i)).isEqualTo(heldOut.get(i ^ 1));
                assertThat(shuffled.get(i)).isEqualTo(heldOut.get(order.get(i)));
            }
        }
    }

    @Test
    void nothingIsHeldOutOfFractionZeroOrOfOneText() {
        assertThat(heldOut(0, seed, texts(1000))).doesNotContain(true);
        assertThat(heldOut(0.5, seed, Collections.nCopies(5, "same"))).doesNotContain(true);
    }

    @Test
    void piecesHashToTheWhole() {
        assertThat(Hash.add(Hash.add(Hash.EMPTY, "ab "), "cd")).isEqualTo(Hash.add(Hash.EMPTY, "ab cd"));
        assertThat(Hash.add(Hash.EMPTY, "abcd")).isNotEqualTo(Hash.add(Hash.EMPTY, "abdc"));
    }

    @Test
    void moreDocumentsMoveNoneAcross() {
        List<Boolean> before = heldOut(0.1, seed, texts(1000));
        assertThat(heldOut(0.1, seed, texts(5000)).subList(0, 1000)).isEqualTo(before);
    }

    @Test
    void theSeedDecides() {
        List<Boolean> one = heldOut(0.5, seed, texts(1000));
        List<Boolean> other = heldOut(0.5, seed + 1, texts(1000));
        assertThat(IntStream.range(0, 1000)
                        .filter(i -> !one.get(i).equals(other.get(i)))
                        .count())
                .isBetween(400L, 600L);
    }

    /** One text of 13 is a fifth of all, and is not held out whatever the seed, as others come nearer to the fraction. */
    @Test
    void aLongDocumentIsNotTakenForAShareOfTheBytes() {
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < 400; i++) {
            texts.add("A document " + i + " of some length. " + "x".repeat(i % 97));
        }
        texts.set(200, "long ".repeat(2000));
        int all = texts.stream().mapToInt(String::length).sum();
        for (double fraction : new double[] {0.02, 0.05, 0.1}) {
            for (int s = 0; s < 100; s++) {
                List<Boolean> heldOut = heldOut(fraction, seed + s, texts);
                int bytes = IntStream.range(0, texts.size())
                        .filter(heldOut::get)
                        .map(i -> texts.get(i).length())
                        .sum();
                assertThat((double) bytes / all).as("seed %d", seed + s).isBetween(fraction / 1.5, 1.5 * fraction);
            }
        }
    }

    /** All are longer than what is asked for: the shortest is the nearest to it. */
    @Test
    void whereAllAreLongTheShortestIsHeldOut() {
        List<String> texts = List.of("aaaa".repeat(100), "bb".repeat(100), "cccccc".repeat(100), "ddd".repeat(100));
        int shortest = 0;
        for (int s = 0; s < 100; s++) {
            List<Boolean> heldOut = heldOut(0.01, seed + s, texts);
            assertThat(count(heldOut)).isEqualTo(1);
            shortest += heldOut.get(1) ? 1 : 0;
        }
        // Unless it is what comes last, which is trained on.
        assertThat(shortest).isBetween(50, 99);
    }
}
