package uk.ac.manchester.tornado.api.types.arrays;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Ints outside the Java heap. */
public final class IntArray extends TornadoNativeArray {
    private final MemorySegment segment;
    private final int size;

    /** {@code size} zeros. */
    public IntArray(int size) {
        this.size = size;
        segment = Arena.ofAuto().allocate((long) size * Integer.BYTES, Long.BYTES);
    }

    public int get(int index) {
        return segment.getAtIndex(ValueLayout.JAVA_INT, index);
    }

    public void set(int index, int value) {
        segment.setAtIndex(ValueLayout.JAVA_INT, index, value);
    }

    @Override
    public int getSize() {
        return size;
    }

    @Override
    public MemorySegment getSegment() {
        return segment;
    }
}
