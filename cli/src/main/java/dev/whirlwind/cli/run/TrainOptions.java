package dev.whirlwind.cli.run;

import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.optimizers.Schedule;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/** The options of {@code train}: one for each of {@link TrainConfig}, under its name with dashes. */
public final class TrainOptions {
    private TrainOptions() {}

    /** Adds them to a command. */
    public static void addTo(CommandSpec spec) {
        paths(spec, "model", "DIR", "The checkpoint to go on from, a Hugging Face model folder. Required.");
        lists(spec, "data", "The new domain's text: files, folders, zips or jsonl; or one prepared folder. Required.");
        paths(spec, "out", "RUN", "The new folder of the run. Required.");
        lists(spec, "valid", "Text to evaluate on, instead of a part of --data.");
        add(spec, "held-out", Double.class, "X", "Fraction of the documents kept for evaluation only.");
        lists(spec, "replay", "General text that is mixed in so that it is not forgotten; prepared or not.");
        add(spec, "replay-fraction", Double.class, "X", "Fraction of the sequences that is taken from --replay.");
        add(spec, "steps", Long.class, "N", "Length of the run in optimizer steps; or give --epochs or --tokens.");
        add(spec, "epochs", Double.class, "X", "Length of the run in passes over --data. One when no length is given.");
        add(spec, "tokens", Long.class, "N", "Length of the run in tokens.");
        add(spec, "batch", Integer.class, "N", "Sequences that are computed at once.");
        add(
                spec,
                "sequence",
                Integer.class,
                "TOKENS",
                "Tokens of a sequence; 0 for the model's longest, 1024 at most.");
        add(spec, "accumulation", Integer.class, "N", "Batches of which an optimizer step adds up the gradients.");
        add(spec, "lr", Double.class, "X", "Highest learning rate.");
        add(spec, "min-lr", Double.class, "X", "Learning rate at the end. Default: a tenth of --lr.");
        add(
                spec,
                "schedule",
                Schedule.Shape.class,
                "SHAPE",
                "After the warm-up: cosine, linear, constant, wsd, infinite.");
        add(spec, "warmup", Double.class, "N|X", "Steps in which the learning rate rises; below 1 a fraction of all.");
        add(
                spec,
                "decay",
                Double.class,
                "N|X",
                "Steps of the last fall of wsd and infinite; below 1 a fraction of all.");
        add(spec, "weight-decay", Double.class, "X", "AdamW's weight decay, of matrices only.");
        add(spec, "beta1", Double.class, "X", "AdamW's decay of the mean gradient.");
        add(spec, "beta2", Double.class, "X", "AdamW's decay of the mean squared gradient.");
        add(spec, "eps", Double.class, "X", "What AdamW adds to the denominator.");
        add(spec, "clip", Double.class, "X", "Largest global norm of the gradient; 0 for no clipping.");
        add(spec, "dropout", Double.class, "P", "Dropout probability. Default: the model's own.");
        add(spec, "seed", Long.class, "N", "Seed of the order of sequences, the held-out documents and dropout.");
        add(spec, "eval-every", Long.class, "STEPS", "Steps between evaluations; 0 for one before and one after.");
        add(
                spec,
                "eval-windows",
                Integer.class,
                "N",
                "Sequences of each held-out text that are read, spread evenly over it; 0 for all.");
        spec.addOption(OptionSpec.builder("--eval-batches")
                .type(Integer.class)
                .hidden(true)
                .description("The old name of --eval-windows, which counts eight of them as one.")
                .build());
        add(spec, "patience", Integer.class, "N", "Evaluations without a new best that end the run; 0 for never.");
        add(spec, "save-every", Long.class, "STEPS", "Steps between checkpoints; 0 for one at the end.");
        add(spec, "keep", Integer.class, "N", "How many of the latest checkpoints stay; 0 for all.");
        add(spec, "on-nan", TrainConfig.Remedy.class, "WHAT", "When loss or gradient is not finite: stop or skip.");
        add(spec, "on-spike", TrainConfig.Remedy.class, "WHAT", "When the loss jumps: ignore, warn, skip or stop.");
        add(spec, "spike-sigma", Double.class, "X", "Standard deviations above the recent mean that are a jump.");
        add(
                spec,
                "save-dtype",
                DType.class,
                "TYPE",
                "Type of saved weights: F32, BF16, F16 or F64. Default: the model's own.");
        add(spec, "shard-bytes", Long.class, "BYTES", "Most bytes of one safetensors file.");
        spec.addOption(OptionSpec.builder("--recompute")
                .type(Boolean.class)
                .arity("0")
                .description("Save memory: run each block's forward pass again before its backward pass.")
                .build());
        add(spec, "engine", String.class, "ENGINE", "cpu, tornado, loops or auto: see devices.");
        add(spec, "device", String.class, "ID", "Device of the tornado engine: see devices.");
        add(spec, "threads", Integer.class, "N", "Threads of the cpu engine; 0 for one per core.");
    }

    private static void paths(CommandSpec spec, String name, String label, String description) {
        add(spec, name, String.class, label, description);
    }

    private static void lists(CommandSpec spec, String name, String description) {
        spec.addOption(OptionSpec.builder("--" + name)
                .type(List.class)
                .auxiliaryTypes(String.class)
                .arity("1..*")
                .paramLabel("PATH")
                .description(description)
                .build());
    }

    private static void add(CommandSpec spec, String name, Class<?> type, String label, String description) {
        Object value = TrainConfig.DEFAULTS.toMap().get(key(name));
        String known = value == null ? "" : " Default: " + value + ".";
        spec.addOption(OptionSpec.builder("--" + name)
                .type(type)
                .paramLabel(label)
                .description(description + known)
                .build());
    }

    private static String key(String option) {
        return option.replace("--", "").replace('-', '_');
    }

    /** Those that were given, by the names of {@link TrainConfig}. */
    static Map<String, Object> given(ParseResult parsed) {
        Map<String, Object> given = new LinkedHashMap<>();
        for (OptionSpec option : parsed.matchedOptions()) {
            String key = key(option.longestName());
            if (TrainConfig.isOption(key)) {
                given.put(key, option.getValue());
            }
        }
        return given;
    }
}
