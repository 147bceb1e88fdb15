package dev.whirlwind.training.config;

import dev.whirlwind.model.AdamW;
import java.util.Locale;

/** How a gradient changes the weights, and when it must not. */
public record OptimizerOptions(
        @Option(value = "0.1", range = Range.BELOW_TEN, help = "AdamW's weight decay, of matrices only.")
        double weightDecay,

        @Option(value = "0.9", range = Range.FLOAT_FRACTION, help = "AdamW's decay of the mean gradient.")
        double beta1,

        @Option(value = "0.95", range = Range.FLOAT_FRACTION, help = "AdamW's decay of the mean squared gradient.")
        double beta2,

        @Option(value = "1e-8", range = Range.POSITIVE_FLOAT, help = "What AdamW adds to the denominator.")
        double eps,

        @Option(value = "1", range = Range.CLIP, help = "Largest global norm of the gradient; 0 for no clipping.")
        double clip,

        @Option(value = "stop", help = "When loss or gradient is not finite: stop or skip.")
        Remedy onNan,

        @Option(value = "warn", help = "When the loss jumps: ignore, warn, skip or stop.")
        Remedy onSpike,

        @Option(
                value = "6",
                range = Range.POSITIVE,
                help = "Standard deviations above the recent mean that are a jump.")
        double spikeSigma) {

    /** What to do about a step whose loss or gradient is suspect. */
    public enum Remedy {
        IGNORE,
        WARN,
        SKIP,
        STOP
    }

    public OptimizerOptions {
        Range.require(
                onNan == Remedy.STOP || onNan == Remedy.SKIP,
                "on_nan",
                onNan.name().toLowerCase(Locale.ROOT),
                "stop or skip");
    }

    public AdamW adamw() {
        return new AdamW((float) beta1, (float) beta2, (float) eps, (float) weightDecay);
    }
}
