package dev.whirlwind.training;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.whirlwind.data.EvaluationWindows;
import dev.whirlwind.data.EvaluationWindows.Convention;
import dev.whirlwind.data.TokenSource;
import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Generator;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Pissa;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.Sampler;
import dev.whirlwind.model.Saving;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.adapters.AdapterConfig;
import dev.whirlwind.model.adapters.AdapterFiles;
import dev.whirlwind.model.files.WholeFile;
import dev.whirlwind.model.safetensors.SafetensorsFile;
import dev.whirlwind.training.evaluation.Evaluation;
import dev.whirlwind.training.metrics.Json;
import dev.whirlwind.training.optimizers.Optimizer;
import dev.whirlwind.training.optimizers.Schedule;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/**
 * An engine against a case: a model folder with what PyTorch computes with it, in double precision. The folder also
 * holds {@code tokens.json}, {@code trajectory_tokens.json}, {@code eval_tokens.json} and {@code expected.json}, may hold
 * all gradients in {@code grads.safetensors}, and in {@code final/} the model as PyTorch trained it.
 */
public final class Parity {
    /**
     * What passes. Of 16 bits, PyTorch's own distances under autocast lie within: on 20 cases 2.7e-4, 0.056 and 0.144 with
     * bf16 (of losses, logits, gradients), the loss as near as it is by chance.
     *
     * @param loss relative
     * @param gradients of the norm of the difference to the gradient's norm
     * @param sure logits of the two likeliest tokens may be this close for the other one to be preferred
     */
    private record Bounds(double loss, double logits, double gradients, double trajectory, double sure) {
        static Bounds of(Precision precision) {
            return switch (precision) {
                case FP32 -> new Bounds(1e-5, 1e-4, 1e-4, 1e-4, 1e-3);
                case BF16 -> new Bounds(1e-3, 0.06, 0.1, 3e-3, 0.1);
                case FP16 -> new Bounds(1.25e-4, 8e-3, 8e-3, 4e-4, 0.0125);
            };
        }
    }

    private final Supplier<Engine> engines;
    private final Path folder;
    private final ModelConfig config;
    private final JsonNode expected;

    /** What the case is about, in its folder {@code adapter}; null where it is about a whole model. */
    private final AdapterConfig adapter;

    /** The loss on {@code tokens.json}, in nats per predicted token. */
    public record Loss(double expected, double actual, double relativeError) {
        static Loss of(double expected, double actual) {
            return new Loss(expected, actual, Math.abs(actual - expected) / Math.abs(expected));
        }
    }

    /** Over all logits that the case records. */
    public record Logits(double maxAbsError) {}

    /**
     * Of each parameter, the norm of the difference (or, where the case has only samples, the largest difference of
     * these) over the norm of its gradient.
     *
     * @param worst the parameter where it is largest
     */
    public record Gradients(double maxRelativeError, String worst) {}

    /** Training steps with AdamW, clipping and a schedule. */
    public record Trajectory(int steps, double maxLossError, double maxGradNormRelativeError) {}

    /** Of the parameters' samples after these steps; parameters without a gradient only drift on rounding, and are left out. */
    public record FinalParameters(double maxAbsError) {}

    /** On {@code eval_tokens.json}, in windows that share no token. */
    public record Perplexity(double expected, double actual) {}

    /** The likeliest continuation of a prompt: its length, and how many of its first tokens are PyTorch's. */
    public record Greedy(int tokens, int agreeing, boolean pass) {}

    /**
     * What all of it came to.
     *
     * @param perplexity null for an adapter's case, and so is {@code greedy}
     * @param finalReloaded the loss of the case's {@code final/}, or null without a model there
     */
    public record Report(
            @JsonProperty("case") String caseName,
            String engine,
            boolean pass,
            Loss loss,
            Logits logits,
            Gradients gradients,
            Trajectory trajectory,
            FinalParameters finalParameters,
            Perplexity perplexity,
            Greedy greedy,
            Loss finalReloaded) {}

    private Parity(Supplier<Engine> engines, Path folder) {
        this.engines = engines;
        this.folder = folder;
        config = ModelConfig.read(folder);
        expected = json("expected.json");
        Path ofCase = folder.resolve("adapter");
        adapter = Files.isDirectory(ofCase) ? AdapterConfig.read(ofCase) : null;
    }

    /**
     * Runs a case.
     *
     * @param engines opens the engine to be judged; each part closes its own
     */
    public static Report run(Supplier<Engine> engines, Path folder) {
        return new Parity(engines, folder).run();
    }

