package dev.whirlwind.training.config;

import dev.whirlwind.model.safetensors.DType;

/** What is kept of a run. */
public record SavingOptions(
        @Option(
                value = "500",
                label = "STEPS",
                range = Range.NOT_NEGATIVE,
                free = true,
                help = "Steps between checkpoints; 0 for one at the end.")
        long saveEvery,

        @Option(
                value = "2",
                range = Range.NOT_NEGATIVE,
                free = true,
                help = "How many of the latest checkpoints stay; 0 for all.")
        int keep,

        @Option(label = "TYPE", help = "Type of saved weights: F32, BF16, F16 or F64. Default: the model's own.")
        DType saveDtype,

        @Option(
                value = "5000000000",
                label = "BYTES",
                range = Range.POSITIVE,
                help = "Most bytes of one safetensors file.")
        long shardBytes,

        @Option(
                label = "FILE",
                range = Range.PATH,
                free = true,
                help = "Add what is told on standard error to a file, too, with the time.")
        String log) {

    public SavingOptions {
        Range.require(saveDtype == null || saveDtype.convertible(), "save_dtype", saveDtype, "F32, BF16, F16 or F64");
    }
}
