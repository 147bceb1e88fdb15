package dev.whirlwind.training.config;

import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.optimizers.Schedule;
import dev.whirlwind.training.optimizers.Schedule.Shape;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.EnumNamingStrategies;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.cfg.EnumFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.LongNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * All options of a training run. As a map, or in a YAML file, their names are in snake_case, as {@code min_lr}; what is
 * left out is as in {@link #DEFAULTS}. Exactly one of steps, epochs and tokens gives the run's length.
 *
 * @param model folder of the checkpoint to go on from
 * @param data folders or files of the new domain's text
 * @param out folder of the run
 * @param valid folders or files of text to evaluate on; with none a part of {@code data} is held out
 * @param heldOut fraction of the documents that is never trained on, for evaluation
 * @param replay folders or files of general text that must not be forgotten
 * @param replayFraction fraction of the training sequences that is taken from {@code replay}
 * @param steps optimizer steps
 * @param epochs passes over {@code data}, of which the last step reads what is left
 * @param tokens training tokens
 * @param batch sequences of a micro-batch
 * @param sequence tokens of a sequence; 0 for the model's longest, 1024 at most
 * @param accumulation micro-batches of an optimizer step
 * @param lr highest learning rate
 * @param minLr learning rate at the end; null for a tenth of {@code lr}
 * @param schedule shape of the learning rate after its warm-up
 * @param warmup steps of the warm-up, or below 1 a fraction of all steps
 * @param decay steps of the last fall of the shapes wsd and infinite, or below 1 a fraction of all steps
 * @param weightDecay of tensors with two or more dimensions
 * @param beta1 decay of AdamW's mean of gradients
 * @param beta2 decay of AdamW's mean of squared gradients
 * @param eps what AdamW adds to the denominator
 * @param clip largest global norm of the gradient; 0 for no clipping
 * @param dropout probability at all dropout sites; null for the model's own
 * @param seed of the order of sequences and of dropout
 * @param evalEvery steps between evaluations; 0 for one before and one after the run
 * @param evalWindows sequences of each held-out set that an evaluation reads, spread evenly over it; 0 for all
 * @param patience evaluations without a new best after which the run ends early; 0 for never
 * @param saveEvery steps between checkpoints; 0 for one at the end
 * @param keep how many of the latest checkpoints stay; 0 for all
 * @param onNan what to do when the loss or the gradient's norm is not finite: stop or skip
 * @param onSpike what to do when the loss jumps: ignore, warn, skip or stop
 * @param spikeSigma a jump is this many standard deviations above the recent mean
 * @param saveDtype type of saved weights; null for the checkpoint's own
 * @param shardBytes most bytes of one safetensors file
 * @param recompute trade time for memory: run the forward pass of each block again before its backward pass
 * @param engine cpu, loops, tornado or auto
 * @param device id of the tornado engine's device; null for the first GPU, or else the first device
 * @param threads of the cpu engine; 0 for all cores
 */
public record TrainConfig(
        String model,
        List<String> data,
        String out,
        List<String> valid,
        double heldOut,
        List<String> replay,
        double replayFraction,
        Long steps,
        Double epochs,
        Long tokens,
        int batch,
        int sequence,
        int accumulation,
        double lr,
        Double minLr,
        Shape schedule,
        double warmup,
        double decay,
        double weightDecay,
        double beta1,
        double beta2,
        double eps,
        double clip,
        Double dropout,
        long seed,
        long evalEvery,
        int evalWindows,
        int patience,
        long saveEvery,
        int keep,
        Remedy onNan,
        Remedy onSpike,
        double spikeSigma,
        DType saveDtype,
        long shardBytes,
        boolean recompute,
        String engine,
        String device,
        int threads) {

    /** What to do about a step whose loss or gradient is suspect. */
    public enum Remedy {
        IGNORE,
        WARN,
        SKIP,
        STOP
    }

    /**
     * Options that may change while a run is under way: where things lie (that the texts are the same is checked by their
     * tokens), where it is computed, and how often it is saved.
     */
    static final Set<String> FREE = Set.of(
            "model",
            "data",
            "out",
            "valid",
            "replay",
            "save_every",
            "keep",
            "recompute",
            "engine",
            "device",
            "threads");

    /** The old name of eval_windows, which counts eight of them as one. */
    private static final String EVAL_BATCHES = "eval_batches";

    private static final JsonMapper MAPPER = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .enumNamingStrategy(EnumNamingStrategies.LOWER_CAMEL_CASE)
            .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
            .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
            .disable(EnumFeature.READ_ENUMS_USING_TO_STRING)
            .build();

    /** One epoch with settings that suit continued pre-training of small models. */
    public static final TrainConfig DEFAULTS = new TrainConfig(
            null,
            List.of(),
            null,
            List.of(),
            0.05,
            List.of(),
            0,
            null,
            null,
            null,
            8,
            0,
            1,
            1e-4,
            null,
            Shape.COSINE,
            0.02,
            0.1,
            0.1,
            0.9,
            0.95,
            1e-8,
            1,
            null,
            1234,
            250,
            400,
            0,
            500,
            2,
            Remedy.STOP,
            Remedy.WARN,
            6,
            null,
            5_000_000_000L,
            false,
            "auto",
            null,
            0);

    /** Of the cpu engine, which starts them all: more than any machine has cores for. */
    public static final int MOST_THREADS = 1024;

    public TrainConfig {
        data = paths("data", data);
        valid = paths("valid", valid);
        replay = paths("replay", replay);
        requirePath("model", model);
        requirePath("out", out);
        require(heldOut >= 0 && heldOut < 1, "held_out", heldOut, "a fraction from 0 to below 1");
        require(replayFraction >= 0 && replayFraction < 1, "replay_fraction", replayFraction, "from 0 to below 1");
        require(steps == null || steps > 0, "steps", steps, "above 0");
        require(epochs == null || (epochs > 0 && Double.isFinite(epochs)), "epochs", epochs, "above 0");
        require(tokens == null || tokens > 0, "tokens", tokens, "above 0");
        int lengths = (steps == null ? 0 : 1) + (epochs == null ? 0 : 1) + (tokens == null ? 0 : 1);
        if (lengths > 1) {
            throw new UserException("steps, epochs and tokens each give the length of the run; keep one of them");
        }
        require(batch > 0, "batch", batch, "1 or more");
        require(sequence >= 0 && sequence != 1, "sequence", sequence, "2 or more, or 0 for the model's longest");
        require(accumulation > 0, "accumulation", accumulation, "1 or more");
        requireRates(lr, minLr, schedule, warmup, decay);
        requireAdamW(weightDecay, beta1, beta2, eps, clip, lr);
        require(
                dropout == null || (dropout >= 0 && dropout.floatValue() < 1),
                "dropout",
                dropout,
                "from 0 to below 1, as a float");
        require(evalEvery >= 0, "eval_every", evalEvery, "0 or more");
        require(evalWindows >= 0, "eval_windows", evalWindows, "0 or more");
        require(patience >= 0, "patience", patience, "0 or more");
        require(saveEvery >= 0, "save_every", saveEvery, "0 or more");
        require(keep >= 0, "keep", keep, "0 or more");
        require(onNan == Remedy.STOP || onNan == Remedy.SKIP, "on_nan", name(onNan), "stop or skip");
        require(onSpike != null, "on_spike", null, "ignore, warn, skip or stop");
        require(Double.isFinite(spikeSigma) && spikeSigma > 0, "spike_sigma", spikeSigma, "above 0");
        require(saveDtype == null || saveDtype.convertible(), "save_dtype", saveDtype, "F32, BF16, F16 or F64");
        require(shardBytes > 0, "shard_bytes", shardBytes, "above 0");
        require(threads >= 0 && threads <= MOST_THREADS, "threads", threads, "from 0 to " + MOST_THREADS);
    }

    private static void requireRates(double lr, Double minLr, Shape schedule, double warmup, double decay) {
        require(lr < 10 && lr >= Float.MIN_NORMAL, "lr", lr, "above 0, as a float, and below 10");
        require(
                minLr == null || minLr == 0 || (minLr >= Float.MIN_NORMAL && minLr <= lr),
                "min_lr",
                minLr,
                "0, or above 0, as a float, and at most lr");
        require(schedule != null, "schedule", null, "cosine, linear, constant, wsd or infinite");
        require(
                schedule != Shape.INFINITE || minLr == null || minLr > 0,
                "min_lr",
                minLr,
                "above 0 for the schedule infinite, whose fall is exponential and never comes to 0; wsd's does");
        require(warmup >= 0 && Double.isFinite(warmup), "warmup", warmup, "0 or more");
        require(decay >= 0 && Double.isFinite(decay), "decay", decay, "0 or more");
    }

    /** As the floats that they become: 0.99999999 is 1 there, and a denominator may be flushed to 0 by a GPU. */
    private static void requireAdamW(
            double weightDecay, double beta1, double beta2, double eps, double clip, double lr) {
        require(weightDecay >= 0 && weightDecay < 10, "weight_decay", weightDecay, "from 0 to below 10");
        require(
                lr * weightDecay < 1,
                "lr times weight_decay",
                lr * weightDecay,
                "below 1, where a step would leave nothing of the weights");
        require(beta1 >= 0 && (float) beta1 < 1, "beta1", beta1, "from 0 to below 1, as a float");
        require(beta2 >= 0 && (float) beta2 < 1, "beta2", beta2, "from 0 to below 1, as a float");
        require(
                eps >= Float.MIN_NORMAL && eps <= Float.MAX_VALUE,
                "eps",
                eps,
                "above 0, as a float: " + Float.MIN_NORMAL + " or more");
        require(
                clip == 0 || (clip >= Float.MIN_NORMAL && clip <= Float.MAX_VALUE),
                "clip",
                clip,
                "0 for no clipping, or above 0, as a float");
    }

    /**
     * The defaults with some options changed.
     *
     * @param source what errors name: a file, or "command line"
     * @throws UserException if an option is unknown, of a wrong type or out of its range
     */
    public static TrainConfig of(Map<String, ?> options, String source) {
        return DEFAULTS.with(options, source);
    }

    /** These options with some changed. */
    public TrainConfig with(Map<String, ?> options, String source) {
        ObjectNode tree = MAPPER.valueToTree(this);
        options.forEach((given, value) -> {
            boolean batches = given.equals(EVAL_BATCHES);
            String name = batches ? "eval_windows" : given;
            if (!tree.has(name)) {
                throw new UserException(source + ": there is no option \"" + Reason.cited(name) + "\"; "
                        + Suggestion.of(name, toMap().keySet())
                                .map(meant -> "did you mean \"" + meant + "\"?")
                                .orElse("whirlwind train --help lists them"));
            }
            JsonNode node = MAPPER.valueToTree(value);
            tree.set(name, batches && node.isInt() ? LongNode.valueOf(8 * node.longValue()) : node);
        });
        try {
            return MAPPER.treeToValue(tree, TrainConfig.class);
        } catch (JacksonException e) {
            if (e.getCause() instanceof UserException mended) {
                throw new UserException(source + ": " + mended.getMessage(), e);
            }
            String option =
                    e.getPath().isEmpty() ? null : e.getPath().getFirst().getPropertyName();
            throw new UserException(
                    source + ": "
                            + (option == null
                                    ? Reason.withoutPlace(e)
                                    : option + " cannot be " + Reason.cited(tree.get(option)) + "; see the user guide"),
                    e);
        }
    }

    /**
     * The options that decide what a run becomes, by name: all but {@link #FREE}. What they were is recorded with every
     * checkpoint.
     */
    public SequencedMap<String, Object> lasting() {
        SequencedMap<String, Object> lasting = new LinkedHashMap<>(toMap());
        lasting.keySet().removeAll(FREE);
        return lasting;
    }

    /** Whether there is an option of that name. */
    public static boolean isOption(String name) {
        return name.equals(EVAL_BATCHES) || DEFAULTS.toMap().containsKey(name);
    }

    /** All options by name, in the order of their declaration. */
    public Map<String, Object> toMap() {
        return MAPPER.convertValue(this, new TypeReference<>() {});
    }

    /**
     * Optimizer steps of the whole run.
     *
     * @param sequencesPerEpoch training sequences in one pass over {@code data}, replayed ones included
     * @param sequenceLength tokens of a sequence
     */
    public long totalSteps(long sequencesPerEpoch, int sequenceLength) {
        long perStep = (long) batch * accumulation;
        if (steps != null) {
            return steps;
        }
        if (tokens != null) {
            return Math.max(1, Math.ceilDiv(tokens, perStep * sequenceLength));
        }
        return Math.ceilDiv(totalSequences(sequencesPerEpoch), perStep);
    }

    /**
     * Training sequences of the whole run. Epochs are exact: the last step reads what is left of them, as the last batch
     * of transformers' Trainer does, so that no sequence is left out and none comes once more than others. Steps and
     * tokens set no bound; all their steps are full.
     */
    public long totalSequences(long sequencesPerEpoch) {
        boolean byEpochs = steps == null && tokens == null;
        return byEpochs ? (long) Math.ceil((epochs == null ? 1 : epochs) * sequencesPerEpoch) : Long.MAX_VALUE;
    }

    /** Tokens of a sequence, for a model of so many positions. */
    public int sequenceLength(int maxPositions) {
        return sequence == 0 ? Math.min(maxPositions, 1024) : sequence;
    }

    public Schedule schedule(long totalSteps) {
        return new Schedule(
                schedule,
                totalSteps,
                share(warmup, totalSteps),
                share(decay, totalSteps),
                lr,
                minLr == null ? lr / 10 : minLr);
    }

    public AdamW adamw() {
        return new AdamW((float) beta1, (float) beta2, (float) eps, (float) weightDecay);
    }

    private static long share(double stepsOrFraction, long totalSteps) {
        return Math.round(stepsOrFraction < 1 ? stepsOrFraction * totalSteps : stepsOrFraction);
    }

    private static void require(boolean holds, String option, Object value, String range) {
        if (!holds) {
            throw new UserException(option + " is " + Reason.cited(value) + "; it must be " + range);
        }
    }

    private static List<String> paths(String option, List<String> paths) {
        if (paths == null) {
            return List.of();
        }
        for (String path : paths) {
            require(path != null, option, paths, "a path, or a list of paths");
            requirePath(option, path);
        }
        return List.copyOf(paths);
    }

    private static void requirePath(String option, String path) {
        // An empty path would be the working folder; it comes of a shell's variable that is not set.
        require(path == null || !path.isEmpty(), option, "\"\"", "a path");
        try {
            Path _ = path == null ? null : Path.of(path);
        } catch (InvalidPathException e) {
            throw new UserException(
                    option + " is \"" + Reason.cited(path) + "\", which no file can be called (" + e.getReason() + ")",
                    e);
        }
    }

    private static String name(Remedy remedy) {
        return remedy == null ? null : remedy.name().toLowerCase(Locale.ROOT);
    }
}