    private Report run() {
        String engineName;
        Bounds bounds;
        Loss loss;
        Logits logits;
        Gradients gradients;
        Perplexity perplexity;
        Greedy greedy;
        try (Engine engine = engines.get()) {
            engineName = engine.name();
            bounds = Bounds.of(engine.precision());
            Parameters weights = load(engine);
            Transformer model = batchOfTokens(engine, weights);
            double actual = model.forwardBackward() * model.inputs().lossScale;
            loss = Loss.of(float64().path("loss").doubleValue(), actual);
            gradients = gradients(model.gradients());
            logits = logits(model);
            perplexity = adapter == null ? perplexity(engine, weights) : null;
            greedy = adapter == null ? greedy(engine, weights, bounds.sure()) : null;
        }
        Trajectory trajectory;
        FinalParameters finalParameters;
        try (Engine engine = engines.get()) {
            Parameters weights = load(engine);
            trajectory = trajectory(engine, weights);
            finalParameters = finalParameters(weights);
        }
        Loss finalReloaded = finalReloaded();
        boolean pass = loss.relativeError() <= bounds.loss()
                && logits.maxAbsError() <= bounds.logits()
                && gradients.maxRelativeError() <= bounds.gradients()
                && trajectory.maxLossError() <= bounds.trajectory()
                && (greedy == null || greedy.pass())
                && (finalReloaded == null || finalReloaded.relativeError() <= bounds.loss());
        return new Report(
                expected.path("case").asString(folder.getFileName().toString()),
                engineName,
                pass,
                loss,
                logits,
                gradients,
                trajectory,
                finalParameters,
                perplexity,
                greedy,
                finalReloaded);
    }

    private JsonNode float64() {
        return expected.path("float64");
    }

    private Parameters load(Engine engine) {
        if (adapter == null) {
            return load(engine, folder);
        }
        ParameterLayout layout = new ParameterLayout(config, adapter.of(config));
        Parameters weights = new Parameters(engine, layout, "weights");
        HuggingFace.load(folder, weights);
        if (adapter.isPrincipal()) {
            new Pissa(engine, weights).begin(Pissa.Search.EXACT);
        }
        AdapterFiles.load(folder.resolve("adapter"), adapter, weights);
        return weights;
    }

    /** What the case trains. */
    private Predicate<String> trained(Parameters weights) {
        if (adapter == null) {
            return _ -> true;
        }
        Set<String> names = AdapterFiles.tensors(weights.layout()).stream()
                .map(CheckpointTensor::name)
                .collect(Collectors.toSet());
        return names::contains;
    }

    private static Parameters load(Engine engine, Path folder) {
        Parameters weights = new Parameters(engine, new ParameterLayout(ModelConfig.read(folder)), "weights");
        HuggingFace.load(folder, weights);
        return weights;
    }

    // ---------------------------------------------------------------------------------------------- one batch

    private Transformer batchOfTokens(Engine engine, Parameters weights) {
        JsonNode tokens = json("tokens.json").path("tokens");
        Transformer model = Transformer.forTraining(
                engine, weights, tokens.size(), tokens.path(0).size(), Saving.NOTHING, trained(weights));
        fill(model.inputs(), tokens);
        return model;
    }

    /** A batch of [batch][sequence] ids; the last place of each sequence predicts nothing. */
    private static void fill(Inputs inputs, JsonNode rows) {
        int sequence = rows.path(0).size();
        for (int b = 0; b < rows.size(); b++) {
            for (int t = 0; t < sequence; t++) {
                inputs.tokens[b * sequence + t] = rows.path(b).path(t).intValue();
                inputs.targets[b * sequence + t] =
                        t + 1 < sequence ? rows.path(b).path(t + 1).intValue() : -1;
            }
        }
        inputs.lossScale = 1f / (rows.size() * (sequence - 1));
    }

    private Logits logits(Transformer model) {
        MemorySegment logits = model.logits();
        double worst = 0;
        for (JsonNode row : float64().path("logits")) {
            long place =
                    row.path("b").longValue() * model.sequence() + row.path("t").longValue();
            worst = worse(worst, logits, place, row.path("values"));
        }
        JsonNode last = float64().path("logits_last");
        for (int b = 0; b < last.size(); b++) {
            worst = worse(worst, logits, (b + 1L) * model.sequence() - 1, last.path(b));
        }
        return new Logits(worst);
    }

    private double worse(double worst, MemorySegment logits, long place, JsonNode right) {
        double worse = worst;
        for (int v = 0; v < config.vocabularySize(); v++) {
            double actual = logits.getAtIndex(ValueLayout.JAVA_FLOAT, place * config.vocabularySize() + v);
            worse = worse(worse, actual - right.path(v).doubleValue());
        }
        return worse;
    }

