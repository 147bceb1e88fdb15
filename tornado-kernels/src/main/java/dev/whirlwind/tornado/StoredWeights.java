package dev.whirlwind.tornado;

import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Format;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Numbers in several arrays, some with fewer bits than floats: 16, which the host reads and writes by way of floats on the
 * device, or blocks that share scales, of which it has its own copy.
 */
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
        return switch (arrays().get(array(offset))) {
            case HalfMemory _ -> Format.BF16;
            case BlockMemory blocks -> blocks.format(offset);
            default -> Format.FP32;
        };
    }

    @Override
    public float at(long offset) {
        if (arrays().get(array(offset)) instanceof BlockMemory memory) {
            return memory.blocks().at(offset - array(offset));
        }
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
            switch (array) {
                case HalfMemory half -> engine.widen(half, first, floats, length);
                case BlockMemory memory -> memory.blocks().widen(first, Math.toIntExact(length), floats, 0);
                default -> array.get(first, floats, length);
            }
        });
    }

    @Override
    public void put(long offset, MemorySegment from, long count) {
        eachPart(offset, count, (array, first, length, done) -> {
            MemorySegment floats = from.asSlice(Float.BYTES * done, Float.BYTES * length);
            switch (array) {
                case HalfMemory half -> engine.narrow(half, first, floats, length);
                case BlockMemory memory -> memory.blocks().round(first, Math.toIntExact(length), floats, 0);
                default -> array.put(first, floats, length);
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
