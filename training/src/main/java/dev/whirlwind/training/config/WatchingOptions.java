package dev.whirlwind.training.config;

import java.util.Arrays;
import java.util.List;
import java.util.Set;

/** What a run shows of itself while it goes. */
public record WatchingOptions(
        @Option(
                value = "0",
                label = "STEPS",
                range = Range.NOT_NEGATIVE,
                free = true,
                help = "Steps between samples, which continue fixed prompts; 0 for none.")
        long sampleEvery,

        @Option(
                needs = "sample_every",
                label = "FILE",
                range = Range.PATH,
                free = true,
                help = "Prompts of the samples, one a line. Default: how each text that is evaluated on begins.")
        String samplePrompts,

        @Option(
                needs = "sample_every",
                value = "64",
                range = Range.ONE_OR_MORE,
                free = true,
                help = "Most tokens that a sample adds.")
        int sampleTokens,

        @Option(
                needs = "sample_every",
                value = "0.8",
                range = Range.NOT_NEGATIVE,
                free = true,
                help =
                        "What samples divide logits by; 0 always takes the likeliest token. Draws are the same each time.")
        double sampleTemperature,

        @Option(
                value = "tensorboard",
                label = "FORM",
                free = true,
                help =
                        "Beside metrics.jsonl: tensorboard (event files in RUN/tensorboard), csv (RUN/metrics.csv), none.")
        List<String> logTo) {
    /** TensorBoard's event files. */
    public static final String TENSORBOARD = "tensorboard";

    /** A table of all figures. */
    public static final String CSV = "csv";

    private static final String NONE = "none";

    /** May be named in one text with commas between them. */
    public WatchingOptions {
        List<String> given = logTo.stream()
                .flatMap(form -> Arrays.stream(form.split(",", -1)))
                .toList();
        Range.require(
                Set.of(TENSORBOARD, CSV, NONE).containsAll(given) && (given.size() == 1 || !given.contains(NONE)),
                "log_to",
                String.join(",", given),
                "tensorboard, csv or both, or none");
        logTo = given.stream().filter(form -> !form.equals(NONE)).distinct().toList();
    }
}
