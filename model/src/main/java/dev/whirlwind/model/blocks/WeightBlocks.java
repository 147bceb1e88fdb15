package dev.whirlwind.model.blocks;

import dev.whirlwind.model.Format;
import java.lang.foreign.MemorySegment;

/** Weights. Whole blocks are widened at once, what is left of others one by one. */
abstract class WeightBlocks extends Blocks {
    static final int BLOCK = Format.BLOCK;

    /** Widens a block. */
    protected abstract void widenBlock(long block, MemorySegment to, long at);

    /** Rounds floats to a block. */
    abstract void roundBlock(long block, MemorySegment from, long at);

    @Override
    public final void widen(long first, int count, MemorySegment to, long at) {
        int done = (int) Math.min(count, Math.ceilDiv(first, (long) BLOCK) * BLOCK - first);
        each(first, 0, done, to, at);
        for (; count - done >= BLOCK; done += BLOCK) {
            widenBlock((first + done) / BLOCK, to, at + 4L * done);
        }
        each(first, done, count, to, at);
    }

    private void each(long first, int start, int end, MemorySegment to, long at) {
        for (int i = start; i < end; i++) {
            to.set(FLOAT, at + 4L * i, at(first + i));
        }
    }

    @Override
    public final void round(long first, int count, MemorySegment from, long at) {
        if (first % BLOCK != 0 || count % BLOCK != 0) {
            throw new IllegalArgumentException("weights " + first + " to " + (first + count) + " are no whole blocks");
        }
        for (int start = 0; start < count; start += BLOCK) {
            roundBlock((first + start) / BLOCK, from, at + 4L * start);
        }
    }

    /** The largest magnitude of a block of floats. */
    static float largest(MemorySegment from, long at) {
        float largest = 0;
        for (int i = 0; i < BLOCK; i++) {
            largest = Math.max(largest, Math.abs(from.get(FLOAT, at + 4L * i)));
        }
        return largest;
    }
}
