package dev.whirlwind.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.UserException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PackedSequencesTest {
    private static final int END = 9;

    /** Documents of some lengths, the end of each included; the last may have none. */
    private static TokenSource source(List<Integer> lengths, boolean ended) {
        List<Integer> tokens = new ArrayList<>();
        for (int length : lengths) {
            for (int i = 0; i < length - 1; i++) {
                tokens.add(10 + tokens.size());
            }
            tokens.add(END);
        }
        if (!ended) {
            tokens.removeLast();
        }
        int[] all = tokens.stream().mapToInt(i -> i).toArray();
        return TokenSource.of("test", all, all.length, 1 << 20, END);
    }

    @ParameterizedTest
    @CsvSource({"1, 32, false", "2, 32, true", "3, 7, false", "4, 7, true", "5, 100, false", "6, 2, false"})
    void everyTokenIsPredictedOnceFromItsOwnDocument(long seed, int sequence, boolean alone) {
        Random random = new Random(seed);
        List<Integer> lengths = random.ints(200, 1, 60).boxed().toList();
        TokenSource source = source(lengths, random.nextBoolean());
        PackedSequences packed = new PackedSequences(source, sequence, alone, seed);
        List<String> predicted = new ArrayList<>();
        for (long position = packed.perEpoch(); position < 2 * packed.perEpoch(); position++) {
            int[] tokens = new int[sequence + 2];
            int[] targets = new int[sequence + 2];
            packed.read(position, tokens, targets, 1);
            int count = 0;
            for (int i = 1; i <= sequence; i++) {
                if (targets[i] >= 0) {
                    predicted.add(tokens[i] + " " + targets[i]);
                    count++;
                    // What is seen next in the sequence is what was to be predicted, unless the sequence ends.
                    assertThat(i == sequence || tokens[i + 1] == targets[i]).isTrue();
                } else {
                    assertThat(tokens[i] == END || tokens[i] == 10 + source.tokens() - 1)
                            .isTrue();
                }
            }
            assertThat(packed.predicted(position)).isEqualTo(count);
            assertThat(tokens[0] + tokens[sequence + 1] + targets[0] + targets[sequence + 1])
                    .isZero();
        }
        List<String> expected = new ArrayList<>();
        int[] all = new int[Math.toIntExact(source.tokens())];
        source.read(0, all, 0, all.length);
        for (int i = 0; i < all.length - 1; i++) {
            if (all[i] != END) {
                expected.add(all[i] + " " + all[i + 1]);
            }
        }
        Collections.sort(predicted);
        Collections.sort(expected);
        assertThat(predicted).isEqualTo(expected);
    }

    /** Lengths that fill sequences to the last place are packed so. */
    @Test
    void theBestFitIsTaken() {
        PackedSequences packed = new PackedSequences(source(List.of(3, 7, 4, 6, 5, 5, 2, 8, 10), true), 10, false, 1);
        assertThat(packed.perEpoch()).isEqualTo(5);
        int[] tokens = new int[10];
        for (int position = 0; position < 5; position++) {
            packed.read(position, tokens, new int[10], 0);
            assertThat(tokens[9]).isEqualTo(END);
        }
        PackedSequences alone = new PackedSequences(source(List.of(3, 7, 4, 12), true), 10, true, 1);
        assertThat(alone.perEpoch()).isEqualTo(5);
    }

    /** Little room is left of documents of many lengths. */
    @Test
    void littleIsLeft() {
        List<Integer> lengths = new Random(1).ints(5000, 2, 400).boxed().toList();
        PackedSequences packed = new PackedSequences(source(lengths, true), 1024, false, 1);
        double used = lengths.stream().mapToInt(i -> i).sum() / (1024.0 * packed.perEpoch());
        assertThat(used).isGreaterThan(0.995);
    }

    @Test
    void documentsMustBeToldApart() {
        TokenSource one = TokenSource.of("text", new int[] {1, 2, 3}, 3, 10);
        assertThatThrownBy(() -> new PackedSequences(one, 2, false, 1))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("cannot be told apart");
        TokenSource empty = TokenSource.of("empty", new int[] {END, END}, 2, 10, END);
        assertThatThrownBy(() -> new PackedSequences(empty, 2, false, 1))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("no document in which anything can be predicted");
    }
}