    private Gradients gradients(Parameters gradients) {
        gradients.download();
        Path file = folder.resolve("grads.safetensors");
        double whole = float64().path("grad_norm").doubleValue();
        double worst = 0;
        String worstName = "";
        try (SafetensorsFile all = Files.exists(file) ? SafetensorsFile.open(file) : null) {
            Map<String, String> names = adapter == null ? Map.of() : namesInLayout(all);
            for (CheckpointTensor tensor : gradients.layout().checkpointTensors()) {
                String name = names.getOrDefault(tensor.name(), tensor.name());
                JsonNode record = float64().path("grads").path(name);
                JsonNode l2 = adapter == null
                        ? record.path("l2")
                        : float64().path("grad_l2").path(name);
                double norm = l2.doubleValue();
                float[] actual = onDisk(gradients, tensor);
                double difference = all == null ? samples(record, actual) : distance(all, name, actual);
                // A gradient that is zero mathematically is rounding only: it is measured against all the others.
                double error = difference / (norm > 1e-9 * whole ? norm : whole);
                if (!(error <= worst)) {
                    worst = error;
                    worstName = tensor.name();
                }
            }
        }
        return new Gradients(worst, worstName);
    }

    /** PEFT's names of tensors by ours. */
    private static Map<String, String> namesInLayout(SafetensorsFile file) {
        return file.names().stream().collect(Collectors.toMap(AdapterFiles::inLayout, name -> name));
    }

    private static double samples(JsonNode record, float[] actual) {
        double worst = 0;
        for (int i = 0; i < record.path("idx").size(); i++) {
            double right = record.path("val").path(i).doubleValue();
            worst = worse(worst, actual[record.path("idx").path(i).intValue()] - right);
        }
        return worst;
    }

