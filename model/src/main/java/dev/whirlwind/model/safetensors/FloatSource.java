package dev.whirlwind.model.safetensors;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/** Where a tensor's values come from when it is written: memory, or anything that can compute them piece by piece. */
@FunctionalInterface
public interface FloatSource {
    /**
     * Gives some consecutive elements of the tensor. The writer asks for all of them once, in order, but calls may
     * begin and end anywhere in a row.
     *
     * @param first the first element, counted in row-major order of the shape as written
     * @param count how many
     * @param chunk native floats; elements go to its start
     */
    void read(long first, int count, MemorySegment chunk);

    /**
     * Native floats that lie in memory in the order in which they are written.
     *
     * @param offset the tensor's first element, in floats
     */
    static FloatSource of(MemorySegment floats, long offset) {
        Objects.requireNonNull(floats);
        return (first, count, chunk) ->
                MemorySegment.copy(floats, (offset + first) * Float.BYTES, chunk, 0, (long) count * Float.BYTES);
    }
}
