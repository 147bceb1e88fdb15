package dev.whirlwind.training.config;

/** What keeps a model from learning its texts by heart. */
public record RegularisationOptions(
        @Option(label = "P", range = Range.FLOAT_FRACTION, help = "Dropout probability. Default: the model's own.")
        Double dropout) {}
