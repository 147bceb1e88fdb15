package dev.whirlwind.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Off-heap floats that an {@link Engine} owns. The host view is valid after {@link Engine#download}, and changes made
 * through it count after {@link Engine#upload}; on an engine that computes in host memory both are free.
 */
public interface Buffer {
    /** Number of floats. */
    long length();

    /**
     * The host view: {@code 4 * length()} bytes in native byte order.
     *
     * @throws IllegalStateException where not all are kept as floats
     */
    MemorySegment segment();

    /** What an element is kept as. */
    default Format format(long offset) {
        return Format.FP32;
    }

    /** An element of the host view, as a float. */
    default float at(long offset) {
        return segment().getAtIndex(ValueLayout.JAVA_FLOAT, offset);
    }

    /** Copies some of the host view, as floats, to the start of a segment. */
    default void get(long offset, MemorySegment to, long count) {
        MemorySegment.copy(segment(), Float.BYTES * offset, to, 0, Float.BYTES * count);
    }

    /** The other way round; what is kept with fewer bits is rounded, and of what shares scales whole blocks are to be given. */
    default void put(long offset, MemorySegment from, long count) {
        MemorySegment.copy(from, 0, segment(), Float.BYTES * offset, Float.BYTES * count);
    }
}
