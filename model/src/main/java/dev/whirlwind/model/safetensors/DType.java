package dev.whirlwind.model.safetensors;

/**
 * The element types of the safetensors format, in the order of the format's own library: files are written with the
 * later types first, so that wider elements come first and all stay aligned.
 */
public enum DType {
    BOOL(8),
    F4(4),
    F6_E2M3(6),
    F6_E3M2(6),
    U8(8),
    I8(8),
    F8_E5M2(8),
    F8_E4M3(8),
    F8_E8M0(8),
    F8_E4M3FNUZ(8),
    F8_E5M2FNUZ(8),
    I16(16),
    U16(16),
    F16(16),
    BF16(16),
    I32(32),
    U32(32),
    F32(32),
    C64(64),
    F64(64),
    I64(64),
    U64(64);

    private final int bits;

    DType(int bits) {
        this.bits = bits;
    }

    /** Bits of one element. */
    public int bits() {
        return bits;
    }

    /** The largest float that does not become infinite when it is rounded to this type. */
    public float largest() {
        return switch (this) {
            case F16 -> Math.nextDown(65520f);
            case BF16 -> Float.intBitsToFloat(0x7f7f_7fff);
            default -> Float.MAX_VALUE;
        };
    }

    /** Whether tensors of this type can be read as floats and written from floats: F16, BF16, F32 and F64. */
    public boolean convertible() {
        return switch (this) {
            case F16, BF16, F32, F64 -> true;
            default -> false;
        };
    }
}
