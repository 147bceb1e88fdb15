package dev.whirlwind.data.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.util.Utils;
import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

class HuggingFaceTokenizerTest {
    private static final Path GPT2 = Cases.TOKENIZERS.resolve("gpt2");

    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "llama3", "llama2", "llama2-metaspace", "qwen2"})
    void doesWhatPythonDid(String name) {
        Path model = Cases.TOKENIZERS.resolve(name);
        Tokenizer tokenizer = Tokenizer.load(model);
        List<Cases.Case> cases = Cases.of(model);
        assertThat(cases).hasSizeGreaterThan(100);
        for (Cases.Case c : cases) {
            assertThat(tokenizer.encode(c.text())).as("ids of <%s>", c.text()).isEqualTo(c.ids());
            assertThat(tokenizer.encodePrompt(c.text()))
                    .as("prompt <%s>", c.text())
                    .isEqualTo(c.idsWithSpecial());
            assertThat(tokenizer.decode(c.ids())).as("text of <%s>", c.text()).isEqualTo(c.decoded());
        }
        JsonNode special = Cases.json(model.resolve("special_ids.json"));
        assertThat(tokenizer.endOfText()).isEqualTo(special.path("eos_token_id").intValue());
        assertThat(tokenizer.vocabularySize())
                .isEqualTo(Cases.json(model.resolve("tokenizer_cases.json"))
                        .path("vocab_size")
                        .intValue());
    }

    @Test
    void nothingIsDownloaded() {
        Tokenizer.load(GPT2);
        assertThat(Utils.isOfflineMode()).isTrue();
        assertThat(System.getProperty("OPT_OUT_TRACKING")).isEqualTo("true");
    }

    @Test
    void manyThreadsGetTheSameIds() {
        Tokenizer tokenizer = Tokenizer.load(GPT2);
        List<Cases.Case> cases = Cases.of(GPT2);
        assertThat(IntStream.range(0, 2000).parallel().mapToObj(i -> cases.get(i % cases.size())))
                .allSatisfy(c -> assertThat(tokenizer.encode(c.text())).isEqualTo(c.ids()));
    }

    @Test
    void loneSurrogatesBecomeReplacementCharacters() {
        Tokenizer tokenizer = Tokenizer.load(GPT2);
        assertThat(tokenizer.encode("a\uD83Db\uDE00")).isEqualTo(tokenizer.encode("a\uFFFDb\uFFFD"));
    }

    @Test
    void truncationAndPaddingOfTheFileAreIgnored() throws IOException {
        copy(GPT2, folder);
        String json = Files.readString(folder.resolve("tokenizer.json"));
        String truncating = json.replace(
                        "\"truncation\": null",
                        "\"truncation\":{\"direction\":\"Right\",\"max_length\":4,\"strategy\":\"LongestFirst\",\"stride\":0}")
                .replace(
                        "\"padding\": null",
                        "\"padding\":{\"strategy\":{\"Fixed\":64},\"direction\":\"Right\",\"pad_to_multiple_of\":null,"
                                + "\"pad_id\":0,\"pad_type_id\":0,\"pad_token\":\"<|endoftext|>\"}");
        assertThat(truncating).hasSizeGreaterThan(json.length() + 150);
        Files.writeString(folder.resolve("tokenizer.json"), truncating);
        Tokenizer tokenizer = Tokenizer.load(folder);
        for (Cases.Case c : Cases.of(GPT2)) {
            assertThat(tokenizer.encode(c.text())).isEqualTo(c.ids());
        }
    }

    @Test
    void savesItsFilesEvenWhenTheyAreGoneFromTheFolderItCameFrom() throws IOException {
        Path model = Files.createDirectory(folder.resolve("model"));
        copy(Cases.TOKENIZERS.resolve("qwen2"), model);
        Tokenizer tokenizer = Tokenizer.load(model);
        for (Path file : files(model)) {
            Files.delete(file);
        }
        Path saved = Files.createDirectory(folder.resolve("saved"));
        tokenizer.save(saved);
        assertThat(files(saved))
                .extracting(f -> f.getFileName().toString())
                .containsExactlyInAnyOrder(
                        "tokenizer.json",
                        "tokenizer_config.json",
                        "special_tokens_map.json",
                        "vocab.json",
                        "merges.txt");
        Tokenizer again = Tokenizer.load(saved);
        assertThat(again.fingerprint()).isEqualTo(tokenizer.fingerprint()).hasSize(32);
        assertThat(again.endOfText()).isEqualTo(tokenizer.endOfText());
        assertThat(again.fingerprint()).isNotEqualTo(Tokenizer.load(GPT2).fingerprint());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '`',
            value = {
                "tokenizer_config.json   ; {\"eos_token\": \"Hello\"}                         ; -1",
                "tokenizer_config.json   ; {\"eos_token\": {\"content\": \"<|endoftext|>\"}}  ; 0",
                "special_tokens_map.json ; {\"eos_token\": \"<|endoftext|>\"}                 ; 0",
                "config.json             ; {\"eos_token_id\": 7}                              ; 7",
                "config.json             ; {\"eos_token_id\": [9, 8]}                         ; 9",
                "config.json             ; {\"eos_token_id\": null}                           ; -1",
                "generation_config.json  ; {\"eos_token_id\": 6}                              ; 6",
            })
    void endOfTextIsFoundWhereModelsNameIt(String file, String json, int id) throws IOException {
        Files.copy(GPT2.resolve("tokenizer.json"), folder.resolve("tokenizer.json"));
        Files.writeString(folder.resolve(file), json);
        assertThat(Tokenizer.load(folder).endOfText()).isEqualTo(id);
    }

    @Test
    void brokenFilesAreNamed() throws IOException {
        assertThatThrownBy(() -> Tokenizer.load(folder.resolve("nowhere")))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("nowhere is not a folder");

        assertThatThrownBy(() -> Tokenizer.load(folder))
                .isInstanceOf(UserException.class)
                .hasMessageMatching(".*tokenizer.json is missing: make it with AutoTokenizer.*save_pretrained.*");

        Files.writeString(folder.resolve("vocab.json"), "{}");
        assertThatThrownBy(() -> Tokenizer.load(folder))
                .isInstanceOf(UserException.class)
                .hasMessageMatching(".*tokenizer.json is missing \\(vocab.json with merges.txt.*save_pretrained.*");

        byte[] whole = Files.readAllBytes(GPT2.resolve("tokenizer.json"));
        for (int length : new int[] {0, 1, 7, 333, 20_011, whole.length - 2}) {
            Files.write(folder.resolve("tokenizer.json"), Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> Tokenizer.load(folder))
                    .as("cut to %d bytes", length)
                    .isInstanceOf(UserException.class)
                    .hasMessageContaining("tokenizer.json")
                    .message()
                    .doesNotContain("\n");
        }

        Files.writeString(folder.resolve("tokenizer.json"), "{\"model\": {\"type\": \"Nonsense\"}}");
        assertThatThrownBy(() -> Tokenizer.load(folder))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("is not a tokenizer that Hugging Face tokenizers reads");

        Files.write(folder.resolve("tokenizer.json"), whole);
        Files.writeString(folder.resolve("config.json"), "{\"eos_token_id\": 50256}");
        assertThatThrownBy(() -> Tokenizer.load(folder))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("50256");

        Files.writeString(folder.resolve("tokenizer_config.json"), "{\n \"eos_token\": ");
        assertThatThrownBy(() -> Tokenizer.load(folder))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("tokenizer_config.json: broken JSON at line 2");
    }

    @Test
    void aVocabularyLargerThanTheModelsIsRefused() {
        Tokenizer tokenizer = Tokenizer.load(GPT2);
        assertThatCode(() -> tokenizer.requireFits(512)).doesNotThrowAnyException();
        assertThatThrownBy(() -> tokenizer.requireFits(511))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("512 ids")
                .hasMessageContaining("511");
    }

    private static void copy(Path from, Path to) throws IOException {
        for (Path file : files(from)) {
            Files.copy(file, to.resolve(file.getFileName()));
        }
    }

    private static List<Path> files(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.toList();
        }
    }
}
