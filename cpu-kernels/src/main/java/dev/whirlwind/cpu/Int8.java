package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;

import dev.whirlwind.model.blocks.Int8Blocks;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** Signed bytes that are widened by vectors. */
final class Int8 extends Int8Blocks {
    private static final VectorSpecies<Integer> INTS =
            Memory.SPECIES.withLanes(int.class).check(int.class);

    private final long codes;

    Int8(long address, long length) {
        super(ALL, address, length);
        codes = address;
    }

    @Override
    protected void widenBlock(long block, MemorySegment to, long at) {
        float scale = scale(block);
        for (int l = 0; l < INTS_IN_A_BLOCK; l += LANES) {
            widenLanes(codes + 4L * INTS_IN_A_BLOCK * block + 4L * l, to.address() + at + 4L * l, scale);
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
}
