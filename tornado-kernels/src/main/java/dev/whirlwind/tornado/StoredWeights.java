package dev.whirlwind.tornado;

import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Format;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Weights in several arrays, some of 16 bits, which the host reads and writes by way of floats on the device. */
final class StoredWeights extends Divided {
    private final KernelEngine engine;

    StoredWeights(KernelEngine engine, long length) {
        super(length, null);
        this.engine = engine;
    }

    @Override
    public MemorySegment segment() {
        throw new IllegalStateException("weights are not all kept as floats");
    }

    @Override
    public Format format(long offset) {
        return arrays().get(array(offset)) instanceof HalfMemory ? Format.BF16 : Format.FP32;
    }

    @Override
    public float at(long offset) {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment pair = scratch.allocate(2 * Float.BYTES);
            long even = offset - offset % 2;
            get(even, pair, Math.min(2, length() - even));
            return pair.getAtIndex(ValueLayout.JAVA_FLOAT, offset - even);
        }
    }

    @Override
    public void get(long offset, MemorySegment to, long count) {
        eachPart(offset, count, (array, first, length, done) -> {
            MemorySegment floats = to.asSlice(Float.BYTES * done, Float.BYTES * length);
            if (array instanceof HalfMemory half) {
                engine.widen(half, first, floats, length);
            } else {
                array.get(first, floats, length);
            }
        });
    }

    @Override
    public void put(long offset, MemorySegment from, long count) {
        eachPart(offset, count, (array, first, length, done) -> {
            MemorySegment floats = from.asSlice(Float.BYTES * done, Float.BYTES * length);
            if (array instanceof HalfMemory half) {
                engine.narrow(half, first, floats, length);
            } else {
                array.put(first, floats, length);
            }
        });
    }

    private interface Part {
        void at(Buffer array, long first, long length, long done);
    }

    private void eachPart(long offset, long count, Part part) {
        arrays().subMap(array(offset), true, offset + count, false).forEach((first, array) -> {
            long from = Math.max(offset, first);
            long end = Math.min(offset + count, first + array.length());
            if (from < end) {
                part.at(array, from - first, end - from, from - offset);
            }
        });
    }
}
