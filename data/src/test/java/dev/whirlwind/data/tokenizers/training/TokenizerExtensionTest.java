package dev.whirlwind.data.tokenizers.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.data.tokenizers.Cases;
import dev.whirlwind.data.tokenizers.ExtensibleTokenizer;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenizerExtensionTest {
    private static final Path TEXT = Path.of("src/test/resources/training/text.txt");

    @TempDir
    Path folder;

    private static ExtensibleTokenizer open(String name) {
        Path model = Cases.TOKENIZERS.resolve(name);
        return ExtensibleTokenizer.open(model, Tokenizer.load(model));
    }

    private static TokenizerExtension.Result learn(ExtensibleTokenizer old, int add) {
        return TokenizerExtension.learn(Corpus.of(List.of(TEXT)), old, add, 2, Long.MAX_VALUE, _ -> {});
    }

    /** So every old token keeps its id, and every text its meaning: what is new stands for a row of old tokens. */
    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "llama3", "qwen2"})
    void aTextIsCutAsItWasAndThenTokensBecomeOne(String name) throws IOException {
        ExtensibleTokenizer old = open(name);
        int first = old.tokenizer().vocabularySize();
        TokenizerExtension.Result result = learn(old, 300);
        assertThat(result.tokens()).hasSize(300).doesNotHaveDuplicates();
        old.save(folder, result.tokens(), result.merges());
        Tokenizer extended = Tokenizer.load(folder);
        assertThat(extended.vocabularySize()).isEqualTo(first + 300);
        assertThat(folder.resolve("vocab.json")).doesNotExist();

        String text = Files.readString(TEXT);
        int[] ids = extended.encode(text);
        // Qwen's normaliser joins letters and their marks before words are found.
        Offset<Long> near = within(name.equals("qwen2") ? result.before() / 200 : 0L);
        assertThat(result.after()).isCloseTo((long) ids.length, near);
        assertThat(result.before()).isCloseTo((long) old.tokenizer().encode(text).length, near);
        assertThat(IntStream.of(ids).filter(id -> id >= first).distinct().count())
                .isGreaterThan(150);
        assertThat(spelt(ids, first, result)).isEqualTo(old.tokenizer().encode(text));
        assertThat(extended.decode(ids))
                .isEqualTo(old.tokenizer().decode(old.tokenizer().encode(text)));
        for (Cases.Case c : Cases.of(Cases.TOKENIZERS.resolve(name))) {
            assertThat(spelt(extended.encode(c.text()), first, result))
                    .as("<%s>", c.text())
                    .isEqualTo(c.ids());
            assertThat(spelt(extended.encodePrompt(c.text()), first, result)).isEqualTo(c.idsWithSpecial());
        }
        assertThat(extended.endOfText()).isEqualTo(old.tokenizer().endOfText());
    }

    private static int[] spelt(int[] ids, int first, TokenizerExtension.Result result) {
        return IntStream.of(ids)
                .flatMap(id -> id < first
                        ? IntStream.of(id)
                        : IntStream.of(result.pieces().get(id - first)))
                .toArray();
    }

    @Test
    void othersAreRefused() {
        assertThatThrownBy(() -> open("llama2"))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("tokenizer.json", "no byte-level BPE", "extended");
    }

    @Test
    void nothingToLearn() throws IOException {
        Path text = Files.writeString(folder.resolve("text.txt"), "a b c");
        assertThatThrownBy(() -> TokenizerExtension.learn(
                        Corpus.of(List.of(text)), open("gpt2"), 10, 2, Long.MAX_VALUE, _ -> {}))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("nothing to add");
    }
}
