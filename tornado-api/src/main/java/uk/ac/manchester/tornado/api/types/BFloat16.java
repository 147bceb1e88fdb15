package uk.ac.manchester.tornado.api.types;

/** Conversions of bfloat16's bits, an instruction or a few on CUDA; there the nearest number, of two the even one. */
public final class BFloat16 {
    private BFloat16() {}

    public static float bf16ToFloat(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    public static short bf16FromFloat(float value) {
        int bits = Float.floatToRawIntBits(value);
        return Float.isNaN(value) ? 0x7fc0 : (short) ((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }
}
