package dev.whirlwind.model;

import java.lang.foreign.MemorySegment;

/**
 * Off-heap floats that an {@link Engine} owns. The host view is valid after {@link Engine#download}, and changes made
 * through it count after {@link Engine#upload}; on an engine that computes in host memory both are free.
 */
public interface Buffer {
    /** Number of floats. */
    long length();

    /** The host view: {@code 4 * length()} bytes in native byte order. */
    MemorySegment segment();
}
