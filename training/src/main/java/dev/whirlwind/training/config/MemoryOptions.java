package dev.whirlwind.training.config;

import dev.whirlwind.model.Recompute;
import dev.whirlwind.model.Saving;
import dev.whirlwind.model.WeightFormat;

/** What takes less memory and more time. */
public record MemoryOptions(
        @Option(
                value = "false",
                free = true,
                help = "Save memory: run each block's forward pass again before its backward pass.")
        boolean recompute,

        @Option(
                value = "block",
                free = true,
                needs = "recompute",
                help = "What is computed again of a block: block for all of it, attention, or mlp.")
        Part recomputePart,

        @Option(
                value = "1",
                free = true,
                needs = "recompute",
                range = Range.ONE_OR_MORE,
                help =
                        "Of how many blocks one's input is kept, from which the others' are found by another forward pass.")
        int recomputeEvery,

        @Option(
                value = "false",
                help =
                        "Update each layer as soon as its gradient is there, so that gradients take the memory of one layer;"
                                + " clip is then of each layer by itself.")
        boolean updateInBackward,

        @Option(
                value = "fp32",
                label = "FORMAT",
                help =
                        "What weights of matrices are kept as: fp32; bf16, then updates are rounded at random so that small"
                                + " ones are not lost; of a model that only an adapter is trained of also int8 or nf4 (QLoRA).")
        WeightFormat weights,

        @Option(
                value = "false",
                free = true,
                help = "Begin even where memory will not do by what is computed beforehand: see plan.")
        boolean noPlan) {

    /** Of a block. */
    public enum Part {
        BLOCK,
        ATTENTION,
        MLP
    }

    public MemoryOptions {
        Range.require(
                recomputeEvery == 1 || recomputePart == Part.BLOCK,
                "recompute_every",
                recomputeEvery,
                "1 where only a part of a block is computed again, as that reads all blocks' inputs");
    }

    /** How training saves memory. */
    public Saving saving() {
        Recompute again = recompute
                ? new Recompute(recomputePart != Part.MLP, recomputePart != Part.ATTENTION, recomputeEvery)
                : Recompute.NOTHING;
        return new Saving(again, updateInBackward);
    }
}
