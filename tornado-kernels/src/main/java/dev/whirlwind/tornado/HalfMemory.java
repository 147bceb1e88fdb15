package dev.whirlwind.tornado;

import dev.whirlwind.model.Buffer;
import java.lang.foreign.MemorySegment;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Numbers of 16 bits, two in an int, which only programs see.
 *
 * @param length in numbers
 */
record HalfMemory(String name, IntArray words, long length) implements Buffer {
    @Override
    public MemorySegment segment() {
        throw new UnsupportedOperationException(name + " has no host view");
    }
}
