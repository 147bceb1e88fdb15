package dev.whirlwind.training.memory;

import java.util.Locale;

/** What memory is taken for. */
public enum Purpose {
    /** The model's, and those of an adapter. */
    WEIGHTS,
    /** Of what is trained. */
    GRADIENTS,
    /** What the optimizer remembers. */
    MOMENTS,
    /** What a forward pass leaves for the backward pass. */
    ACTIVATIONS,
    /** Of as many places as are computed at once. */
    LOGITS,
    /** What one operation leaves for the next. */
    SCRATCH,
    /** The mean of the weights, and what evaluates it. */
    EMA,
    /** What weights are pulled to, and how much each. */
    ANCHOR,
    /** Another model that is learnt from, or what was kept of it. */
    TEACHER,
    /** Caches of keys and values that samples are made with. */
    SAMPLES,
    /** Java itself, its heap and code, and what engines keep there. */
    JAVA;

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
