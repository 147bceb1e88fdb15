package dev.whirlwind.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.UserException;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SequencesTest {
    private final long seed = System.nanoTime();

    /** Tokens that are their own places. */
    private static TokenSource counting(int tokens) {
        return TokenSource.of("counting", IntStream.range(0, tokens).toArray(), 2L * tokens, tokens);
    }

    @ParameterizedTest
    @CsvSource({"101, 10", "100, 10", "18, 17", "1000, 7", "2, 1"})
    void anEpochPredictsEveryTokenOnce(int tokens, int sequence) {
        ShuffledSequences sequences = new ShuffledSequences(counting(tokens), sequence, seed);
        assertThat(sequences.perEpoch()).isEqualTo((tokens - 1) / sequence);
        int[] inputs = new int[3 * sequence];
        int[] targets = new int[3 * sequence];
        for (int epoch = 0; epoch < 2; epoch++) {
            BitSet predicted = new BitSet();
            for (int i = 0; i < sequences.perEpoch(); i++) {
                sequences.read(epoch * sequences.perEpoch() + i, inputs, targets, sequence);
                for (int t = sequence; t < 2 * sequence; t++) {
                    assertThat(targets[t]).isEqualTo(inputs[t] + 1);
                    assertThat(inputs[t]).isEqualTo(inputs[sequence] + t - sequence);
                    assertThat(predicted.get(targets[t])).isFalse();
                    predicted.set(targets[t]);
                }
            }
            assertThat(predicted.cardinality()).isEqualTo((int) sequences.perEpoch() * sequence);
        }
    }

    @Test
    void aBatchContinuesIntoTheNextEpoch() {
        int sequence = 5;
        ShuffledSequences sequences = new ShuffledSequences(counting(41), sequence, seed);
        int[] inputs = new int[4 * sequence];
        int[] targets = new int[4 * sequence];
        int[] one = new int[sequence];
        int[] oneTargets = new int[sequence];
        sequences.fill(6, 4, 4, inputs, targets);
        for (int row = 0; row < 4; row++) {
            sequences.read(6 + row, one, oneTargets, 0);
            assertThat(Arrays.copyOfRange(inputs, row * sequence, (row + 1) * sequence))
                    .isEqualTo(one);
            assertThat(Arrays.copyOfRange(targets, row * sequence, (row + 1) * sequence))
                    .isEqualTo(oneTargets);
        }
    }

    /** Whatever the order, through the epochs: tokens are their own places, those of the replayed text from 1000 on. */
    @Test
    void aPlaceIsWhereASequenceLies() {
        int[] later = IntStream.range(1000, 1030).toArray();
        MixedSequences mixed = new MixedSequences(
                new ShuffledSequences(counting(41), 5, seed),
                new ShuffledSequences(TokenSource.of("later", later, 60, 2000), 5, seed + 1),
                0.3);
        int[] tokens = new int[5];
        for (int position = 0; position < 40; position++) {
            mixed.read(position, tokens, new int[5], 0);
            TrainingSequences.Place place = mixed.place(position);
            assertThat(place.source()).isEqualTo(tokens[0] < 1000 ? "data" : "replay");
            assertThat(5 * place.sequence() + (tokens[0] < 1000 ? 0 : 1000)).isEqualTo(tokens[0]);
        }
    }

    @Test
    void aSourceShorterThanASequenceIsRefused() {
        assertThatCode(() -> new ShuffledSequences(counting(65), 64, 1)).doesNotThrowAnyException();
        assertThatThrownBy(() -> new ShuffledSequences(counting(64), 64, 1))
                .isInstanceOf(UserException.class)
                .hasMessage(
                        "counting holds 64 tokens, but one sequence of 64 needs 65: add text or use a shorter sequence");
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, 0.05, 0.1, 0.25, 1.0 / 3, 0.5, 0.9, 0.999})
    void replayIsMixedInEvenly(double fraction) {
        ShuffledSequences data = new ShuffledSequences(counting(500), 1, seed);
        int[] oldTokens = new int[40];
        Arrays.fill(oldTokens, 7777);
        ShuffledSequences replay = new ShuffledSequences(TokenSource.of("old", oldTokens, 1, 10_000), 1, seed);
        MixedSequences mixed = new MixedSequences(data, replay, fraction);
        int[] token = new int[1];
        int[] target = new int[1];
        long replayed = 0;
        BitSet seen = new BitSet();
        long epoch = mixed.perEpoch();
        assertThat(mixed.sequence()).isEqualTo(1);
        assertThat((double) epoch).isBetween(499 / (1 - fraction) - 1.001, 499 / (1 - fraction) + 0.001);
        for (long position = 0; position < epoch; position++) {
            mixed.read(position, token, target, 0);
            if (target[0] == 7777) {
                replayed++;
            } else {
                seen.set(token[0]);
            }
            assertThat((double) replayed)
                    .isBetween((position + 1) * fraction - 1.001, (position + 1) * fraction + 0.001);
        }
        // One pass over the mixture leaves out nothing of the new data, and has nothing of it twice.
        assertThat(seen.cardinality()).isEqualTo(499);
        assertThat(epoch - replayed).isEqualTo(499);
        mixed.read(1_000_000_007L, token, target, 0);
        int first = target[0];
        mixed.read(1_000_000_007L, token, target, 0);
        assertThat(target[0]).isEqualTo(first);
    }

    @Test
    void sharesCountWhatEachSourceGave() {
        MixedSequences mixed = new MixedSequences(new Positions(0), new Positions(1), 0.25);
        assertThat(mixed.shares(43))
                .containsExactly(
                        Map.entry("data", new TrainingSequences.Share(33, 3.3)),
                        Map.entry("replay", new TrainingSequences.Share(10, 1.0)));
        assertThat(new Positions(0).shares(5)).containsExactly(Map.entry("data", new TrainingSequences.Share(5, 0.5)));
    }

    /** A source whose sequences say at which position they were read. */
    private record Positions(int mark) implements TrainingSequences {
        @Override
        public int sequence() {
            return 1;
        }

        @Override
        public long perEpoch() {
            return 10;
        }

        @Override
        public void read(long position, int[] tokens, int[] targets, int offset) {
            tokens[offset] = mark;
            targets[offset] = (int) position;
        }
    }

    /** Neither the new data nor the old skips or repeats a position, from the first on and for ever. */
    @ParameterizedTest
    @ValueSource(doubles = {0.1, 0.25, 0.5, 0.9})
    void bothPartsOfAMixtureAreReadInTheirOrder(double fraction) {
        MixedSequences mixed = new MixedSequences(new Positions(0), new Positions(1), fraction);
        int[] next = new int[2];
        int[] token = new int[1];
        int[] target = new int[1];
        for (int position = 0; position < 1000; position++) {
            mixed.read(position, token, target, 0);
            assertThat(target[0]).as("position %d", position).isEqualTo(next[token[0]]++);
        }
        assertThat(next[1]).isBetween((int) (1000 * fraction) - 1, (int) (1000 * fraction));
    }

    @Test
    void mixturesThatCannotBeAreRefused() {
        ShuffledSequences data = new ShuffledSequences(counting(50), 4, seed);
        assertThatThrownBy(() -> new MixedSequences(data, data, 1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new MixedSequences(data, data, Double.NaN))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new MixedSequences(data, new ShuffledSequences(counting(50), 5, seed), 0.5))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @ParameterizedTest
    @CsvSource({
        // tokens, window, separate: windows and predicted, overlapping: windows and predicted
        "2003, 48, 42, 1961, 42, 2002", // the golden cases
        "96, 48, 2, 94, 2, 95",
        "97, 48, 2, 94, 2, 96",
        "98, 48, 3, 95, 3, 97",
        "2, 48, 1, 1, 1, 1",
        "49, 48, 1, 47, 1, 48",
        "7, 2, 3, 3, 3, 6",
    })
    void evaluationWindowsFollowTheConvention(
            int tokens,
            int window,
            long separate,
            long separatePredicted,
            long overlapping,
            long overlappingPredicted) {
        assertWindows(tokens, window, EvaluationWindows.Convention.SEPARATE, separate, separatePredicted);
        assertWindows(tokens, window, EvaluationWindows.Convention.OVERLAPPING, overlapping, overlappingPredicted);
    }

    private void assertWindows(
            int tokens, int window, EvaluationWindows.Convention convention, long count, long predicted) {
        EvaluationWindows windows = new EvaluationWindows(counting(tokens), window, convention);
        assertThat(windows.count()).isEqualTo(count);
        assertThat(windows.predicted()).isEqualTo(predicted);
        int rows = 5;
        int[] inputs = new int[rows * window];
        int[] targets = new int[rows * window];
        BitSet seen = new BitSet();
        long total = 0;
        for (int first = 0; first < count; first += rows) {
            Arrays.fill(inputs, -9);
            Arrays.fill(targets, -9);
            int n = windows.fill(first, rows, inputs, targets);
            int positive = 0;
            for (int i = 0; i < targets.length; i++) {
                long start = (first + i / window) * (long) window;
                if (targets[i] >= 0) {
                    positive++;
                    assertThat(targets[i]).isEqualTo(inputs[i] + 1);
                    assertThat((long) inputs[i]).isEqualTo(start + i % window);
                    assertThat(seen.get(targets[i])).isFalse();
                    seen.set(targets[i]);
                    if (convention == EvaluationWindows.Convention.SEPARATE) {
                        assertThat(targets[i] % window).isNotZero();
                    }
                } else {
                    assertThat(targets[i]).isEqualTo(-1);
                    assertThat(inputs[i]).isGreaterThanOrEqualTo(0);
                }
            }
            assertThat(n).isEqualTo(positive);
            total += n;
        }
        assertThat(total).isEqualTo(predicted);
    }

    @Test
    void evaluationNeedsTwoTokens() {
        assertThatThrownBy(() -> new EvaluationWindows(counting(1), 8, EvaluationWindows.Convention.SEPARATE))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("counting holds 1 token of text, and no token to predict");
    }
}
