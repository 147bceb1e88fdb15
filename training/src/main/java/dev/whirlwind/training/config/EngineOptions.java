package dev.whirlwind.training.config;

import dev.whirlwind.model.Precision;

/** What computes. */
public record EngineOptions(
        @Option(value = "auto", label = "ENGINE", free = true, help = "cpu, tornado, loops or auto: see devices.")
        String engine,

        @Option(label = "ID", free = true, help = "Device of the tornado engine: see devices.")
        String device,

        @Option(
                value = "0",
                range = Range.THREADS,
                free = true,
                help = "Threads of the cpu engine; 0 for one per core.")
        int threads,

        @Option(
                value = "fp32",
                label = "FORMAT",
                help = "What the tornado engine keeps activations as, and matrix products read: fp32, bf16 or fp16;"
                        + " weights, gradients and sums stay fp32.")
        Precision precision) {}
