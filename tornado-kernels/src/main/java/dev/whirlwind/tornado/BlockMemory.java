package dev.whirlwind.tornado;

import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Format;
import dev.whirlwind.model.blocks.Blocks;
import dev.whirlwind.model.blocks.DynamicBlocks;
import dev.whirlwind.model.blocks.Int8Blocks;
import dev.whirlwind.model.blocks.Nf4Blocks;
import dev.whirlwind.tornado.kernels.Half;
import dev.whirlwind.tornado.kernels.Moments;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Numbers that share scales by blocks. The host makes and reads them in its own copy of both arrays.
 *
 * @param words codes, and scales that are no floats
 * @param numbers what codes or scales mean, then scales that are floats
 * @param blocks the host's view
 */
record BlockMemory(String name, IntArray words, FloatArray numbers, long length, Blocks blocks) implements Buffer {
    private static final int GROUP = Nf4Blocks.BLOCKS_IN_A_GROUP * Format.BLOCK;

    /** Ints of {@code words}. */
    static long words(Format format, long length) {
        long blocks = Math.ceilDiv(length, (long) Format.BLOCK);
        return switch (format) {
            case INT8 -> Math.ceilDiv(length + Short.BYTES * blocks, (long) Integer.BYTES);
            case NF4 -> Math.ceilDiv(length / 2 + blocks, (long) Integer.BYTES);
            default -> Math.ceilDiv(length, (long) Moments.BLOCK) * Moments.BLOCK / Integer.BYTES;
        };
    }

    /** Floats of {@code numbers}. */
    static long numbers(Format format, long length) {
        return switch (format) {
            case INT8 -> table(format).length;
            case NF4 -> table(format).length + Math.ceilDiv(length, (long) GROUP);
            default -> table(format).length + Math.ceilDiv(length, (long) Moments.BLOCK);
        };
    }

    private static float[] table(Format format) {
        return switch (format) {
            case INT8 -> Half.table(Half.BF16_EXPONENT);
            case NF4 -> Nf4Blocks.numbers();
            default -> DynamicBlocks.numbers(format == Format.DYNAMIC8);
        };
    }

    /** In arrays of these sizes. */
    static BlockMemory of(String name, Format format, IntArray words, FloatArray numbers, long length) {
        float[] table = table(format);
        MemorySegment codes = words.getSegment();
        MemorySegment scales = numbers.getSegment();
        MemorySegment.copy(table, 0, scales, ValueLayout.JAVA_FLOAT, 0, table.length);
        long ofScales = Float.BYTES * (long) table.length;
        Blocks blocks = switch (format) {
            case INT8 -> new Int8Blocks(codes, 0, length);
            case NF4 -> new Nf4Blocks(codes, 0, scales, ofScales, length);
            default -> new DynamicBlocks(codes, 0, scales, ofScales, length, format == Format.DYNAMIC8);
        };
        return new BlockMemory(name, words, numbers, length, blocks);
    }

    @Override
    public Format format(long offset) {
        return blocks.format();
    }

    /** Whether they are weights, which programs only read. */
    boolean areWeights() {
        return blocks.format() == Format.INT8 || blocks.format() == Format.NF4;
    }

    /** Where kernels find the scales of weights. */
    int scales() {
        return Math.toIntExact(length / 2);
    }

    @Override
    public MemorySegment segment() {
        throw new UnsupportedOperationException(name + " has no host view of floats");
    }
}
