package dev.whirlwind.model;

/** Keys and values of the tokens so far, of every layer, while generating one text. */
public final class KeyValueCache {
    private final int capacity;
    private final Tensor tensor;

    /** Room for {@code capacity} tokens. */
    public KeyValueCache(Engine engine, ModelConfig config, int capacity) {
        config.requirePositions(capacity);
        this.capacity = capacity;
        long stride = ParameterLayout.align((long) capacity * 2 * config.kvHeads() * config.headDim());
        long[] starts = Activations.starts(config.layers(), stride);
        tensor = new Tensor(engine.allocate("key-value cache", config.layers() * stride, starts), 0, stride);
    }

    public int capacity() {
        return capacity;
    }

    Tensor tensor() {
        return tensor;
    }
}
