package dev.whirlwind.model.blocks;

import dev.whirlwind.model.Format;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Numbers that share scales by blocks, where they lie in memory. For reading by several threads at a time. */
public abstract class Blocks {
    /** Floats that programs are given, and scales. */
    static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

    /** What the numbers are kept as. */
    public abstract Format format();

    /** A number as a float. */
    public abstract float at(long number);

    /** Widens numbers {@code first} to {@code first + count} into floats, from a byte of a segment on. */
    public abstract void widen(long first, int count, MemorySegment to, long at);

    /**
     * Rounds floats to them.
     *
     * @throws IllegalArgumentException where only whole blocks can be changed, and these are none
     */
    public abstract void round(long first, int count, MemorySegment from, long at);
}
