package uk.ac.manchester.tornado.api.types.vectors;

/** Sixteen floats that a device keeps in one vector register. */
public final class Float16 {
    private final float[] lanes;

    public Float16() {
        this(new float[16]);
    }

    public Float16(
            float s0,
            float s1,
            float s2,
            float s3,
            float s4,
            float s5,
            float s6,
            float s7,
            float s8,
            float s9,
            float s10,
            float s11,
            float s12,
            float s13,
            float s14,
            float s15) {
        this(new float[] {s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15});
    }

    private Float16(float[] lanes) {
        this.lanes = lanes;
    }

    public static Float16 add(Float16 a, Float16 b) {
        float[] sum = new float[16];
        for (int i = 0; i < sum.length; i++) {
            sum[i] = a.lanes[i] + b.lanes[i];
        }
        return new Float16(sum);
    }

    public static Float16 mult(Float16 a, Float16 b) {
        float[] product = new float[16];
        for (int i = 0; i < product.length; i++) {
            product[i] = a.lanes[i] * b.lanes[i];
        }
        return new Float16(product);
    }

    public static Float16 mult(Float16 a, float b) {
        float[] product = new float[16];
        for (int i = 0; i < product.length; i++) {
            product[i] = a.lanes[i] * b;
        }
        return new Float16(product);
    }

    public float getS0() {
        return lanes[0];
    }

    public float getS1() {
        return lanes[1];
    }

    public float getS2() {
        return lanes[2];
    }

    public float getS3() {
        return lanes[3];
    }

    public float getS4() {
        return lanes[4];
    }

    public float getS5() {
        return lanes[5];
    }

    public float getS6() {
        return lanes[6];
    }

    public float getS7() {
        return lanes[7];
    }

    public float getS8() {
        return lanes[8];
    }

    public float getS9() {
        return lanes[9];
    }

    public float getS10() {
        return lanes[10];
    }

    public float getS11() {
        return lanes[11];
    }

    public float getS12() {
        return lanes[12];
    }

    public float getS13() {
        return lanes[13];
    }

    public float getS14() {
        return lanes[14];
    }

    public float getS15() {
        return lanes[15];
    }
}
