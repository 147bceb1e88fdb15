package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;

import dev.whirlwind.model.Format;
import dev.whirlwind.model.blocks.Nf4Blocks;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** NF4 that is widened by vectors. */
final class Nf4 extends Nf4Blocks {
    private static final VectorSpecies<Integer> INTS =
            Memory.SPECIES.withLanes(int.class).check(int.class);
    private static final boolean VECTORS = LANES == 16;
    private static final IntVector TABLE = VECTORS ? IntVector.fromArray(INTS, table(), 0) : null;

    /** Of 16 ints, the first 8 twice; the last 8 twice. */
    private static final IntVector FIRST =
            VECTORS ? IntVector.broadcast(INTS, 0).addIndex(1).and(7) : null;

    private static final IntVector SECOND = VECTORS ? FIRST.add(8) : null;
    private static final IntVector SHIFT = VECTORS ? shift() : null;

    private final long codes;

    /** @param address of four bits for each weight, then a byte for each block, then a float for each group */
    Nf4(long address, long length) {
        super(ALL, address, ALL, address + length / 2 + length / Format.BLOCK, length);
        codes = address;
    }

    private static int[] table() {
        float[] numbers = numbers();
        int[] bits = new int[numbers.length];
        Arrays.setAll(bits, i -> Float.floatToIntBits(numbers[i]));
        return bits;
    }

    private static IntVector shift() {
        int[] shifts = new int[LANES];
        Arrays.fill(shifts, LANES / 2, LANES, 16);
        return IntVector.fromArray(INTS, shifts, 0);
    }

    @Override
    protected void widenBlock(long block, MemorySegment to, long at) {
        if (VECTORS) {
            // Whole vectors: the block's partner is loaded, too.
            long pair = codes + block / 2 * Format.BLOCK;
            widen(pair, block % 2 == 0 ? FIRST : SECOND, to.address() + at, scale(block));
        } else {
            super.widenBlock(block, to, at);
        }
    }

    private static void widen(long pair, IntVector half, long to, float scale) {
        IntVector ints = half.selectFrom(IntVector.fromMemorySegment(INTS, ALL, pair, ORDER))
                .lanewise(VectorOperators.LSHR, SHIFT);
        for (int i = 0; i < 4; i++) {
            ints.lanewise(VectorOperators.LSHR, 4 * i)
                    .and(15)
                    .selectFrom(TABLE)
                    .reinterpretAsFloats()
                    .mul(scale)
                    .intoMemorySegment(ALL, to + 4L * LANES * i, ORDER);
        }
    }
}
