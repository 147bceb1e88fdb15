package dev.whirlwind.cli.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.cli.Cli;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.safetensors.SafetensorsFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class ExtendTokenizerTest {
    private static final Path TOKENIZERS = Path.of("../data/src/test/resources/tokenizers");
    private static final Path TEXT = Path.of("../data/src/test/resources/training/text.txt");
    private static final String CONFIG = Cli.TINY.replace("\"vocab_size\": 256", "\"vocab_size\": 608");

    @TempDir
    Path temp;

    private Path model(String config) {
        Path file = Cli.write(temp.resolve("config.json"), config);
        Path model = temp.resolve("model");
        Cli.run("init", "--config", file, "--tokenizer", TOKENIZERS.resolve("qwen2"), "--out", model)
                .succeeds();
        return model;
    }

    private static float[][] rows(Path model, String name, int count) {
        try (SafetensorsFile file = SafetensorsFile.open(model.resolve("model.safetensors"));
                Arena arena = Arena.ofConfined()) {
            int width = 24;
            MemorySegment floats = arena.allocate(Float.BYTES * (long) count * width, Float.BYTES);
            file.readFloats(name, floats, 0);
            float[][] rows = new float[count][width];
            for (int i = 0; i < count * width; i++) {
                rows[i / width][i % width] = floats.getAtIndex(ValueLayout.JAVA_FLOAT, i);
            }
            return rows;
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void newRowsAreTheMeanOfTheirPieces(boolean tied) throws Exception {
        Path model = model(CONFIG.replace("\"tie_word_embeddings\": true", "\"tie_word_embeddings\": " + tied));
        Path out = temp.resolve("out");
        JsonNode result = Cli.run(
                        "tokenizer", "extend", "--model", model, "--data", TEXT, "--add", 100, "--out", out, "--json")
                .succeeds()
                .json();
        int first = result.path("first_id").intValue();
        // 608 is a multiple of 32, and so is what it becomes.
        assertThat(first).isEqualTo(603);
        assertThat(result.path("vocabulary").intValue()).isEqualTo(704);
        assertThat(result.path("bytes_per_token").doubleValue())
                .isGreaterThan(result.path("bytes_per_token_before").doubleValue());
        JsonNode config = JsonMapper.shared().readTree(Files.readAllBytes(out.resolve("config.json")));
        assertThat(config.path("vocab_size").intValue()).isEqualTo(704);

        Tokenizer old = Tokenizer.load(model);
        Tokenizer extended = Tokenizer.load(out);
        for (String name : tied
                ? new String[] {"model.embed_tokens.weight"}
                : new String[] {"model.embed_tokens.weight", "lm_head.weight"}) {
            float[][] before = rows(model, name, 608);
            float[][] after = rows(out, name, 704);
            for (int id = 0; id < first; id++) {
                assertThat(after[id]).isEqualTo(before[id]);
            }
            int compared = 0;
            for (int id = first; id < first + 100; id++) {
                String text = extended.decode(new int[] {id});
                int[] pieces = old.encode(text);
                if (!text.contains("\uFFFD") && extended.encode(text).length == 1) {
                    compared++;
                    for (int i = 0; i < 24; i++) {
                        double sum = 0;
                        for (int piece : pieces) {
                            sum += before[piece][i];
                        }
                        assertThat((double) after[id][i]).as(text).isCloseTo(sum / pieces.length, within(1e-6));
                    }
                }
            }
            assertThat(compared).isGreaterThan(50);
        }
        Cli.run("eval", "--model", out, "--data", TEXT, "--max-windows", 2).succeeds();
    }

    @Test
    void aVocabularyThatHasRoomStaysAsLarge() {
        Path model = model(CONFIG.replace("608", "1000"));
        JsonNode result = Cli.run(
                        "tokenizer",
                        "extend",
                        "--model",
                        model,
                        "--data",
                        TEXT,
                        "--add",
                        100,
                        "--out",
                        temp.resolve("out"),
                        "--json")
                .succeeds()
                .json();
        assertThat(result.path("vocabulary").intValue()).isEqualTo(1000);
    }

    @Test
    void whatCannotBe() throws Exception {
        Path model = model(CONFIG);
        Path out = temp.resolve("out");
        Cli.run("tokenizer", "extend", "--model", model, "--data", TEXT, "--out", out, "--add", 0)
                .isWrongUsage("--add 0");
        Path bytes = Cli.model(temp.resolve("bytes"));
        Cli.run("tokenizer", "extend", "--model", bytes, "--data", TEXT, "--out", out)
                .fails("extended");
        Path missing = temp.resolve("missing");
        Cli.run("tokenizer", "extend", "--model", missing, "--data", TEXT, "--out", out)
                .fails(missing.toString());
        Path empty = Files.createDirectory(temp.resolve("empty"));
        Cli.run("tokenizer", "extend", "--model", model, "--data", empty, "--out", out)
                .fails("holds no text");
        assertThat(out).doesNotExist();
        Cli.run("tokenizer", "extend", "--model", model, "--data", TEXT, "--out", model)
                .fails("is not empty");
    }
}
