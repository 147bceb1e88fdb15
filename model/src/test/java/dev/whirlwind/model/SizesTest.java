package dev.whirlwind.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** No product of sizes wraps around: what is too much is an error before anything is computed. */
class SizesTest {
    @ParameterizedTest
    @CsvSource({
        "16777217, 256, 12",
        "65536, 65536, 1",
        "2147483647, 2147483647, 2147483647",
        "1, 1073741825, 1",
        "134217729, 1, 8",
        "0, 4, 4",
        "4, -1, 4"
    })
    void batchesWithoutNumber(int batch, int sequence, int heads) {
        assertThatThrownBy(() -> new AttentionShape(batch, sequence, heads, heads, 2, 0))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll(batch + " sequences of " + sequence + " tokens", "smaller batch");
    }

    @Test
    void theLargestBatch() {
        assertThat(new AttentionShape(1 << 12, 1 << 14, 16, 16, 2, 0).rows()).isEqualTo(1 << 26);
    }

    @ParameterizedTest
    @CsvSource({
        "hidden_size, 536870912",
        "hidden_size, 2147483647",
        "intermediate_size, 134217729",
        "vocab_size, 268435457",
        "head_dim, 65538",
        "num_attention_heads, 2147483646",
        "num_hidden_layers, 10001"
    })
    void configurationsOfNoModel(String key, int size) {
        String json = """
                {"model_type": "llama", "vocab_size": 300, "hidden_size": 8, "intermediate_size": 64, "head_dim": 2,
                 "num_hidden_layers": 2, "num_attention_heads": 4}""";
        assertThat(parse(json).headDim()).isEqualTo(2);
        String excessive = json.replaceFirst("\"" + key + "\": \\d+", "\"" + key + "\": " + size);
        assertThatThrownBy(() -> parse(excessive))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("larger than any machine");
    }

    /** Multiples of the twelve heads, or it would be that which is refused. */
    @ParameterizedTest
    @ValueSource(ints = {536870916, 2147483640})
    void aWidthThatFollowsFromAnother(int width) {
        assertThatThrownBy(() -> parse("{\"model_type\": \"gpt2\", \"n_embd\": " + width + "}"))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("larger than any machine");
    }

    /** Each size by itself is that of some model; the last of each pair is the largest that is let through. */
    @ParameterizedTest
    @CsvSource({
        "'hidden_size, 8388608, vocab_size, 100000000', 10000000",
        "'hidden_size, 8388608, max_position_embeddings, 200000000', 20000000",
        "'hidden_size, 8388608, num_hidden_layers, 10000, intermediate_size, 10000', 500",
        "'hidden_size, 8388608, num_hidden_layers, 10000, head_dim, 1024', 40",
    })
    void sizesWhoseProductIsNoModel(String sizes, int fewer) {
        String[] named = sizes.split(", ");
        assertThat(parse(with(named, fewer)).hiddenSize()).isEqualTo(8388608);
        assertThatThrownBy(() -> parse(with(named, Integer.parseInt(named[named.length - 1]))))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("larger than any machine");
    }

    private static String with(String[] named, int last) {
        Map<String, Integer> all = new LinkedHashMap<>();
        all.putAll(Map.of("vocab_size", 300, "hidden_size", 8, "intermediate_size", 64, "head_dim", 2));
        all.putAll(Map.of("num_hidden_layers", 2, "num_attention_heads", 4, "max_position_embeddings", 64));
        for (int i = 0; i < named.length; i += 2) {
            all.put(named[i], i + 2 == named.length ? last : Integer.parseInt(named[i + 1]));
        }
        return all.entrySet().stream()
                .map(size -> "\"" + size.getKey() + "\": " + size.getValue())
                .collect(Collectors.joining(", ", "{\"model_type\": \"llama\", ", "}"));
    }

    private static ModelConfig parse(String json) {
        return ModelConfig.parse(json.getBytes(StandardCharsets.UTF_8), "config.json");
    }

    @ParameterizedTest
    @CsvSource({"-1", "1", "-2147483648", "2147483647"})
    void positionsOutsideTheText(int position) {
        try (Engine engine = new ReferenceEngine()) {
            ModelConfig config = ModelConfig.read(GoldenCases.folder("gpt2"));
            Parameters weights = new Parameters(engine, new ParameterLayout(config), "weights");
            Transformer model = Transformer.forEvaluation(engine, weights, 1, 4);
            model.inputs().position = position;
            assertThatThrownBy(model::evaluate).isInstanceOf(IllegalStateException.class);
            Transformer generation =
                    Transformer.forGeneration(engine, weights, 4, new KeyValueCache(engine, config, 5));
            generation.inputs().position = position == 1 ? 2 : position;
            assertThatThrownBy(generation::logits).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void aCacheBeyondTheModelsPositions() {
        try (Engine engine = new ReferenceEngine()) {
            ModelConfig config = ModelConfig.read(GoldenCases.folder("gpt2"));
            assertThatThrownBy(() -> new KeyValueCache(engine, config, Integer.MAX_VALUE))
                    .isInstanceOf(UserException.class)
                    .hasMessageContaining("64 positions");
        }
    }

    /** Many more tokens may be asked for than there is room for. */
    @Test
    void generatesAsFarAsThereIsRoom() {
        try (Engine engine = new ReferenceEngine()) {
            ModelConfig config = ModelConfig.read(GoldenCases.folder("gpt2"));
            Parameters weights = new Parameters(engine, new ParameterLayout(config), "weights");
            Generator generator = new Generator(engine, weights, 7, 2);
            int[] tokens =
                    generator.generate(new int[] {1, 2, 3}, Integer.MAX_VALUE, Sampler.greedy(), Set.of(), token -> {});
            assertThat(tokens).hasSize(5);
        }
    }
}
