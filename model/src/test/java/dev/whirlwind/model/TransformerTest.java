package dev.whirlwind.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.safetensors.SafetensorsFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The model itself against PyTorch's float64 figures, on the engine that computes in double. */
class TransformerTest {
    static Stream<String> cases() {
        return GoldenCases.NAMES.stream();
    }

    static JsonNode json(Path file) {
        return JsonMapper.shared().readTree(file.toFile());
    }

    /** Fills a batch from [batch][sequence] ids; the last place of each row predicts nothing. */
    static int fill(Inputs inputs, JsonNode rows) {
        int sequence = rows.path(0).size();
        for (int b = 0; b < rows.size(); b++) {
            for (int t = 0; t < sequence; t++) {
                inputs.tokens[b * sequence + t] = rows.path(b).path(t).intValue();
                inputs.targets[b * sequence + t] =
                        t + 1 < sequence ? rows.path(b).path(t + 1).intValue() : -1;
            }
        }
        return rows.size() * (sequence - 1);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void agreesWithPyTorch(String name) {
        agrees(name, "config.json", false);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void readsTheOlderFormOfConfig(String name) {
        ModelConfig old = ModelConfig.readFile(GoldenCases.folder(name).resolve("config_legacy.json"));
        ModelConfig now = ModelConfig.readFile(GoldenCases.folder(name).resolve("config.json"));
        assertThat(old).usingRecursiveComparison().ignoringFields("json").isEqualTo(now);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void recomputesTheSameGradients(String name) {
        agrees(name, "config.json", true);
    }

    private void agrees(String name, String configFile, boolean recompute) {
        Path folder = GoldenCases.folder(name);
        JsonNode expected = json(folder.resolve("expected.json")).path("float64");
        JsonNode tokens = json(folder.resolve("tokens.json")).path("tokens");
        ParameterLayout layout = new ParameterLayout(ModelConfig.readFile(folder.resolve(configFile)));
        try (Engine engine = new ReferenceEngine();
                SafetensorsFile grads = SafetensorsFile.open(folder.resolve("grads.safetensors"))) {
            Parameters weights = new Parameters(engine, layout, "weights");
            HuggingFace.load(folder, weights);
            Transformer model = Transformer.forTraining(
                    engine, weights, tokens.size(), tokens.path(0).size(), recompute);
            int predicted = fill(model.inputs(), tokens);
            model.inputs().lossScale = 1f / predicted;

            double loss = model.forwardBackward() / predicted;
            assertThat(loss).isCloseTo(expected.path("loss").doubleValue(), within(1e-6));
            model.gradients().download();
            for (CheckpointTensor tensor : layout.checkpointTensors()) {
                float[] right = floats(grads, tensor);
                float[] ours = floats(model.gradients().buffer(), tensor);
                assertThat(relativeError(ours, right)).as(tensor.name()).isLessThan(1e-5);
            }

            MemorySegment logits = model.logits();
            int vocabulary = layout.config().vocabularySize();
            for (JsonNode row : expected.path("logits")) {
                long at = (row.path("b").longValue() * model.sequence()
                                + row.path("t").longValue())
                        * vocabulary;
                for (int v = 0; v < vocabulary; v++) {
                    assertThat((double) logits.getAtIndex(ValueLayout.JAVA_FLOAT, at + v))
                            .isCloseTo(row.path("values").path(v).doubleValue(), within(1e-5));
                }
            }
        }
    }

    /** The file's tensor in the order of the arena. */
    private static float[] floats(SafetensorsFile file, CheckpointTensor tensor) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment values = arena.allocate(4 * tensor.size(), 4);
            file.readFloats(tensor.name(), values, 0);
            float[] read = values.toArray(ValueLayout.JAVA_FLOAT);
            if (!tensor.transposed()) {
                return read;
            }
            int in = tensor.shape().get(0).intValue();
            int out = tensor.shape().get(1).intValue();
            float[] transposed = new float[read.length];
            for (int i = 0; i < read.length; i++) {
                transposed[i % out * in + i / out] = read[i];
            }
            return transposed;
        }
    }

    private static float[] floats(Buffer buffer, CheckpointTensor tensor) {
        return buffer.segment().asSlice(4 * tensor.offset(), 4 * tensor.size()).toArray(ValueLayout.JAVA_FLOAT);
    }

    private static double relativeError(float[] ours, float[] right) {
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < right.length; i++) {
            difference += Math.pow(ours[i] - right[i], 2);
            norm += Math.pow(right[i], 2);
        }
        return Math.sqrt(difference / norm);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void continuesAsPyTorchDoes(String name) {
        Path folder = GoldenCases.folder(name);
        JsonNode greedy = json(folder.resolve("expected.json")).path("greedy").path("float64");
        int[] prompt = ints(greedy.path("prompt"));
        int[] continuation = ints(greedy.path("continuation"));
        try (Engine engine = new ReferenceEngine()) {
            Parameters weights = new Parameters(engine, new ParameterLayout(ModelConfig.read(folder)), "weights");
            HuggingFace.load(folder, weights);
            Generator generator = new Generator(engine, weights, prompt.length + continuation.length, 2);
            int[] out = generator.generate(prompt, continuation.length, Sampler.greedy(), Set.of(), token -> {});
            assertThat(out).isEqualTo(continuation);
        }
    }

    static int[] ints(JsonNode array) {
        int[] values = new int[array.size()];
        Arrays.setAll(values, i -> array.path(i).intValue());
        return values;
    }
}
