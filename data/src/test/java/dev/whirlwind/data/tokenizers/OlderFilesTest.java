package dev.whirlwind.data.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Models that have no tokenizer.json but what it was made of. */
class OlderFilesTest {
    private static final Path SENTENCE_PIECE = Path.of("src/test/resources/sentencepiece");

    @TempDir
    Path folder;

    /** The cases were made by sentencepiece's own library. */
    @ParameterizedTest
    @ValueSource(strings = {"bpe", "unigram"})
    void sentencePiecesModelsMakeItsIds(String name) throws IOException {
        Path model = SENTENCE_PIECE.resolve(name);
        Tokenizer tokenizer = Tokenizer.load(model);
        assertCases(tokenizer, model);
        assertThat(tokenizer.before()).containsExactly(1);
        assertThat(tokenizer.after()).isEmpty();

        // What is saved with the model is the same tokenizer.
        tokenizer.save(folder);
        assertThat(folder.resolve("tokenizer.model")).exists();
        Tokenizer saved = Tokenizer.load(folder);
        assertThat(saved.fingerprint()).isEqualTo(tokenizer.fingerprint());
        Files.delete(folder.resolve("tokenizer.model"));
        assertCases(Tokenizer.load(folder), model);
    }

    private static void assertCases(Tokenizer tokenizer, Path model) {
        JsonNode cases = Cases.json(model.resolve("cases.json")).path("cases");
        assertThat(cases.size()).isGreaterThan(80);
        for (JsonNode c : cases) {
            String text = c.path("text").stringValue();
            List<Integer> ids =
                    c.path("ids").valueStream().map(JsonNode::intValue).toList();
            assertThat(tokenizer.encode(text)).as("<%s>", text).containsExactly(ids.toArray(Integer[]::new));
        }
    }

    @Test
    void settingsSayWhatIsPutAroundATextAndAdded() throws IOException {
        Files.copy(SENTENCE_PIECE.resolve("bpe/tokenizer.model"), folder.resolve("tokenizer.model"));
        Files.writeString(folder.resolve("tokenizer_config.json"), """
                {"add_bos_token": false, "add_eos_token": true, "bos_token": {"content": "<s>"}, "eos_token": "</s>",
                 "pad_token": "<pad>", "legacy": false,
                 "added_tokens_decoder": {"600": {"content": "<more>", "special": true, "lstrip": false, "rstrip": false,
                                                   "normalized": false, "single_word": false}}}
                """);
        Tokenizer tokenizer = Tokenizer.load(folder);
        assertThat(tokenizer.before()).isEmpty();
        assertThat(tokenizer.after()).containsExactly(2);
        assertThat(tokenizer.afterDocument()).containsExactly(2);
        assertThat(tokenizer.endOfText().id()).isEqualTo(2);
        assertThat(tokenizer.encode("<more><pad>")).containsExactly(600, 601);
        assertThat(tokenizer.decode(tokenizer.encode("a [INST] b"))).isEqualTo("a [INST] b");
        assertCases(tokenizer(true), SENTENCE_PIECE.resolve("bpe"));
    }

    private Tokenizer tokenizer(boolean legacy) throws IOException {
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"legacy\": " + legacy + "}");
        return Tokenizer.load(folder);
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "qwen2"})
    void verbatimVocabulariesAndMergesMakeTheIdsOfTheirTokenizerJson(String name) throws IOException {
        Path model = Cases.TOKENIZERS.resolve(name);
        for (String file : List.of("vocab.json", "merges.txt", "tokenizer_config.json")) {
            Files.copy(model.resolve(file), folder.resolve(file));
        }
        if (name.equals("qwen2")) {
            Files.writeString(
                    folder.resolve("added_tokens.json"),
                    "{\"<|im_end|>\": 602, \"<|endoftext|>\": 600, \"<|im_start|>\": 601}");
        }
        Tokenizer tokenizer = Tokenizer.load(folder);
        for (Cases.Case c : Cases.of(model)) {
            assertThat(tokenizer.encode(c.text())).as("<%s>", c.text()).isEqualTo(c.ids());
            assertThat(tokenizer.encodePrompt(c.text())).isEqualTo(c.idsWithSpecial());
            assertThat(tokenizer.decode(c.ids())).isEqualTo(c.decoded());
        }
        assertThat(tokenizer.endOfText().token()).isEqualTo("<|endoftext|>");
    }

    @Test
    void brokenModelsAreNamed() throws IOException {
        byte[] whole = Files.readAllBytes(SENTENCE_PIECE.resolve("bpe/tokenizer.model"));
        Path file = folder.resolve("tokenizer.model");
        for (int length : new int[] {0, 1, 100, whole.length - 1}) {
            Files.write(file, Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> Tokenizer.load(folder))
                    .as("cut to %d bytes", length)
                    .isInstanceOf(UserException.class)
                    .hasMessageContainingAll("tokenizer.model", "download it again");
        }
        Files.writeString(file, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
        assertThatThrownBy(() -> Tokenizer.load(folder))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("git lfs pull");
    }
}
