package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;

import dev.whirlwind.model.Format;
import dev.whirlwind.model.safetensors.Conversion;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Signed bytes times the scale of their block, a bfloat16: the largest magnitude over 127. In a block's 16 ints, byte b of
 * int l is weight 16 b + l, so that a shift gives weights that lie side by side.
 */
final class Int8 extends BlockPart {
    private static final int INTS_IN_A_BLOCK = BLOCK / 4;
    private static final VectorSpecies<Integer> INTS =
            Memory.SPECIES.withLanes(int.class).check(int.class);

    private final long codes;
    private final long scales;

    /** @param address of a byte for each weight, then two for each block */
    Int8(long address, long length) {
        codes = address;
        scales = address + length;
    }

    @Override
    public Format format() {
        return Format.INT8;
    }

    private float scale(long block) {
        return Float.intBitsToFloat(ALL.get(ValueLayout.JAVA_SHORT_UNALIGNED, scales + Short.BYTES * block) << 16);
    }

    private long code(long weight) {
        int within = (int) (weight % BLOCK);
        return codes + weight - within + 4L * (within % INTS_IN_A_BLOCK) + within / INTS_IN_A_BLOCK;
    }

    @Override
    public float at(long weight) {
        return ALL.get(ValueLayout.JAVA_BYTE, code(weight)) * scale(weight / BLOCK);
    }

    @Override
    void widenBlock(long block, long to) {
        float scale = scale(block);
        for (int l = 0; l < INTS_IN_A_BLOCK; l += LANES) {
            widenLanes(codes + BLOCK * block + 4L * l, to + 4L * l, scale);
        }
    }

    private static void widenLanes(long from, long to, float scale) {
        IntVector bytes = IntVector.fromMemorySegment(INTS, ALL, from, ORDER);
        widenUpper(bytes.lanewise(VectorOperators.LSHL, 24), to, scale);
        widenUpper(bytes.lanewise(VectorOperators.LSHL, 16), to + 4L * INTS_IN_A_BLOCK, scale);
        widenUpper(bytes.lanewise(VectorOperators.LSHL, 8), to + 8L * INTS_IN_A_BLOCK, scale);
        widenUpper(bytes, to + 12L * INTS_IN_A_BLOCK, scale);
    }

    private static void widenUpper(IntVector bytes, long to, float scale) {
        FloatVector floats =
                (FloatVector) bytes.lanewise(VectorOperators.ASHR, 24).convert(VectorOperators.I2F, 0);
        floats.mul(scale).intoMemorySegment(ALL, to, ORDER);
    }

    @Override
    void roundBlock(long block, long from) {
        short bits = Conversion.toBFloat16(Float.floatToIntBits(largest(from) / 127));
        ALL.set(ValueLayout.JAVA_SHORT_UNALIGNED, scales + Short.BYTES * block, bits);
        float scale = scale(block);
        for (int i = 0; i < BLOCK; i++) {
            double code = scale == 0 ? 0 : Math.rint(Memory.get(from + 4L * i) / scale);
            ALL.set(ValueLayout.JAVA_BYTE, code(BLOCK * block + i), (byte) Math.clamp(code, -127.0, 127.0));
        }
    }
}
