package dev.whirlwind.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.model.safetensors.SafetensorsWriter;
import dev.whirlwind.model.weights.WeightFiles;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** Model folders, good and bad: every fault is one line that names the file and the place. */
class ModelFolderTest {
    @TempDir
    Path folder;

    private static ObjectNode config(String name) {
        return (ObjectNode) TransformerTest.json(GoldenCases.folder(name).resolve("config.json"));
    }

    private static ModelConfig parse(ObjectNode json) {
        return ModelConfig.parse(json.toString().getBytes(StandardCharsets.UTF_8), "some/config.json");
    }

    private static void refuses(Runnable action, String... parts) {
        assertThatThrownBy(action::run)
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll(parts)
                .hasMessageNotContaining("\n");
    }

    @Test
    void noSuchFolder() {
        refuses(() -> ModelConfig.read(folder.resolve("nowhere")), "nowhere", "no such model folder");
    }

    @Test
    void noConfig() {
        refuses(() -> ModelConfig.read(folder), folder.toString(), "config.json is missing");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"model_type\": | not valid JSON",
                "[1] | not a JSON object",
                "{} | model_type",
                "{\"model_type\": \"bert\"} | bert",
                "{\"model_type\": \"llama\"} | hidden_size",
            })
    void brokenConfig(String content, String said) throws IOException {
        Files.writeString(folder.resolve("config.json"), content);
        refuses(() -> ModelConfig.read(folder), "config.json", said);
    }

    /** What Whirlwind would compute differently is refused. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "gpt2 | activation_function | \"relu\"",
                "gpt2 | scale_attn_by_inverse_layer_idx | true",
                "gpt2 | n_head | 5",
                "gpt2 | n_embd | -48",
                "gpt2 | resid_pdrop | 1.0",
                "llama | hidden_act | \"gelu\"",
                "llama | num_key_value_heads | 3",
                "llama | head_dim | 7",
                "llama | vocab_size | 1.5",
                "llama | rope_parameters | {\"rope_type\":\"yarn\",\"factor\":2.0}",
                "llama | rope_parameters | {\"rope_type\":\"default\",\"rope_theta\":\"ten thousand\"}",
                "llama | rope_parameters | {\"rope_type\":\"default\",\"rope_theta\":-1}",
                "llama | rope_parameters | {\"rope_type\":\"linear\",\"rope_theta\":1e4,\"factor\":0}",
                "llama | rope_parameters | {\"rope_type\":\"llama3\",\"rope_theta\":1e4,\"factor\":2.0}",
            })
    void unsupportedConfig(String name, String key, String value) {
        ObjectNode json = config(name);
        json.set(key, JsonMapper.shared().readTree(value));
        refuses(() -> parse(json), "some/config.json");
    }

    @Test
    void mixedSlidingWindows() {
        ObjectNode json = config("qwen2");
        json.put("use_sliding_window", true).put("sliding_window", 8).put("max_window_layers", 1);
        json.remove("layer_types");
        refuses(() -> parse(json), "sliding window");
        assertThat(parse(json.put("max_window_layers", 0)).window()).isEqualTo(8);
        assertThat(parse(json.put("max_window_layers", 2)).window()).isZero();
    }

    @Test
    void presetsHaveTheirSizes() {
        assertThat(new ParameterLayout(ModelConfig.preset("gpt2")).parameterCount())
                .isEqualTo(124_439_808);
        assertThat(new ParameterLayout(ModelConfig.preset("llama-15m")).parameterCount())
                .isEqualTo(15_191_712);
        assertThat(new ParameterLayout(ModelConfig.preset("byte-tiny")).parameterCount())
                .isEqualTo(3_229_952);
        refuses(() -> ModelConfig.preset("gpt5"), "gpt5", "byte-tiny");
    }

    @Test
    void initialWeightsHaveTheirSpread() {
        try (Engine engine = new ReferenceEngine()) {
            Parameters weights = new Parameters(engine, new ParameterLayout(parse(config("gpt2"))), "weights");
            Initializer.initialize(weights, 5);
            assertThat(deviation(weights.tokenEmbedding, 384 * 48)).isBetween(0.019, 0.021);
            assertThat(deviation(weights.outWeight, 48 * 48)).isBetween(0.0075, 0.0088);
            assertThat(deviation(weights.qkvBias, 3 * 48)).isZero();
            assertThat(weights.norm1Weight
                            .buffer()
                            .segment()
                            .getAtIndex(ValueLayout.JAVA_FLOAT, weights.norm1Weight.offset(2)))
                    .isOne();
        }
    }

    private static double deviation(Tensor tensor, int length) {
        double squares = 0;
        for (int i = 0; i < length; i++) {
            double x = tensor.buffer().segment().getAtIndex(ValueLayout.JAVA_FLOAT, tensor.offset() + i);
            squares += x * x;
        }
        return Math.sqrt(squares / length);
    }

    // ---------------------------------------------------------------------------------------------- weights

    static List<String> cases() {
        return GoldenCases.NAMES;
    }

    /** Our reader reads what PyTorch saved after training, and what we then write is the same, bit for bit. */
    @ParameterizedTest
    @MethodSource("cases")
    void savesWhatItLoaded(String name) throws IOException {
        Path original = GoldenCases.folder(name).resolve("final");
        try (Engine engine = new ReferenceEngine()) {
            Parameters weights = new Parameters(engine, new ParameterLayout(ModelConfig.read(original)), "weights");
            DType dtype = HuggingFace.load(original, weights);
            HuggingFace.save(folder, weights, dtype, Long.MAX_VALUE);
        }
        assertThat(folder.resolve("model.safetensors")).hasSameBinaryContentAs(original.resolve("model.safetensors"));
        assertThat(TransformerTest.json(folder.resolve("config.json")))
                .isEqualTo(TransformerTest.json(original.resolve("config.json")));
    }

    /** Every float of every type comes back; shards too. */
    @ParameterizedTest
    @EnumSource(names = {"F16", "BF16", "F32", "F64"})
    void roundTrips(DType dtype) {
        Path original = GoldenCases.folder("gpt2");
        try (Engine engine = new ReferenceEngine()) {
            ParameterLayout layout = new ParameterLayout(ModelConfig.read(original));
            Parameters weights = new Parameters(engine, layout, "weights");
            HuggingFace.load(original, weights);
            HuggingFace.save(folder, weights, dtype, 100_000);
            assertThat(folder.resolve("model.safetensors.index.json")).exists();
            assertThat(TransformerTest.json(folder.resolve("config.json"))
                            .path("dtype")
                            .stringValue())
                    .isEqualTo(Map.of("F16", "float16", "BF16", "bfloat16", "F32", "float32", "F64", "float64")
                            .get(dtype.name()));
            Parameters again = new Parameters(engine, layout, "again");
            assertThat(HuggingFace.load(folder, again)).isEqualTo(dtype);
            if (dtype == DType.F32 || dtype == DType.F64) {
                assertThat(again.buffer().segment().mismatch(weights.buffer().segment()))
                        .isEqualTo(-1);
            } else {
                // Narrowed once, it stays what it is.
                MemorySegment narrowed = again.buffer().segment();
                HuggingFace.save(folder, again, dtype, 100_000);
                Parameters third = new Parameters(engine, layout, "third");
                HuggingFace.load(folder, third);
                assertThat(third.buffer().segment().mismatch(narrowed)).isEqualTo(-1);
                assertThat(narrowed.mismatch(weights.buffer().segment())).isNotEqualTo(-1);
            }
        }
    }

    private void loads(Consumer<List<SafetensorsWriter.Entry>> change, String... said) {
        Path original = GoldenCases.folder("qwen3");
        try (Engine engine = new ReferenceEngine()) {
            ParameterLayout layout = new ParameterLayout(ModelConfig.read(original));
            Parameters weights = new Parameters(engine, layout, "weights");
            HuggingFace.load(original, weights);
            List<SafetensorsWriter.Entry> entries =
                    new ArrayList<>(HuggingFace.entries(layout, weights.buffer().segment(), "", DType.F32));
            change.accept(entries);
            SafetensorsWriter.writeModel(folder, entries, SafetensorsWriter.PYTORCH, Long.MAX_VALUE);
            refuses(() -> HuggingFace.load(folder, weights), said);
        }
    }

    @Test
    void missingTensor() {
        loads(
                entries -> entries.removeIf(e -> e.name().equals("model.layers.1.self_attn.q_norm.weight")),
                folder.toString(),
                "model.layers.1.self_attn.q_norm.weight");
    }

    @Test
    void extraTensor() {
        loads(
                entries -> entries.add(new SafetensorsWriter.Entry(
                        "model.layers.9.mlp.up_proj.weight", DType.F32, List.of(2L), (first, count, chunk) -> {})),
                folder.toString(),
                "model.layers.9.mlp.up_proj.weight");
    }

    @Test
    void wrongShape() {
        loads(
                entries -> entries.replaceAll(e -> e.name().equals("lm_head.weight")
                        ? new SafetensorsWriter.Entry(
                                e.name(), e.dtype(), e.shape().reversed(), e.values())
                        : e),
                "model.safetensors",
                "lm_head.weight",
                "[48, 352]",
                "[352, 48]");
    }

    @Test
    void noWeights() throws IOException {
        Files.copy(GoldenCases.folder("llama").resolve("config.json"), folder.resolve("config.json"));
        try (Engine engine = new ReferenceEngine()) {
            Parameters weights = new Parameters(engine, new ParameterLayout(ModelConfig.read(folder)), "weights");
            refuses(() -> HuggingFace.load(folder, weights), folder.toString(), "model.safetensors");
        }
    }

    @Test
    void sequenceLongerThanPositions() {
        try (Engine engine = new ReferenceEngine()) {
            Parameters weights = new Parameters(
                    engine, new ParameterLayout(ModelConfig.read(GoldenCases.folder("gpt2"))), "weights");
            refuses(() -> Transformer.forEvaluation(engine, weights, 1, 65), "65", "64 positions");
        }
    }

    @Test
    void opensNothingElse() {
        refuses(() -> WeightFiles.open(folder.resolve("nowhere")), "nowhere");
    }
}
