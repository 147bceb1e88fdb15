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
        this(Arena.ofAuto().allocate((long) size * Float.BYTES, Long.BYTES), size);
    }

    private FloatArray(MemorySegment segment, int size) {
        this.segment = segment;
        this.size = size;
    }

    /** Floats that lie in memory of one's own, behind {@link #ARRAY_HEADER} bytes. */
    public static FloatArray fromSegmentShallow(MemorySegment segment) {
        MemorySegment floats = segment.asSlice(ARRAY_HEADER);
        return new FloatArray(floats, (int) (floats.byteSize() / Float.BYTES));
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
