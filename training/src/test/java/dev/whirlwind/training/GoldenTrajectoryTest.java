package dev.whirlwind.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.data.EvaluationWindows;
import dev.whirlwind.data.EvaluationWindows.Convention;
import dev.whirlwind.data.TokenSource;
import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.GoldenCases;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.training.evaluation.Evaluation;
import dev.whirlwind.training.metrics.Json;
import dev.whirlwind.training.optimizers.Optimizer;
import dev.whirlwind.training.optimizers.Schedule;
import dev.whirlwind.training.optimizers.Schedule.Shape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Twenty steps of training, and perplexity, against PyTorch's float64 figures. */
class GoldenTrajectoryTest {
    static final List<String> CASES = GoldenCases.NAMES;

    private static JsonNode json(Path folder, String file) {
        return Json.MAPPER.readTree(folder.resolve(file).toFile());
    }

    /** Rows of ids; the last place of each predicts nothing. Returns the number of predicted places. */
    private static int fill(Inputs inputs, JsonNode rows) {
        int sequence = rows.get(0).size();
        for (int b = 0; b < rows.size(); b++) {
            for (int t = 0; t < sequence; t++) {
                inputs.tokens[b * sequence + t] = rows.get(b).get(t).intValue();
                inputs.targets[b * sequence + t] =
                        t + 1 < sequence ? rows.get(b).get(t + 1).intValue() : -1;
            }
        }
        return rows.size() * (sequence - 1);
    }

    @ParameterizedTest
    @FieldSource("CASES")
    void twentySteps(String name) {
        Path folder = GoldenCases.folder(name);
        JsonNode golden = json(folder, "expected.json").get("trajectory");
        JsonNode expected = golden.get("float64");
        JsonNode batches = json(folder, "trajectory_tokens.json").get("tokens");
        Schedule schedule = new Schedule(
                Shape.COSINE,
                golden.get("steps").intValue(),
                golden.get("warmup").intValue(),
                0,
                golden.get("max_lr").doubleValue(),
                golden.get("min_lr").doubleValue());
        try (Engine engine = TinyRun.engine()) {
            ParameterLayout layout = new ParameterLayout(ModelConfig.read(folder));
            Parameters weights = new Parameters(engine, layout, "weights");
            HuggingFace.load(folder, weights);
            Transformer model = Transformer.forTraining(
                    engine, weights, golden.get("B").intValue(), golden.get("T").intValue(), false);
            AdamW settings =
                    new AdamW(0.9f, 0.95f, 1e-8f, golden.get("weight_decay").floatValue());
            Optimizer optimizer =
                    new Optimizer(engine, model, settings, golden.get("clip").doubleValue());
            for (int s = 0; s < batches.size(); s++) {
                int predicted = fill(model.inputs(), batches.get(s));
                model.inputs().lossScale = 1f / predicted;
                double loss = model.forwardBackward() / predicted;
                double norm = optimizer.gradientNorm();
                optimizer.update(schedule.at(s), norm);
                assertThat(loss)
                        .as("loss of step %d", s)
                        .isCloseTo(expected.get("loss").get(s).doubleValue(), within(1e-5));
                assertThat(norm / expected.get("grad_norm").get(s).doubleValue())
                        .as("gradient norm of step %d", s)
                        .isCloseTo(1, within(1e-5));
            }
            assertThat(worst(weights, folder.resolve("final")))
                    .as("final parameters")
                    .isLessThan(1e-4);
            JsonNode tokens = json(folder, "tokens.json").get("tokens");
            Transformer after = Transformer.forEvaluation(
                    engine, weights, tokens.size(), tokens.get(0).size());
            int predicted = fill(after.inputs(), tokens);
            assertThat(after.evaluate() / predicted)
                    .isCloseTo(expected.get("final_loss_on_tokens_json").doubleValue(), within(1e-5));
        }
    }

    /**
     * Largest difference of any parameter from those that PyTorch saved (in float32). Key biases without rotary positions
     * add the same to all scores of a query, so their gradient is rounding noise, which AdamW blows up to whole steps.
     */
    private static double worst(Parameters weights, Path folder) {
        try (Engine engine = TinyRun.engine()) {
            Parameters expected = new Parameters(engine, weights.layout(), "expected");
            HuggingFace.load(folder, expected);
            weights.download();
            double worst = 0;
            for (CheckpointTensor tensor : weights.layout().checkpointTensors()) {
                boolean keyBias = tensor.name().endsWith("attn.c_attn.bias");
                for (long i = 0; i < tensor.size(); i++) {
                    if (keyBias && i / (tensor.size() / 3) == 1) {
                        continue;
                    }
                    worst = Math.max(
                            worst, Math.abs(at(weights, tensor.offset() + i) - at(expected, tensor.offset() + i)));
                }
            }
            return worst;
        }
    }

    private static double at(Parameters parameters, long index) {
        MemorySegment floats = parameters.buffer().segment();
        return floats.getAtIndex(ValueLayout.JAVA_FLOAT, index);
    }

