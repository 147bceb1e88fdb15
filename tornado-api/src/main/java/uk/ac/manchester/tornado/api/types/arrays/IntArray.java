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
        this(Arena.ofAuto().allocate((long) size * Integer.BYTES, Long.BYTES), size);
    }

    private IntArray(MemorySegment segment, int size) {
        this.segment = segment;
        this.size = size;
    }

    /** Ints that lie in memory of one's own, behind {@link #ARRAY_HEADER} bytes. */
    public static IntArray fromSegmentShallow(MemorySegment segment) {
        MemorySegment ints = segment.asSlice(ARRAY_HEADER);
        return new IntArray(ints, (int) (ints.byteSize() / Integer.BYTES));
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
