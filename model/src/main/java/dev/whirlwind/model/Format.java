package dev.whirlwind.model;

import java.nio.file.Path;

/** What numbers lie in memory as. */
public enum Format {
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
    NF4,
    /**
     * Bytes for numbers of all magnitudes, and a float for each {@link #DYNAMIC_BLOCK}: the signed one of the two tables of dynamic
     * quantisation (arXiv 2110.02861).
     */
    DYNAMIC8,
    /** The same of the other table, for numbers that are not negative. */
    DYNAMIC8_UNSIGNED;

    /** Weights that share a scale. */
    public static final int BLOCK = 64;

    /** Moments that do. */
    public static final int DYNAMIC_BLOCK = 256;

    private static final int BLOCKS_IN_A_GROUP = 256;

    /** Bytes of a file. */
    public record FilePart(Path file, long offset) {}

    /**
     * Weights that follow each other in memory.
     *
     * @param length how many
     * @param file that they lie in as they are, and are only read from; null where they are to have memory
     */
    public record Span(long length, Format format, FilePart file) {
        public Span(long length, Format format) {
            this(length, format, null);
        }

        /** Bytes that they take, scales included. */
        public long bytes() {
            long blocks = Math.ceilDiv(length, (long) BLOCK);
            return switch (format) {
                case FP32 -> Math.multiplyExact(length, (long) Float.BYTES);
                case BF16 -> Math.multiplyExact(length, (long) Short.BYTES);
                case INT8 -> length + Short.BYTES * blocks;
                case DYNAMIC8, DYNAMIC8_UNSIGNED -> length + Float.BYTES * Math.ceilDiv(length, (long) DYNAMIC_BLOCK);
                case NF4 -> blocks * BLOCK / 2 + blocks + Float.BYTES * Math.ceilDiv(blocks, (long) BLOCKS_IN_A_GROUP);
            };
        }
    }
}