    @ParameterizedTest
    @FieldSource("CASES")
    void perplexity(String name) {
        Path folder = GoldenCases.folder(name);
        JsonNode expected = json(folder, "expected.json").get("eval").get("float64");
        JsonNode ids = json(folder, "eval_tokens.json").get("tokens");
        int[] tokens =
                IntStream.range(0, ids.size()).map(i -> ids.get(i).intValue()).toArray();
        try (Engine engine = TinyRun.engine()) {
            ModelConfig config = ModelConfig.read(folder);
            Parameters weights = new Parameters(engine, new ParameterLayout(config), "weights");
            HuggingFace.load(folder, weights);
            TokenSource text = TokenSource.of(name, tokens, 4L * tokens.length, config.vocabularySize());
            Transformer model = Transformer.forEvaluation(
                    engine, weights, 5, expected.get("window").intValue());

            Evaluation separate =
                    Evaluation.of(model, new EvaluationWindows(text, model.sequence(), Convention.SEPARATE));
            assertThat(separate.tokens()).isEqualTo(expected.get("tokens").longValue());
            assertThat(separate.predicted()).isEqualTo(expected.get("predicted").longValue());
            assertThat(separate.windows()).hasSize(expected.get("windows").intValue());
            assertThat(separate.sumNll()).isCloseTo(expected.get("sum_nll").doubleValue(), within(2e-3));
            assertThat(separate.meanNll()).isCloseTo(expected.get("mean_nll").doubleValue(), within(1e-6));
            assertThat(separate.perplexity() / expected.get("perplexity").doubleValue())
                    .isCloseTo(1, within(1e-6));
            assertThat(separate.windows().getLast().predicted())
                    .isEqualTo(expected.get("last_window_predicted").intValue());
            assertThat(separate.windows().getLast().nll())
                    .isCloseTo(expected.get("last_window_sum_nll").doubleValue(), within(1e-4));
            assertThat(separate.bitsPerByte(4.0 * separate.predicted()))
                    .isCloseTo(expected.get("mean_nll").doubleValue() / Math.log(2) / 4, within(1e-6));

            Evaluation overlapping =
                    Evaluation.of(model, new EvaluationWindows(text, model.sequence(), Convention.OVERLAPPING));
            assertThat(overlapping.predicted())
                    .isEqualTo(expected.get("overlap1_predicted").longValue());
            assertThat(overlapping.meanNll())
                    .isCloseTo(expected.get("overlap1_mean_nll").doubleValue(), within(1e-6));

            Evaluation part =
                    Evaluation.of(model, new EvaluationWindows(text, model.sequence(), Convention.OVERLAPPING, 10));
            assertThat(overlapping.windows()).hasSize(42);
            assertThat(part.windows())
                    .containsExactly(IntStream.of(2, 6, 10, 14, 18, 23, 27, 31, 35, 39)
                            .mapToObj(overlapping.windows()::get)
                            .toArray(Evaluation.Part[]::new));
        }
    }

    /** A last window within the original length has the rotations of a short text, though the batch is of long ones. */
    @ParameterizedTest
    @ValueSource(strings = {"llama-longrope", "qwen2-dynamic"})
    void shortWindowsOfLongBatches(String name) {
        Path folder = GoldenCases.folder(name);
        int original = 16;
        try (Engine engine = TinyRun.engine()) {
            ModelConfig config = ModelConfig.read(folder);
            Parameters weights = new Parameters(engine, new ParameterLayout(config), "weights");
            HuggingFace.load(folder, weights);
            int[] tokens =
                    IntStream.range(0, 48 + original).map(i -> i * i % 47).toArray();
            int[] last = Arrays.copyOfRange(tokens, 48, tokens.length);
            assertThat(evaluate(engine, weights, tokens, 48).windows().getLast().nll())
                    .isCloseTo(
                            evaluate(engine, weights, last, original)
                                    .windows()
                                    .getFirst()
                                    .nll(),
                            within(1e-5));

            Transformer padded = Transformer.forEvaluation(engine, weights, 1, 48);
            new EvaluationWindows(text(weights, last), 48, Convention.SEPARATE)
                    .fill(0, 1, padded.inputs().tokens, padded.inputs().targets);
            double asLong = padded.evaluate();
            padded.textLength(original);
            assertThat(padded.evaluate()).isNotCloseTo(asLong, within(1e-3));
        }
    }

    /** Training goes on with the rotations of its own length after an evaluation whose last window was short. */
    @ParameterizedTest
    @ValueSource(strings = {"llama-longrope", "qwen2-dynamic"})
    void anEvaluationChangesNothingOfTheStepsAfterIt(String name) {
        Path folder = GoldenCases.folder(name);
        try (Engine engine = TinyRun.engine()) {
            Parameters weights = new Parameters(engine, new ParameterLayout(ModelConfig.read(folder)), "weights");
            HuggingFace.load(folder, weights);
            int[] tokens = IntStream.range(0, 48 + 16).map(i -> i * i % 47).toArray();
            Transformer model = Transformer.forTraining(engine, weights, 1, 48, false);
            EvaluationWindows windows = new EvaluationWindows(text(weights, tokens), 48, Convention.SEPARATE);
            windows.fill(0, 1, model.inputs().tokens, model.inputs().targets);
            double before = model.evaluate();
            Evaluation.of(model, windows);
            windows.fill(0, 1, model.inputs().tokens, model.inputs().targets);
            assertThat(model.evaluate()).isEqualTo(before);
        }
    }

    private static Evaluation evaluate(Engine engine, Parameters weights, int[] tokens, int sequence) {
        Transformer model = Transformer.forEvaluation(engine, weights, 2, sequence);
        return Evaluation.of(model, new EvaluationWindows(text(weights, tokens), sequence, Convention.SEPARATE));
    }

    private static TokenSource text(Parameters weights, int[] tokens) {
        return TokenSource.of("text", tokens, tokens.length, weights.config().vocabularySize());
    }
}
