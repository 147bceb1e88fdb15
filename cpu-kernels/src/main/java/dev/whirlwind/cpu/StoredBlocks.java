package dev.whirlwind.cpu;

import dev.whirlwind.model.Format;
import dev.whirlwind.model.blocks.Blocks;

/** Numbers that share scales by blocks; rounding is to nearest always. */
record StoredBlocks(Blocks blocks) implements StoredWeights.Part {
    @Override
    public Format format() {
        return blocks.format();
    }

    @Override
    public float at(long weight) {
        return blocks.at(weight);
    }

    @Override
    public void widen(long first, int count, long to) {
        blocks.widen(first, count, Memory.ALL, to);
    }

    @Override
    public void round(long first, int count, long from, long key, long element) {
        blocks.round(first, count, Memory.ALL, from);
    }
}
