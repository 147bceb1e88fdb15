package dev.whirlwind.training.config;

import dev.whirlwind.model.WeightFormat;

/** What takes less memory and more time. */
public record MemoryOptions(
        @Option(
                value = "false",
                free = true,
                help = "Save memory: run each block's forward pass again before its backward pass.")
        boolean recompute,

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
        boolean noPlan) {}
