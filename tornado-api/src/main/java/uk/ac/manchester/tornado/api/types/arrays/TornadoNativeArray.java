package uk.ac.manchester.tornado.api.types.arrays;

import java.lang.foreign.MemorySegment;

/** Numbers outside the Java heap. */
public abstract class TornadoNativeArray {
    /** Number of elements. */
    public abstract int getSize();

    /** The elements' bytes. */
    public abstract MemorySegment getSegment();
}
