package dev.whirlwind.training.config;

/** When and on how much a run is measured. */
public record EvaluationOptions(
        @Option(
                value = "250",
                label = "STEPS",
                range = Range.NOT_NEGATIVE,
                help = "Steps between evaluations; 0 for one before and one after.")
        long evalEvery,

        @Option(
                value = "400",
                range = Range.NOT_NEGATIVE,
                help = "Sequences of each held-out text that are read, spread evenly over it; 0 for all.")
        int evalWindows,

        @Option(
                label = "NAME",
                help =
                        "The held-out text that picks the best model and that patience looks at: valid, replay or a name of"
                                + " --eval. Default: the first there is, in this order.")
        String bestBy,

        @Option(
                needs = "eval_every",
                value = "0",
                range = Range.NOT_NEGATIVE,
                help = "Evaluations without a new best that end the run; 0 for never.")
        int patience) {}
