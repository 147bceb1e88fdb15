package dev.whirlwind.tornado;

import dev.whirlwind.tornado.kernels.Half;

/** What weights are multiplied as, and what kept activations lie in memory as; sums and everything else are floats. */
public enum Precision {
    FP32(0),
    BF16(Half.BF16_EXPONENT),
    FP16(Half.FP16_EXPONENT);

    private final int exponentBits;

    Precision(int exponentBits) {
        this.exponentBits = exponentBits;
    }

    /** Bits of the exponent of a number that takes 16; 0 for floats. */
    int exponentBits() {
        return exponentBits;
    }

    boolean isHalf() {
        return this != FP32;
    }
}
