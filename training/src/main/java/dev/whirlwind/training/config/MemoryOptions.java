package dev.whirlwind.training.config;

/** What takes less memory and more time. */
public record MemoryOptions(
        @Option(
                value = "false",
                free = true,
                help = "Save memory: run each block's forward pass again before its backward pass.")
        boolean recompute) {}
