package dev.whirlwind.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.data.Mixture.Change;
import dev.whirlwind.data.Mixture.Exhausted;
import dev.whirlwind.data.Mixture.Source;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class MixtureTest {
    /** A source whose sequences say of which source they are and at which position they were read. */
    private record Positions(int mark, long perEpoch) implements TrainingSequences {
        @Override
        public int sequence() {
            return 1;
        }

        @Override
        public void read(long position, int[] tokens, int[] targets, int offset) {
            tokens[offset] = mark;
            targets[offset] = Math.toIntExact(position);
        }
    }

    private static List<Source> sources(long[] lengths, double... weights) {
        List<Source> sources = new ArrayList<>();
        for (int i = 0; i < lengths.length; i++) {
            sources.add(new Source("s" + i, new Positions(i, lengths[i]), weights[i]));
        }
        return sources;
    }

    /** Reads so many, each source in its order without a gap; how many of each. */
    private static long[] read(Mixture mixture, int sources, long count) {
        long[] read = new long[sources];
        int[] token = new int[1];
        int[] target = new int[1];
        for (long position = 0; position < count; position++) {
            mixture.read(position, token, target, 0);
            assertThat(target[0]).as("position %d", position).isEqualTo((int) read[token[0]]++);
            assertThat(mixture.place(position)).isEqualTo(new TrainingSequences.Place("s" + token[0], target[0]));
        }
        long[] told = mixture.shares(count).values().stream()
                .mapToLong(TrainingSequences.Share::sequences)
                .toArray();
        assertThat(told).containsExactly(read);
        return read;
    }

    @Test
    void sharesAreTheWeights() {
        Random random = new Random(5);
        for (int n = 1; n <= 7; n++) {
            double[] weights = random.doubles(n, 0.01, 3).toArray();
            long[] lengths = random.longs(n, 5, 5000).toArray();
            Mixture mixture = new Mixture(sources(lengths, weights), List.of(), Exhausted.REPEAT);
            double all = Arrays.stream(weights).sum();
            for (int count : new int[] {1, 17, 1000, 10_000}) {
                long[] read = read(mixture, n, count);
                for (int i = 0; i < n; i++) {
                    assertThat((double) read[i]).isCloseTo(count * weights[i] / all, within((double) n));
                }
            }
            assertThat(mixture.perEpoch()).isEqualTo(Arrays.stream(lengths).sum());
            // Of 10,000, to a thousandth.
            for (int i = 0; i < n; i++) {
                assertThat(read(mixture, n, 10_000)[i] / 10_000.0).isCloseTo(weights[i] / all, within(0.001));
            }
        }
    }

    @Test
    void aSourceWithoutWeightIsNotRead() {
        Mixture mixture = new Mixture(sources(new long[] {10, 10, 10}, 0, 2, 0), List.of(), Exhausted.REPEAT);
        assertThat(read(mixture, 3, 100)).containsExactly(0, 100, 0);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void aPassOfRenormalisedWeightsReadsEachSequenceOnce(long seed) {
        Random random = new Random(seed);
        int n = 1 + random.nextInt(5);
        long[] lengths = random.longs(n, 1, 300).toArray();
        Mixture mixture =
                new Mixture(sources(lengths, random.doubles(n, 0.01, 1).toArray()), List.of(), Exhausted.RENORMALISE);
        long all = Arrays.stream(lengths).sum();
        assertThat(mixture.perEpoch()).isEqualTo(all);
        assertThat(read(mixture, n, all)).containsExactly(lengths);
        assertThat(read(mixture, n, 3 * all))
                .containsExactly(
                        Arrays.stream(lengths).map(length -> 3 * length).toArray());
    }

    @Test
    void orItStopsWithTheFirst() {
        Mixture mixture = new Mixture(sources(new long[] {100, 40, 1000}, 1, 1, 2), List.of(), Exhausted.STOP);
        long epoch = mixture.perEpoch();
        assertThat(epoch).isBetween(157L, 163L);
        assertThat(read(mixture, 3, epoch)[1]).isEqualTo(40);
        assertThat(read(mixture, 3, epoch - 1)[1]).isEqualTo(39);
        Mixture changed = new Mixture(
                sources(new long[] {100, 40, 1000}, 1, 1, 2),
                List.of(new Change(80, List.of(1.0, 0.0, 0.0))),
                Exhausted.STOP);
        assertThat(read(changed, 3, changed.perEpoch())[0]).isEqualTo(100);
    }

    @ParameterizedTest
    @EnumSource(
            value = Exhausted.class,
            names = {"REPEAT", "STOP"})
    void weightsMayChange(Exhausted exhausted) {
        Mixture mixture = new Mixture(
                sources(new long[] {50, 5000, 900}, 0.5, 0.5, 0),
                List.of(new Change(1000, List.of(0.0, 0.1, 0.9)), new Change(1500, List.of(1.0, 1.0, 2.0))),
                exhausted);
        assertThat(read(mixture, 3, 1000)).containsExactly(500, 500, 0);
        long[] middle = read(mixture, 3, 1500);
        assertThat(middle[0]).isEqualTo(500);
        assertThat(middle[2]).isBetween(449L, 450L);
        long[] end = read(mixture, 3, 1900);
        assertThat((double) end[2] - middle[2]).isCloseTo(200, within(2.0));
    }

    /** What lies far out is told as quickly, and is what the positions before it lead to. */
    @Test
    void farPositionsAreTold() {
        Mixture mixture = new Mixture(sources(new long[] {7, 11, 13}, 0.2, 0.3, 0.5), List.of(), Exhausted.REPEAT);
        long far = 1L << 40;
        var before = mixture.shares(far);
        var after = mixture.shares(far + 1000);
        assertThat(before.values().stream()
                        .mapToLong(TrainingSequences.Share::sequences)
                        .sum())
                .isEqualTo(far);
        assertThat(after.get("s1").sequences() - before.get("s1").sequences()).isBetween(297L, 303L);
    }

    @Test
    void anotherRecipeIsAnotherOrder() {
        Mixture one = new Mixture(sources(new long[] {7, 11}, 1, 1), List.of(), Exhausted.REPEAT);
        Mixture other = new Mixture(sources(new long[] {7, 11}, 1, 1.000001), List.of(), Exhausted.REPEAT);
        assertThat(one.recipe()).isNotEqualTo(other.recipe()).isNotEmpty();
    }
}
