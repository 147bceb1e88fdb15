package uk.ac.manchester.tornado.api.types.arrays;

import java.lang.foreign.MemorySegment;

/** Numbers outside the Java heap. */
public abstract class TornadoNativeArray {
    /** Bytes before the first element, as many as the installed TornadoVM says: no constant that is compiled in. */
    public static final long ARRAY_HEADER = Long.parseLong("24");

    /** Number of elements. */
    public abstract int getSize();

    /** The elements' bytes. */
    public abstract MemorySegment getSegment();
}
