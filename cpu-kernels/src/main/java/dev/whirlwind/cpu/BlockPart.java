package dev.whirlwind.cpu;

import dev.whirlwind.model.Format;

/** Weights that share scales by blocks. Whole blocks are widened at once, what is left of others one by one. */
abstract class BlockPart implements StoredWeights.Part {
    static final int BLOCK = Format.BLOCK;

    /** Widens a block. */
    abstract void widenBlock(long block, long to);

    /** Rounds floats to a block. */
    abstract void roundBlock(long block, long from);

    @Override
    public final void widen(long first, int count, long to) {
        int done = (int) Math.min(count, Math.ceilDiv(first, (long) BLOCK) * BLOCK - first);
        each(first, 0, done, to);
        for (; count - done >= BLOCK; done += BLOCK) {
            widenBlock((first + done) / BLOCK, to + 4L * done);
        }
        each(first, done, count, to);
    }

    private void each(long first, int start, int end, long to) {
        for (int i = start; i < end; i++) {
            Memory.set(to + 4L * i, at(first + i));
        }
    }

    @Override
    public final void round(long first, int count, long from, long key, long element) {
        if (first % BLOCK != 0 || count % BLOCK != 0) {
            throw new IllegalArgumentException("weights " + first + " to " + (first + count) + " are no whole blocks");
        }
        for (int start = 0; start < count; start += BLOCK) {
            roundBlock((first + start) / BLOCK, from + 4L * start);
        }
    }

    /** The largest magnitude of a block of floats. */
    static float largest(long from) {
        float largest = 0;
        for (int i = 0; i < BLOCK; i++) {
            largest = Math.max(largest, Math.abs(Memory.get(from + 4L * i)));
        }
        return largest;
    }
}
