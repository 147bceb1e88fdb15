package dev.whirlwind.model;

/**
 * What kept activations lie in memory as, and what matrix products read, where an engine can: floats, bfloat16 (8 bits of
 * exponent, 7 of mantissa) or IEEE 754's binary16 (5 and 10). Weights that an optimizer works on, gradients and sums are
 * floats with each.
 */
public enum Precision {
    FP32,
    BF16,
    FP16;

    public boolean isHalf() {
        return this != FP32;
    }
}
