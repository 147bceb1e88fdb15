package dev.whirlwind.cpu;

import dev.whirlwind.model.Format;

/** Floats among weights with fewer bits. */
record StoredFloats(long address) implements StoredWeights.Part {
    @Override
    public Format format() {
        return Format.FP32;
    }

    @Override
    public float at(long weight) {
        return Memory.get(address + Float.BYTES * weight);
    }

    @Override
    public void widen(long first, int count, long to) {
        Memory.copy(address + Float.BYTES * first, to, count);
    }

    @Override
    public void round(long first, int count, long from, long key, long element) {
        Memory.copy(from, address + Float.BYTES * first, count);
    }
}
