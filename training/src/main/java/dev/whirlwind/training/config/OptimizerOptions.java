package dev.whirlwind.training.config;

import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Lion;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.training.optimizers.AdafactorRule;
import dev.whirlwind.training.optimizers.AdamWRule;
import dev.whirlwind.training.optimizers.ApolloRule;
import dev.whirlwind.training.optimizers.LionRule;
import dev.whirlwind.training.optimizers.MuonRule;
import dev.whirlwind.training.optimizers.RateFactors;
import dev.whirlwind.training.optimizers.UpdateRule;
import java.util.List;
import java.util.Locale;

/** How a gradient changes the weights, and when it must not. */
public record OptimizerOptions(
        @Option(
                value = "adamw",
                help =
                        "How gradients change the weights: adamw, lion, muon (of layers' matrices; else adamw), adafactor, apollo"
                                + " (of layers' matrices, by means of a few directions only; else adamw).")
        Method optimizer,

        @Option(value = "0.1", range = Range.BELOW_TEN, help = "Decoupled weight decay, of matrices only.")
        double weightDecay,

        @Option(
                needs = "optimizer!=adafactor",
                value = "0.9",
                range = Range.FLOAT_FRACTION,
                help = "AdamW's decay of the mean gradient; with lion its share in the direction.")
        double beta1,

        @Option(
                needs = "optimizer!=adafactor",
                range = Range.FLOAT_FRACTION,
                label = "X",
                help = "AdamW's decay of the mean squared gradient, lion's of the mean. Default: 0.95, with lion 0.99.")
        Double beta2,

        @Option(
                needs = "optimizer=muon",
                value = "0.95",
                range = Range.FLOAT_FRACTION,
                help = "Muon's decay of the mean gradient.")
        double momentum,

        @Option(
                needs = {"optimizer=adamw", "optimizer=muon", "optimizer=apollo"},
                value = "1e-8",
                range = Range.POSITIVE_FLOAT,
                help = "What AdamW adds to the denominator.")
        double eps,

        @Option(
                needs = {"optimizer=adamw", "optimizer=lion", "optimizer=muon"},
                value = "fp32",
                label = "FORMAT",
                help =
                        "What means of gradients and of their squares are kept as: fp32, or int8, of which each block of 256 has"
                                + " a scale; those of vectors stay fp32.")
        Moments moments,

        @Option(
                needs = "optimizer=apollo",
                value = "256",
                range = Range.ONE_OR_MORE,
                help = "Directions of which apollo keeps means; with 1 a matrix is scaled as a whole (APOLLO-Mini).")
        int apolloRank,

        @Option(
                needs = "optimizer=apollo",
                value = "200",
                range = Range.ONE_OR_MORE,
                help = "Updates after which apollo takes other directions.")
        int apolloRefresh,

        @Option(value = "1", range = Range.CLIP, help = "Largest global norm of the gradient; 0 for no clipping.")
        double clip,

        @Option(
                label = "PATTERN=X",
                help =
                        "Factor of the learning rate of parameters by name, such as 'embed*=0.1'; may be given several times,"
                                + " of which the last that fits a name counts.")
        List<String> lrFor,

        @Option(
                label = "PATTERN",
                help =
                        "Parameters that are not trained, by name, such as 'layers.[0-3].*'; may be given several times.")
        List<String> freeze,

        @Option(
                value = "1",
                range = Range.SHARE,
                help =
                        "What each layer has of the next one's learning rate, such as 0.9; embeddings come before the first.")
        double layerDecay,

        @Option(
                range = Range.OPEN_FRACTION,
                label = "X",
                help =
                        "Keep an exponential mean of the weights with this decay, such as 0.999; evaluated, and saved in ema.")
        Double ema,

        @Option(value = "stop", help = "When loss or gradient is not finite: stop or skip.")
        Remedy onNan,

        @Option(value = "warn", help = "When the loss jumps: ignore, warn, skip or stop.")
        Remedy onSpike,

        @Option(
                needs = "on_spike!=ignore",
                value = "6",
                range = Range.POSITIVE,
                help = "Standard deviations above the recent mean that are a jump.")
        double spikeSigma) {

    /** What gradients are turned into steps by. */
    public enum Method {
        ADAMW,
        LION,
        MUON,
        ADAFACTOR,
        APOLLO;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** What means of gradients are kept as. */
    public enum Moments {
        FP32,
        INT8
    }

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

    RateFactors factors(ParameterLayout layout, double ofB) {
        return RateFactors.of(layout, freeze, lrFor, layerDecay, ofB);
    }

    /** The optimizer with its settings. */
    public UpdateRule.Kind rule() {
        AdamW adamw = new AdamW((float) beta1, beta2(0.95), (float) eps, (float) weightDecay);
        boolean eightBits = moments == Moments.INT8;
        return switch (optimizer) {
            case ADAMW -> AdamWRule.of(adamw, eightBits);
            case LION -> LionRule.of(new Lion((float) beta1, beta2(0.99), (float) weightDecay), eightBits);
            case MUON -> MuonRule.of((float) momentum, adamw, eightBits);
            case ADAFACTOR -> AdafactorRule.of((float) weightDecay);
            case APOLLO -> ApolloRule.of(adamw, apolloRank, apolloRefresh);
        };
    }

    private float beta2(double otherwise) {
        return (float) (beta2 == null ? otherwise : beta2);
    }
}
