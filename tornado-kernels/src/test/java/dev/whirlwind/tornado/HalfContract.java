package dev.whirlwind.tornado;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Numbers of 16 bits against the JDK's own conversions: all of them, what lies between neighbours, and any floats. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class HalfContract {
    abstract Engine engine(Precision precision);

    @ParameterizedTest
    @EnumSource(names = "FP32", mode = EnumSource.Mode.EXCLUDE)
    void floatsBecomeTheNearestNumber(Precision precision) {
        float[] floats = floats(precision);
        float[] rounded = throughActivations(precision, floats);
        for (int i = 0; i < floats.length; i++) {
            assertThat(rounded[i]).as("%a", floats[i]).isEqualTo(nearest(precision, floats[i]));
        }
    }

    /** Losses must show it. */
    @ParameterizedTest
    @EnumSource(names = "FP32", mode = EnumSource.Mode.EXCLUDE)
    void whatIsNoNumberDoesNotBecomeOne(Precision precision) {
        float[] rounded = throughActivations(precision, new float[] {Float.NaN, -Float.NaN, 1, Float.NaN});
        assertThat(Float.isFinite(rounded[0]) || Float.isFinite(rounded[1]) || Float.isFinite(rounded[3]))
                .isFalse();
        assertThat(rounded[2]).isEqualTo(1);
    }

    private static float[] floats(Precision precision) {
        Random random = new Random(7);
        int all = 1 << 16;
        float[] floats = new float[4 * all + 1];
        for (int bits = 0; bits < all; bits++) {
            float number = number(precision, bits);
            float next = number(precision, Math.min(bits | 0x8000, 0xfffe) - (~bits & 0x8000) + 1);
            float any = Float.intBitsToFloat(random.nextInt());
            float small = (float) Math.scalb(random.nextGaussian(), random.nextInt(60) - 40);
            floats[4 * bits] = finite(number);
            floats[4 * bits + 1] = finite(number / 2 + next / 2);
            floats[4 * bits + 2] = finite(any);
            floats[4 * bits + 3] = small;
        }
        floats[4 * all] = 3;
        return floats;
    }

    /** NaN is no number, and a float too small for its full digits is zero to many devices. */
    private static float finite(float x) {
        return Float.isNaN(x) || Math.abs(x) < Float.MIN_NORMAL ? 0 : x;
    }

    private static float number(Precision precision, int bits) {
        return precision == Precision.FP16 ? Float.float16ToFloat((short) bits) : Float.intBitsToFloat(bits << 16);
    }

    private static float nearest(Precision precision, float x) {
        if (precision == Precision.FP16) {
            return Float.float16ToFloat(Float.floatToFloat16(x)) + 0f;
        }
        if (Math.abs(x) < 0x1p-113f) {
            return 0;
        }
        int bits = Float.floatToRawIntBits(x);
        return Float.intBitsToFloat((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000);
    }

    /** What an operation makes of x that writes 16 bits, and another that reads them: x is a matrix of one column. */
    private float[] throughActivations(Precision precision, float[] x) {
        int n = x.length;
        try (Engine engine = engine(precision)) {
            Buffer in = engine.allocate("in", n);
            Buffer one = engine.allocate("one", 1);
            Buffer rounded = engine.allocateActivations("rounded", n);
            Buffer out = engine.allocate("out", n);
            MemorySegment.copy(x, 0, in.segment(), ValueLayout.JAVA_FLOAT, 0, n);
            one.segment().set(ValueLayout.JAVA_FLOAT, 0, 1);
            run(engine, ops -> ops.linear(tensor(rounded), tensor(in), tensor(one), null, n, 1, 1));
            run(engine, ops -> ops.linear(tensor(out), tensor(rounded), tensor(one), null, n, 1, 1));
            return engine.host(tensor(out), n).toArray(ValueLayout.JAVA_FLOAT);
        }
    }

    private static void run(Engine engine, Consumer<Ops> program) {
        engine.run(program::accept, new Inputs(1), 0);
    }

    private static Tensor tensor(Buffer buffer) {
        return new Tensor(buffer, 0, 0);
    }
}
