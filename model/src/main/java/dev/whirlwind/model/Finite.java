package dev.whirlwind.model;

import dev.whirlwind.model.weights.Errors;
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

    private Finite() {}

    /**
     * What is wrong with floats of which one is beyond a limit, in words.
     *
     * @param limit what their magnitudes may be, in a type that is called {@code type}
     * @return empty if nothing is
     */
    static Optional<String> problem(
            String name, MemorySegment floats, long offset, long count, float limit, String type) {
        int largest = largest(floats, offset, count);
        if (largest <= Float.floatToIntBits(limit)) {
            return Optional.empty();
        }
        if (largest < INFINITE) {
            return Optional.of(Errors.tensor(name) + " has values up to " + Float.intBitsToFloat(largest) + ", beyond "
                    + type + "'s largest");
        }
        long damaged = 0;
        for (long i = offset; i < offset + count; i++) {
            damaged += Float.isFinite(floats.getAtIndex(ValueLayout.JAVA_FLOAT, i)) ? 0 : 1;
        }
        return Optional.of(
                Errors.tensor(name) + " has " + damaged + " of " + count + " values that are NaN or infinite");
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
