package dev.whirlwind.model;

import dev.whirlwind.model.weights.Errors;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/** Weights that are not numbers make losses that are not either, and are to be found before a run of days is. */
final class Finite {
    /** A float's bits without the sign; of those of numbers larger ones are larger. */
    private static final int MAGNITUDE = 0x7fff_ffff;

    private static final int INFINITE = 0x7f80_0000;

    /** Small enough that the loop is soon compiled, and that its floats are still in the cache. */
    private static final int PIECE = 1 << 16;

    /** Floats of a buffer that are looked at at a time. */
    private static final int OF_A_BUFFER = 1 << 20;

    private int largest;
    private long count;
    private long damaged;

    /** What numbers of a buffer are. */
    static Finite of(Buffer buffer, long offset, long count) {
        Finite finite = new Finite();
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment floats = scratch.allocate(Float.BYTES * Math.min(count, OF_A_BUFFER), 64);
            for (long first = 0; first < count; first += OF_A_BUFFER) {
                long piece = Math.min(OF_A_BUFFER, count - first);
                buffer.get(offset + first, floats, piece);
                finite.add(floats, piece);
            }
        }
        return finite;
    }

    /** Looks at the first floats of a segment. */
    void add(MemorySegment floats, long length) {
        int here = largest(floats, 0, length);
        for (long i = 0; here >= INFINITE && i < length; i++) {
            damaged += Float.isFinite(floats.getAtIndex(ValueLayout.JAVA_FLOAT, i)) ? 0 : 1;
        }
        largest = Math.max(largest, here);
        count += length;
    }

    /** Whether all were numbers. */
    boolean areNumbers() {
        return damaged == 0;
    }

    /**
     * What is wrong with a tensor of which one float is beyond a limit, in words.
     *
     * @param limit what their magnitudes may be, in a type that is called {@code type}
     * @return empty if nothing is
     */
    Optional<String> problem(String name, float limit, String type) {
        if (largest <= Float.floatToIntBits(limit)) {
            return Optional.empty();
        }
        return Optional.of(Errors.tensor(name)
                + (areNumbers()
                        ? " has values up to " + Float.intBitsToFloat(largest) + ", beyond " + type + "'s largest"
                        : " has " + damaged + " of " + count + " values that are NaN or infinite"));
    }

    /** The largest magnitude, as the bits of a float. */
    static int largest(MemorySegment floats, long offset, long count) {
        int largest = 0;
        for (long start = 0; start < count; start += PIECE) {
            long length = Math.min(PIECE, count - start);
            largest = Math.max(
                    largest,
                    largest(floats.asSlice(Float.BYTES * (offset + start), Float.BYTES * length), (int) length));
        }
        return largest;
    }

    private static int largest(MemorySegment floats, int count) {
        int largest = 0;
        for (int i = 0; i < count; i++) {
            largest = Math.max(largest, floats.getAtIndex(ValueLayout.JAVA_INT, i) & MAGNITUDE);
        }
        return largest;
    }
}
