package uk.ac.manchester.tornado.api.types.arrays;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Floats outside the Java heap. */
public final class FloatArray extends TornadoNativeArray {
    private final MemorySegment segment;
    private final int size;

    /** {@code size} zeros. */
    public FloatArray(int size) {
        this.size = size;
        segment = Arena.ofAuto().allocate((long) size * Integer.BYTES, Long.BYTES);
    }

    public float get(int index) {
        return segment.getAtIndex(ValueLayout.JAVA_FLOAT, index);
    }

    public void set(int index, float value) {
        segment.setAtIndex(ValueLayout.JAVA_FLOAT, index, value);
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
