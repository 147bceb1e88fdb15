package dev.whirlwind.model.safetensors;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Between a file's little-endian elements and the native floats in memory. */
public final class Conversion {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfDouble DOUBLE =
            ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfInt BITS = ValueLayout.JAVA_INT_UNALIGNED;

    // Small enough that the loops below are soon called often and compiled as whole methods.
    private static final int PIECE = 1 << 16;

    private Conversion() {}

    /** Elements {@code first} to {@code first + count} of {@code source} to floats from {@code offset} on. */
    public static void widen(
            DType dtype, MemorySegment source, long first, MemorySegment floats, long offset, long count) {
        int width = dtype.bits() / 8;
        MemorySegment from = source.asSlice(first * width, count * width);
        MemorySegment to = floats.asSlice(offset * Float.BYTES, count * Float.BYTES);
        for (long start = 0; start < count; start += PIECE) {
            long length = Math.min(PIECE, count - start);
            MemorySegment elements = from.asSlice(start * width, length * width);
            MemorySegment widened = to.asSlice(start * Float.BYTES, length * Float.BYTES);
            switch (dtype) {
                case F16 -> widenF16(elements, widened, length);
                case BF16 -> widenBF16(elements, widened, length);
                case F32 -> MemorySegment.copy(elements, INT, 0, widened, BITS, 0, length);
                case F64 -> roundF64(elements, widened, length);
                default -> throw new IllegalArgumentException("not a type of floats: " + dtype);
            }
        }
    }

    private static void widenF16(MemorySegment elements, MemorySegment floats, long count) {
        for (long i = 0; i < count; i++) {
            floats.set(FLOAT, i * Float.BYTES, Float.float16ToFloat(elements.get(SHORT, i * Short.BYTES)));
        }
    }

    private static void widenBF16(MemorySegment elements, MemorySegment floats, long count) {
        for (long i = 0; i < count; i++) {
            floats.set(BITS, i * Float.BYTES, elements.get(SHORT, i * Short.BYTES) << 16);
        }
    }

    private static void roundF64(MemorySegment elements, MemorySegment floats, long count) {
        for (long i = 0; i < count; i++) {
            floats.set(FLOAT, i * Float.BYTES, (float) elements.get(DOUBLE, i * Double.BYTES));
        }
    }

    /** The first {@code count} floats to elements, both from the start of their segments. */
    static void narrow(MemorySegment floats, DType dtype, MemorySegment elements, long count) {
        for (long start = 0; start < count; start += PIECE) {
            long length = Math.min(PIECE, count - start);
            MemorySegment from = floats.asSlice(start * Float.BYTES);
            MemorySegment to = elements.asSlice(start * dtype.bits() / 8);
            switch (dtype) {
                case F16 -> roundF16(from, to, length);
                case BF16 -> roundBF16(from, to, length);
                case F32 -> MemorySegment.copy(from, BITS, 0, to, INT, 0, length);
                case F64 -> widenF64(from, to, length);
                default -> throw new IllegalArgumentException("not a type of floats: " + dtype);
            }
        }
    }

    private static void roundF16(MemorySegment floats, MemorySegment elements, long count) {
        for (long i = 0; i < count; i++) {
            elements.set(SHORT, i * Short.BYTES, Float.floatToFloat16(floats.get(FLOAT, i * Float.BYTES)));
        }
    }

    private static void roundBF16(MemorySegment floats, MemorySegment elements, long count) {
        for (long i = 0; i < count; i++) {
            elements.set(SHORT, i * Short.BYTES, toBFloat16(floats.get(BITS, i * Float.BYTES)));
        }
    }

    private static void widenF64(MemorySegment floats, MemorySegment elements, long count) {
        for (long i = 0; i < count; i++) {
            elements.set(DOUBLE, i * Double.BYTES, floats.get(FLOAT, i * Float.BYTES));
        }
    }

    /**
     * The upper half of a float, rounded to nearest, ties to even: adding just under half of the last place kept, and
     * one more where that place is odd, carries into it exactly when it must. NaN would carry into infinity.
     */
    public static short toBFloat16(int bits) {
        int rounded = (bits + 0x7fff + (bits >>> 16 & 1)) >>> 16;
        return (short) ((bits & 0x7fff_ffff) > 0x7f80_0000 ? 0x7fc0 : rounded);
    }
}
