package dev.whirlwind.cpu;

import dev.whirlwind.model.Dropout;
import dev.whirlwind.model.Inputs;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * A dropout mask, the bits of {@link dev.whirlwind.model.Philox} in vectors: one block per 64-bit lane, its four words in
 * the low halves of four vectors, so that the 32 x 32 bit products of a round fit a lane.
 */
final class Mask {
    /** How many elements {@link #kept} tells of at once. */
    static final int ELEMENTS = 64;

    private static final VectorSpecies<Long> SPECIES = VectorSpecies.of(long.class, Memory.SPECIES.vectorShape());
    private static final LongVector LANE_NUMBERS = LongVector.zero(SPECIES).addIndex(1);
    private static final int BLOCK = 4;
    private static final int ROUNDS = 10;
    private static final long MULTIPLIER_0 = 0xD2511F53L;
    private static final long MULTIPLIER_1 = 0xCD9E8D57L;
    private static final int WEYL_0 = 0x9E3779B9;
    private static final int WEYL_1 = 0xBB67AE85;
    private static final long LOW = 0xffff_ffffL;
    /** Where the four bits of a lane's block belong. */
    private static final LongVector PLACES = LANE_NUMBERS.mul(BLOCK);

    private long seed;
    private int step;
    private int microBatch;
    private int site;
    private long threshold;

    /** The mask that the following calls are about. */
    void begin(Inputs inputs, int layer, Dropout dropout) {
        seed = inputs.seed;
        step = inputs.step;
        microBatch = inputs.microBatch;
        site = layer << 3 | dropout.site();
        threshold = dropout.threshold() & LOW;
    }

    /** Bit i is set when element {@code first + i} is kept; any first element, but multiples of 4 cost half. */
    long kept(long first) {
        int skip = (int) (first % BLOCK);
        long bits = dropped(first / BLOCK);
        if (skip > 0) {
            bits = bits >>> skip | dropped(first / BLOCK + ELEMENTS / BLOCK) << (ELEMENTS - skip);
        }
        return ~bits;
    }

    private long dropped(long block) {
        long bits = 0;
        for (int i = 0; i < ELEMENTS; i += BLOCK * SPECIES.length()) {
            bits |= dropped(block + i / BLOCK, seed, step, microBatch << 8, site, threshold) << i;
        }
        return bits;
    }

    private static long dropped(long block, long seed, int step, int microBatch, int site, long threshold) {
        LongVector number = LANE_NUMBERS.add(block);
        LongVector c0 = number.and(LOW);
        LongVector c1 = number.lanewise(VectorOperators.LSHR, 32).or(microBatch & LOW);
        LongVector c2 = LongVector.broadcast(SPECIES, step & LOW);
        LongVector c3 = LongVector.broadcast(SPECIES, site & LOW);
        int k0 = (int) seed;
        int k1 = (int) (seed >>> 32);
        for (int round = 0; round < ROUNDS; round++) {
            // The masked operands let the compiler take the 32 x 32 bit multiplication.
            LongVector product0 = c0.and(LOW).mul(LongVector.broadcast(SPECIES, MULTIPLIER_0));
            LongVector product1 = c2.and(LOW).mul(LongVector.broadcast(SPECIES, MULTIPLIER_1));
            c0 = product1.lanewise(VectorOperators.LSHR, 32)
                    .lanewise(VectorOperators.XOR, c1)
                    .lanewise(VectorOperators.XOR, k0 & LOW);
            c1 = product1.and(LOW);
            c2 = product0.lanewise(VectorOperators.LSHR, 32)
                    .lanewise(VectorOperators.XOR, c3)
                    .lanewise(VectorOperators.XOR, k1 & LOW);
            c3 = product0.and(LOW);
            k0 += WEYL_0;
            k1 += WEYL_1;
        }
        // Where a word is below the threshold, the difference's sign is set: it becomes bit "word" of the lane's four.
        LongVector bits = c0.sub(threshold)
                .lanewise(VectorOperators.LSHR, 63)
                .or(c1.sub(threshold).lanewise(VectorOperators.LSHR, 63).lanewise(VectorOperators.LSHL, 1))
                .or(c2.sub(threshold).lanewise(VectorOperators.LSHR, 63).lanewise(VectorOperators.LSHL, 2))
                .or(c3.sub(threshold).lanewise(VectorOperators.LSHR, 63).lanewise(VectorOperators.LSHL, 3));
        return bits.lanewise(VectorOperators.LSHL, PLACES).reduceLanes(VectorOperators.OR);
    }
}
