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
                "gpt2 | activation_function | \"mish\"",
                "gpt2 | activation_function | 3",
                "gpt2 | add_cross_attention | true",
                "gpt2 | n_head | 5",
                "gpt2 | n_embd | -48",
                "gpt2 | resid_pdrop | 1.0",
                "llama | hidden_act | \"gelu_10\"",
                "llama | num_key_value_heads | 3",
                "llama | head_dim | 7",
                "llama | vocab_size | 1.5",
                "llama | partial_rotary_factor | 0.5",
                "llama | rope_parameters | {\"rope_type\":\"mrope\"}",
                "llama | rope_parameters | {\"full_attention\":{\"rope_type\":\"default\"}}",
                "llama | rope_parameters | {\"rope_type\":\"dynamic\"}",
                "llama | rope_parameters | {\"rope_type\":\"longrope\",\"short_factor\":[1],\"long_factor\":[1]}",
                "qwen2 | layer_types | [\"full_attention\"]",
                "qwen2 | layer_types | [\"full_attention\",\"sliding_attention\"]",
                "qwen2 | layer_types | [\"full_attention\",\"chunked_attention\"]",
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

    /** Qwen slides from a layer on; layer_types goes before that, and Mistral's window before neither. */
    @Test
    void slidingWindows() {
        ObjectNode qwen = config("qwen2");
        qwen.put("use_sliding_window", true).put("sliding_window", 8).put("max_window_layers", 1);
        qwen.putNull("layer_types");
        assertThat(windows(qwen)).containsExactly(0, 8);
        assertThat(windows(qwen.deepCopy().put("max_window_layers", 0))).containsExactly(8);
        assertThat(windows(qwen.deepCopy().put("max_window_layers", 2))).containsExactly(0);
        assertThat(windows(qwen.deepCopy().put("use_sliding_window", false))).containsExactly(0);
        assertThat(windows(qwen.deepCopy().putNull("sliding_window"))).containsExactly(0);
        qwen.putArray("layer_types").add("sliding_attention").add("full_attention");
        assertThat(windows(qwen)).containsExactly(8, 0);
        ObjectNode mistral = config("mistral-swa");
        assertThat(windows(mistral)).containsExactly(8);
        mistral.putArray("layer_types").add("full_attention").add("sliding_attention");
        assertThat(windows(mistral)).containsExactly(0, 8);
        assertThat(windows(config("mistral"))).containsExactly(0);
    }

    private static List<Integer> windows(ObjectNode json) {
        return parse(json).attentionLayers().stream()
                .map(AttentionLayer::window)
                .toList();
    }

    /** Null is as if left out; for the number of key/value heads it means the number of heads. */
    @Test
    void nulls() {
        ObjectNode json = config("mistral");
        json.putNull("num_key_value_heads").putNull("head_dim").putNull("rope_scaling");
        assertThat(parse(json).kvHeads()).isEqualTo(4);
        assertThat(parse(json).headDim()).isEqualTo(16);
        json.remove("num_key_value_heads");
        json.put("num_attention_heads", 8);
        assertThat(parse(json).kvHeads()).isEqualTo(8);
    }

    /** As transformers reads them: rope_scaling before rope_parameters, the file's own original length before theirs. */
    @Test
    void formsOfRope() {
        ObjectNode json = config("llama");
        json.putObject("rope_parameters").put("rope_type", "default").put("rope_theta", 500.0);
        json.putObject("rope_scaling");
        assertThat(parse(json).rope()).isEqualTo(new Rope(500, new RopeScaling.None()));
        json.putObject("rope_scaling").put("type", "linear").put("factor", 8.0);
        assertThat(parse(json).rope()).isEqualTo(new Rope(10_000, new RopeScaling.Linear(8)));
        assertThat(parse(json).longestText()).isEqualTo(8 * 128);
        json.putObject("rope_scaling")
                .put("type", "linear")
                .put("rope_type", "llama3")
                .put("factor", 8)
                .put("low_freq_factor", 1)
                .put("high_freq_factor", 4);
        assertThat(parse(json).rope().scaling()).isEqualTo(new RopeScaling.Llama3(8, 1, 4, 128));
        json.put("original_max_position_embeddings", 32);
        assertThat(parse(json).rope().scaling()).isEqualTo(new RopeScaling.Llama3(8, 1, 4, 32));
        json.putObject("rope_scaling")
                .put("type", "yarn")
                .putNull("factor")
                .put("mscale", 2)
                .put("mscale_all_dim", 1);
        assertThat(parse(json).rope().scaling())
                .isEqualTo(new RopeScaling.Yarn(4, 32, 32, 1, true, (1 + 0.2 * Math.log(4)) / (1 + 0.1 * Math.log(4))));
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
                    new ArrayList<>(HuggingFace.entries(layout.checkpointTensors(), weights.buffer(), "", DType.F32));
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
