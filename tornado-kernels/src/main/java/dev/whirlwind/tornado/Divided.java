package dev.whirlwind.tornado;

import dev.whirlwind.model.Buffer;
import java.lang.foreign.MemorySegment;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * A buffer in several arrays, since kernels index by int and devices bound what is allocated at once. Each of its slices
 * lies in one of them; the host sees them as one.
 */
class Divided implements Buffer {
    private final long length;
    private final MemorySegment segment;

    /** By their first numbers' places. */
    private final NavigableMap<Long, Buffer> arrays = new TreeMap<>();

    /** Without arrays yet; the segment may be null. */
    Divided(long length, MemorySegment segment) {
        this.length = length;
        this.segment = segment;
    }

    void add(long first, Buffer array) {
        arrays.put(first, array);
    }

    final NavigableMap<Long, Buffer> arrays() {
        return arrays;
    }

    @Override
    public long length() {
        return length;
    }

    @Override
    public MemorySegment segment() {
        if (segment == null) {
            throw new UnsupportedOperationException("it has no host view");
        }
        return segment;
    }

    /** The first number's place of the array that another lies in. */
    final long array(long place) {
        return arrays.floorKey(place);
    }
}
