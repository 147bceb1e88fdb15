package dev.whirlwind.data.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.util.Utils;
import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
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
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

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
        assertThat(tokenizer.endOfText().id())
                .isEqualTo(special.path("eos_token_id").intValue());
        assertThat(tokenizer.vocabularySize())
                .isEqualTo(Cases.json(model.resolve("tokenizer_cases.json"))
                        .path("vocab_size")
                        .intValue());
    }

    /** As the Python library does it with encode_special_tokens. */
    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "llama2", "llama2-metaspace", "llama3", "qwen2"})
    void namesOfSpecialTokensAreTextInDocuments(String name) {
        Path model = Cases.TOKENIZERS.resolve(name);
        Tokenizer tokenizer = Tokenizer.load(model);
        JsonNode expected = Cases.json(model.resolve("special_as_text.json"));
        String text = expected.path("text").stringValue();
        int[] ids = tokenizer.encodeText(text);
        assertThat(ids).isEqualTo(Cases.ints(expected.path("ids")));
        assertThat(tokenizer.decode(ids)).isEqualTo(text);
        assertThat(tokenizer.encode(text)).isNotEqualTo(ids);
        for (Cases.Case c : Cases.of(model)) {
            if (!c.text().contains("<")) {
                assertThat(tokenizer.encodeText(c.text())).isEqualTo(c.ids());
            }
        }
    }

    /** An added token that is no special one keeps its id, though ids are given in order. */
    @Test
    void otherAddedTokensStayTokens() throws IOException {
        copy(Cases.TOKENIZERS.resolve("qwen2"), folder);
        Path file = folder.resolve("tokenizer.json");
        JsonMapper json = JsonMapper.shared();
        ObjectNode tree = (ObjectNode) json.readTree(Files.readAllBytes(file));
        tree.withArray("added_tokens")
                .addObject()
                .put("id", 9999)
                .put("content", "<think>")
                .put("special", false)
                .put("single_word", false)
                .put("lstrip", false)
                .put("rstrip", false)
                .put("normalized", false);
        Files.write(file, json.writeValueAsBytes(tree));
        Tokenizer tokenizer = Tokenizer.load(folder);
        int[] think = tokenizer.encode("<think>");
        assertThat(think).hasSize(1);
        assertThat(tokenizer.encodeText("<think><|im_end|>")).startsWith(think).hasSizeGreaterThan(5);
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
        assertThat(again.endOfText().id()).isEqualTo(tokenizer.endOfText().id());
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
        assertThat(Tokenizer.load(folder).endOfText().id()).isEqualTo(id);
    }

    @Test
    void anEndOfTextThatTheModelDoesNotKnowIsPassedOver() throws IOException {
        Files.copy(GPT2.resolve("tokenizer.json"), folder.resolve("tokenizer.json"));
        Files.writeString(folder.resolve("config.json"), "{\"eos_token_id\": 50256}");
        List<String> notes = new ArrayList<>();
        EndOfText none = Tokenizer.load(folder, 512, notes::add).endOfText();
        assertThat(none.id()).isEqualTo(-1);
        assertThat(none.stops()).isEmpty();
        assertThat(notes).hasSize(1).first().asString().contains("config.json's 50256", "no other file");

        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"eos_token\": \"<|endoftext|>\"}");
        EndOfText own = Tokenizer.load(folder, 512, notes::add).endOfText();
        assertThat(own.id()).isZero();
        assertThat(own.stops()).containsExactly(0);
        assertThat(own.source()).isEqualTo("tokenizer_config.json");
        assertThat(notes.getLast()).contains("50256", "<|endoftext|> (0) of tokenizer_config.json is used");
    }

    /** As with base models whose tokenizer names the end of a turn. */
    @Test
    void theModelsFilesSayWhatEndsAText() throws IOException {
        copy(Cases.TOKENIZERS.resolve("qwen2"), folder);
        String config = Files.readString(folder.resolve("tokenizer_config.json"));
        Files.writeString(
                folder.resolve("tokenizer_config.json"),
                config.replace("\"eos_token\": \"<|endoftext|>\"", "\"eos_token\": \"<|im_end|>\""));
        assertThat(Tokenizer.load(folder).endOfText().token()).isEqualTo("<|im_end|>");
        Files.writeString(folder.resolve("config.json"), "{\"eos_token_id\": 600}");
        Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": [602, 600]}");
        Tokenizer tokenizer = Tokenizer.load(folder);
        assertThat(tokenizer.endOfText().id()).isEqualTo(600);
        assertThat(tokenizer.endOfText().token()).isEqualTo("<|endoftext|>");
        assertThat(tokenizer.endOfText().source()).isEqualTo("config.json");
        assertThat(tokenizer.endOfText().stops()).containsExactlyInAnyOrder(600, 602);
        assertThat(tokenizer.afterDocument()).containsExactly(600);
        assertThat(tokenizer.before()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"llama2, 1", "llama2-metaspace, 1", "llama3, 700", "gpt2, -1", "qwen2, -1"})
    void whatThePostProcessorPutsBeforeATextIsKnown(String name, int id) {
        Tokenizer tokenizer = Tokenizer.load(Cases.TOKENIZERS.resolve(name));
        assertThat(tokenizer.before()).isEqualTo(id < 0 ? new int[0] : new int[] {id});
        assertThat(tokenizer.after()).isEmpty();
        assertThat(tokenizer.afterDocument())
                .containsExactly(tokenizer.endOfText().id());
    }

    /** {@code tokenizer(text)} of run_clm.py ends with it already. */
    @Test
    void anEndOfTextThatThePostProcessorAddsIsNotDoubled() throws IOException {
        copy(Cases.TOKENIZERS.resolve("llama2"), folder);
        Path file = folder.resolve("tokenizer.json");
        ObjectNode json = (ObjectNode) Cases.json(file);
        ObjectNode template = (ObjectNode) json.get("post_processor");
        ((ArrayNode) template.get("single"))
                .addObject()
                .putObject("SpecialToken")
                .put("id", "</s>")
                .put("type_id", 0);
        ObjectNode end =
                ((ObjectNode) template.get("special_tokens")).putObject("</s>").put("id", "</s>");
        end.putArray("ids").add(2);
        end.putArray("tokens").add("</s>");
        Files.writeString(file, json.toString());
        Tokenizer tokenizer = Tokenizer.load(folder);
        assertThat(tokenizer.before()).containsExactly(1);
        assertThat(tokenizer.after()).containsExactly(2);
        assertThat(tokenizer.afterDocument()).containsExactly(2);
    }

    @Test
    void brokenFilesAreNamed() throws IOException {
        assertThatThrownBy(() -> Tokenizer.load(folder.resolve("nowhere")))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("nowhere is not a folder");

        assertThatThrownBy(() -> Tokenizer.load(folder))
                .isInstanceOf(UserException.class)
                .hasMessageMatching(".*tokenizer.json is missing.*AutoTokenizer.*save_pretrained.*");

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

        Files.writeString(folder.resolve("tokenizer_config.json"), "{\n \"eos_token\": ");
        assertThatThrownBy(() -> Tokenizer.load(folder))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("tokenizer_config.json: broken JSON at line 2");
    }

    @Test
    void aVocabularyMuchLargerThanTheModelsIsRefused() {
        Tokenizer tokenizer = Tokenizer.load(GPT2);
        assertThatCode(() -> tokenizer.requireFits(512)).doesNotThrowAnyException();
        assertThatThrownBy(() -> tokenizer.requireFits(511))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("512 ids")
                .hasMessageContaining("511");
        assertThatThrownBy(() -> Tokenizer.load(GPT2, 400, note -> {}))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("tokenizer.json", "512 ids", "400", "vocab_size");
    }

    @Test
    void aTokenMoreThanTheModelHasIsRefusedInATextOnly() throws IOException {
        copy(GPT2, folder);
        Path file = folder.resolve("tokenizer.json");
        ObjectNode json = (ObjectNode) Cases.json(file);
        ((ArrayNode) json.get("added_tokens"))
                .add(json.get("added_tokens").get(0).deepCopy());
        ((ObjectNode) json.get("added_tokens").get(1)).put("content", "<pad>").put("id", 512);
        Files.writeString(file, json.toString());
        List<String> notes = new ArrayList<>();
        Tokenizer tokenizer = Tokenizer.load(folder, 512, notes::add);
        assertThat(notes).hasSize(1).first().asString().contains("1 token more", "512", "<pad> (512)");
        assertThat(tokenizer.encode("Hello")).isEqualTo(Tokenizer.load(GPT2).encode("Hello"));
        assertThatCode(() -> tokenizer.requireFits(512)).doesNotThrowAnyException();
        assertThatThrownBy(() -> tokenizer.encode("Hello<pad>"))
                .isInstanceOf(BadText.class)
                .hasMessageContainingAll("<pad> (512)", "512");
        assertThat(Tokenizer.load(folder, 513, notes::add).encode("<pad>")).containsExactly(512);
        assertThat(notes).hasSize(1);
    }

    @ParameterizedTest
    @CsvSource({"300, around every text", "2147483647, no model can know", "4294967295, no model can know"})
    void whatIsPutAroundEveryTextMustBeKnown(long id, String says) throws IOException {
        copy(Cases.TOKENIZERS.resolve("llama2"), folder);
        Path file = folder.resolve("tokenizer.json");
        Files.writeString(
                file, Files.readString(file).replaceFirst("\"ids\": \\[\\s*1\\s*\\]", "\"ids\": [" + id + "]"));
        assertThatThrownBy(() -> Tokenizer.load(folder, id == 300 ? 300 : 900, note -> {}))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("tokenizer.json", "<s> (" + id + ")", says);
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