    private static double distance(SafetensorsFile file, String name, float[] actual) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment right = arena.allocate(Float.BYTES * (long) actual.length, Float.BYTES);
            file.readFloats(name, right, 0);
            double sum = 0;
            for (int i = 0; i < actual.length; i++) {
                double difference = actual[i] - right.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                sum += difference * difference;
            }
            return Math.sqrt(sum);
        }
    }

    /** A tensor's floats in the order of a checkpoint. */
    private static float[] onDisk(Parameters parameters, CheckpointTensor tensor) {
        MemorySegment segment = parameters.buffer().segment();
        float[] values = segment.asSlice(Float.BYTES * tensor.offset(), Float.BYTES * tensor.size())
                .toArray(ValueLayout.JAVA_FLOAT);
        if (!tensor.transposed()) {
            return values;
        }
        int in = tensor.shape().get(0).intValue();
        int out = tensor.shape().get(1).intValue();
        float[] transposed = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            transposed[i] = values[i % out * in + i / out];
        }
        return transposed;
    }

    private Perplexity perplexity(Engine engine, Parameters weights) {
        int[] tokens = ints(json("eval_tokens.json").path("tokens"));
        JsonNode right = expected.path("eval").path("float64");
        Transformer model = Transformer.forEvaluation(
                engine, weights, 4, right.path("window").intValue());
        TokenSource source = TokenSource.of("eval_tokens.json", tokens, tokens.length, config.vocabularySize());
        double actual = Evaluation.of(model, new EvaluationWindows(source, model.sequence(), Convention.SEPARATE))
                .perplexity();
        return new Perplexity(right.path("perplexity").doubleValue(), actual);
    }

    private Greedy greedy(Engine engine, Parameters weights, double sure) {
        JsonNode record = expected.path("greedy").path("float64");
        int[] prompt = ints(record.path("prompt"));
        int[] right = ints(record.path("continuation"));
        Generator generator = new Generator(engine, weights, prompt.length + right.length, 2);
        int[] actual = generator.generate(prompt, right.length, Sampler.greedy(), Set.of(), token -> {});
        int agreeing = Arrays.mismatch(actual, right);
        agreeing = agreeing < 0 ? right.length : agreeing;
        // After a choice that could have gone either way the texts are not comparable.
        boolean pass = agreeing == right.length
                || record.path("top1_minus_top2").path(agreeing).doubleValue() < sure;
        return new Greedy(right.length, agreeing, pass);
    }

    // ---------------------------------------------------------------------------------------------- many steps

    private Trajectory trajectory(Engine engine, Parameters weights) {
        JsonNode settings = expected.path("trajectory");
        JsonNode right = settings.path("float64");
        JsonNode batches = json("trajectory_tokens.json").path("tokens");
        JsonNode first = batches.path(0);
        Transformer model = Transformer.forTraining(
                engine, weights, first.size(), first.path(0).size(), Saving.NOTHING, trained(weights));
        AdamW adamw = new AdamW(
                settings.path("betas").path(0).floatValue(),
                settings.path("betas").path(1).floatValue(),
                settings.path("eps").floatValue(),
                settings.path("weight_decay").floatValue());
        Optimizer optimizer =
                new Optimizer(engine, model, adamw, settings.path("clip").doubleValue());
        int steps = settings.path("steps").intValue();
        Schedule schedule = new Schedule(
                Schedule.Shape.COSINE,
                steps,
                settings.path("warmup").longValue(),
                0,
                settings.path("max_lr").doubleValue(),
                settings.path("min_lr").doubleValue());
        double worstLoss = 0;
        double worstNorm = 0;
        for (int s = 0; s < steps; s++) {
            fill(model.inputs(), batches.path(s));
            double loss = model.forwardBackward() * model.inputs().lossScale;
            double norm = optimizer.gradientNorm();
            optimizer.update(schedule.at(s), norm);
            worstLoss = worse(worstLoss, loss - right.path("loss").path(s).doubleValue());
            worstNorm = worse(worstNorm, norm / right.path("grad_norm").path(s).doubleValue() - 1);
        }
        return new Trajectory(steps, worstLoss, worstNorm);
    }

    private FinalParameters finalParameters(Parameters weights) {
        weights.download();
        if (adapter != null) {
            return finalAdapter(weights);
        }
        List<String> withoutGradient = IntStream.range(
                        0, expected.path("zero_grad_params_float64").size())
                .mapToObj(i -> expected.path("zero_grad_params_float64").path(i).stringValue())
                .toList();
        JsonNode records = expected.path("trajectory").path("float64").path("final_params");
        double worst = 0;
        for (CheckpointTensor tensor : weights.layout().checkpointTensors()) {
            if (!withoutGradient.contains(tensor.name())) {
                worst = worse(worst, samples(records.path(tensor.name()), onDisk(weights, tensor)));
            }
        }
        return new FinalParameters(worst);
    }

    private FinalParameters finalAdapter(Parameters weights) {
        double worst = 0;
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve("final").resolve(AdapterFiles.NAME))) {
            Map<String, String> names = namesInLayout(file);
            for (CheckpointTensor tensor : AdapterFiles.tensors(weights.layout())) {
                worst = worse(worst, largestDifference(file, names.get(tensor.name()), onDisk(weights, tensor)));
            }
        }
        return new FinalParameters(worst);
    }

    private static double largestDifference(SafetensorsFile file, String name, float[] actual) {
        double worst = 0;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment right = arena.allocate(Float.BYTES * (long) actual.length, Float.BYTES);
            file.readFloats(name, right, 0);
            for (int i = 0; i < actual.length; i++) {
                worst = worse(worst, actual[i] - right.getAtIndex(ValueLayout.JAVA_FLOAT, i));
            }
        }
        return worst;
    }

    private Loss finalReloaded() {
        if (adapter != null) {
            return null;
        }
        Path reloaded = folder.resolve("final");
        if (!Files.isDirectory(reloaded)) {
            return null;
        }
        try (Engine engine = engines.get()) {
            Transformer model = batchOfTokens(engine, load(engine, reloaded));
            double right = expected.path("trajectory")
                    .path("float32")
                    .path("final_loss_on_tokens_json")
                    .doubleValue();
            return Loss.of(right, model.evaluate() * model.inputs().lossScale);
        }
    }

    // ---------------------------------------------------------------------------------------------- parts

    /** The larger error; NaN, from a computation gone wrong, stays. */
    private static double worse(double worst, double error) {
        return Math.max(worst, Math.abs(error));
    }

    private static int[] ints(JsonNode array) {
        int[] values = new int[array.size()];
        Arrays.setAll(values, i -> array.path(i).intValue());
        return values;
    }

    private JsonNode json(String name) {
        Path file = folder.resolve(name);
        try {
            return Json.MAPPER.readTree(WholeFile.read(file, WholeFile.TABLE));
        } catch (IOException e) {
            throw new UserException(
                    file + ": cannot be read (" + Reason.of(e) + "); a case holds model, tokens and expected.json", e);
        } catch (JacksonException e) {
            throw new UserException(file + ": is not valid JSON (" + Reason.of(e) + ")", e);
        }
    }
}
