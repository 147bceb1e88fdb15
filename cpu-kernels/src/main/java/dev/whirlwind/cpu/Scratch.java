package dev.whirlwind.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Working memory of one operation at a time, kept from call to call and grown when needed, so that steps allocate
 * nothing. What it was before it grew goes when the garbage collector finds it.
 */
final class Scratch {
    private MemorySegment memory = MemorySegment.NULL;

    /** The address of room for at least so many floats; what they hold is not defined. No task may be using it. */
    long reserve(long floats) {
        if (4 * floats > memory.byteSize()) {
            memory = Memory.allocate(Arena.ofAuto(), floats);
        }
        return memory.address();
    }
}
