package dev.whirlwind.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.data.EvaluationWindows.Convention;
import dev.whirlwind.data.tokenizers.ByteTokenizer;
import dev.whirlwind.data.tokenizers.Text;
import dev.whirlwind.model.UserException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Where one more or one less would go unnoticed otherwise. */
class BoundariesTest {
    @Test
    void idsEndBelowTheVocabulary() {
        int[] read = new int[2];
        TokenSource.of("ids", new int[] {0, 9}, 2, 10).read(0, read, 0, 2);
        assertThat(read).containsExactly(0, 9);
        assertThatThrownBy(() -> TokenSource.of("ids", new int[] {0, 10}, 2, 10))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("token id 10 at place 1");
        assertThatThrownBy(() -> TokenSource.of("ids", new int[] {-1}, 2, 10)).isInstanceOf(UserException.class);
    }

    @Test
    void charactersAreOneToFourBytes() {
        for (int c : new int[] {0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF}) {
            String text = "a" + Character.toString(c);
            assertThat(Text.utf8Length(text)).as("U+%X", c).isEqualTo(text.getBytes(StandardCharsets.UTF_8).length);
        }
    }

    /** The end-of-text token may be the first of the vocabulary. */
    @Test
    void documentsMayEndWithIdZero() {
        int[] tokens = new int[40];
        Arrays.fill(tokens, 5);
        tokens[6] = 0;
        tokens[30] = 0;
        EvaluationWindows windows =
                new EvaluationWindows(TokenSource.of("zero", tokens, 38, 10, 0), 10, Convention.OVERLAPPING);
        assertThat(windows.document(0)).isZero();
        assertThat(windows.document(1)).isEqualTo(1);
        assertThat(windows.document(3)).isEqualTo(2);
    }

    @Test
    void idsBeyondTheTokenizerStandForNothing() {
        TokenBytes bytes = new TokenBytes(new ByteTokenizer());
        assertThat(bytes.of(254)).isEqualTo(1);
        assertThat(bytes.of(255)).isZero();
        assertThat(bytes.of(256)).isZero();
    }

    @Test
    void rowsThatAreNotFilledPredictNothing() {
        TrainingSequences sequences =
                new ShuffledSequences(TokenSource.of("ones", new int[] {1, 1, 1, 1, 1, 1, 1}, 7, 10), 2, 1);
        int[] tokens = new int[8];
        int[] targets = new int[8];
        Arrays.fill(tokens, 7);
        Arrays.fill(targets, 7);
        sequences.fill(0, 3, 4, tokens, targets);
        assertThat(tokens).containsExactly(1, 1, 1, 1, 1, 1, 0, 0);
        assertThat(targets).containsExactly(1, 1, 1, 1, 1, 1, -1, -1);
    }
}
