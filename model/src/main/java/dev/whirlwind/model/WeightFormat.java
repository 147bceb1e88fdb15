package dev.whirlwind.model;

/** What a model's matrices are kept as, a choice of the user's; programs compute in floats of them whatever it is. */
public enum WeightFormat {
    FP32(Format.FP32),
    BF16(Format.BF16),
    INT8(Format.INT8),
    NF4(Format.NF4);

    private final Format format;

    WeightFormat(Format format) {
        this.format = format;
    }

    Format format() {
        return format;
    }

    /** Whether weights can be changed; those that share a scale are written once. */
    public boolean isTrainable() {
        return this == FP32 || this == BF16;
    }
}
