package dev.whirlwind.model;

import java.nio.file.Path;

/** What weights lie in memory as; programs compute in floats of them whatever it is. */
public enum WeightFormat {
    /** Floats. */
    FP32,
    /** The upper halves of floats. */
    BF16,
    /** Signed bytes, and a scale of 16 bits for each {@link #BLOCK}. */
    INT8,
    /**
     * Codes of four bits for the quantiles of a normal distribution, a scale of eight bits for each {@link #BLOCK}, and a
     * float for each 256 of these (QLoRA, arXiv 2305.14314, with double quantisation).
     */
    NF4;

    /** Weights that share a scale. */
    public static final int BLOCK = 64;

    private static final int BLOCKS_IN_A_GROUP = 256;

    /** Whether weights can be written one by one; those that share a scale are written once. */
    public boolean isTrainable() {
        return this == FP32 || this == BF16;
    }

    /** Bytes of a file. */
    public record FilePart(Path file, long offset) {}

    /**
     * Weights that follow each other in memory.
     *
     * @param length how many
     * @param file that they lie in as they are, and are only read from; null where they are to have memory
     */
    public record Span(long length, WeightFormat format, FilePart file) {
        public Span(long length, WeightFormat format) {
            this(length, format, null);
        }

        /** Bytes that they take, scales included. */
        public long bytes() {
            long blocks = Math.ceilDiv(length, (long) BLOCK);
            return switch (format) {
                case FP32 -> Math.multiplyExact(length, (long) Float.BYTES);
                case BF16 -> Math.multiplyExact(length, (long) Short.BYTES);
                case INT8 -> length + Short.BYTES * blocks;
                case NF4 -> blocks * BLOCK / 2 + blocks + Float.BYTES * Math.ceilDiv(blocks, (long) BLOCKS_IN_A_GROUP);
            };
        }
    }
}
