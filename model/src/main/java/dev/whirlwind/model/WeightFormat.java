package dev.whirlwind.model;

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

    /**
     * Weights that follow each other in memory.
     *
     * @param length how many
     */
    public record Span(long length, WeightFormat format) {
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
