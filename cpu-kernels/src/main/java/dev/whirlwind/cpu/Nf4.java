package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;

import dev.whirlwind.model.Format;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * NF4 with double quantisation (QLoRA, arXiv 2305.14314): codes of 4 bits for quantiles of the normal distribution, times
 * the largest magnitude of their block, which is a byte's share of the largest of 256 blocks. In a block's 8 ints, nibble n of int l
 * is weight 16 n + l, or 16 (n - 4) + 8 + l from nibble 4 on, so that two shifts give 16 weights that lie side by side.
 */
final class Nf4 extends BlockPart {
    /** The 16 numbers, from the paper's appendix E. */
    private static final float[] NUMBERS = {
        -1.0f,
        -0.6961928f,
        -0.52507305f,
        -0.3949175f,
        -0.28444138f,
        -0.18477343f,
        -0.091050036f,
        0.0f,
        0.0795803f,
        0.1609302f,
        0.2461123f,
        0.33791524f,
        0.44070983f,
        0.562617f,
        0.72295684f,
        1.0f
    };

    /** Half way from each to the next. */
    private static final float[] MIDDLES = middles();

    private static final int BLOCKS_IN_A_GROUP = 256;
    private static final int INTS_IN_A_BLOCK = BLOCK / 8;
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
    private final long shares;
    private final long largest;
    private final long blocks;

    /** Groups that are not yet complete. */
    private final Map<Long, Group> incomplete = new HashMap<>();

    /** @param address of four bits for each weight, then a byte for each block, then a float for each group */
    Nf4(long address, long length) {
        codes = address;
        shares = address + length / 2;
        blocks = length / BLOCK;
        largest = shares + blocks;
    }

    private static int[] table() {
        int[] bits = new int[NUMBERS.length];
        Arrays.setAll(bits, i -> Float.floatToIntBits(NUMBERS[i]));
        return bits;
    }

    private static float[] middles() {
        float[] middles = new float[NUMBERS.length - 1];
        for (int i = 0; i < middles.length; i++) {
            middles[i] = (NUMBERS[i] + NUMBERS[i + 1]) / 2;
        }
        return middles;
    }

    private static IntVector shift() {
        int[] shifts = new int[LANES];
        Arrays.fill(shifts, LANES / 2, LANES, 16);
        return IntVector.fromArray(INTS, shifts, 0);
    }

    @Override
    public Format format() {
        return Format.NF4;
    }

    private float scale(long block) {
        int share = ALL.get(ValueLayout.JAVA_BYTE, shares + block) & 0xff;
        return share * (Memory.get(largest + 4 * (block / BLOCKS_IN_A_GROUP)) / 255);
    }

    @Override
    public float at(long weight) {
        int within = (int) (weight % BLOCK);
        int bits = ALL.get(ValueLayout.JAVA_INT_UNALIGNED, codes + weight / BLOCK * (BLOCK / 2) + 4L * place(within));
        return NUMBERS[bits >>> (4 * nibble(within)) & 15] * scale(weight / BLOCK);
    }

    /** The int and its nibble of a weight in a block. */
    private static int place(int within) {
        return within % INTS_IN_A_BLOCK;
    }

    private static int nibble(int within) {
        return within / 16 + within / INTS_IN_A_BLOCK % 2 * 4;
    }

    @Override
    void widenBlock(long block, long to) {
        float scale = scale(block);
        if (VECTORS) {
            // Whole vectors: the block's partner is loaded, too.
            long pair = codes + block / 2 * BLOCK;
            widen(pair, block % 2 == 0 ? FIRST : SECOND, to, scale);
        } else {
            for (int i = 0; i < BLOCK; i++) {
                int bits = ALL.get(ValueLayout.JAVA_INT_UNALIGNED, codes + block * (BLOCK / 2) + 4L * place(i));
                Memory.set(to + 4L * i, NUMBERS[bits >>> (4 * nibble(i)) & 15] * scale);
            }
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

    @Override
    void roundBlock(long block, long from) {
        float magnitude = largest(from);
        int[] ints = new int[INTS_IN_A_BLOCK];
        for (int i = 0; i < BLOCK; i++) {
            int code = magnitude == 0 ? 7 : nearest(Memory.get(from + 4L * i) / magnitude);
            ints[place(i)] |= code << (4 * nibble(i));
        }
        for (int i = 0; i < INTS_IN_A_BLOCK; i++) {
            ALL.set(ValueLayout.JAVA_INT_UNALIGNED, codes + block * (BLOCK / 2) + 4L * i, ints[i]);
        }
        share(block, magnitude);
    }

    /** The nearest number's place, by halving. */
    private static int nearest(float number) {
        int found = number > MIDDLES[7] ? 8 : 0;
        found += number > MIDDLES[found + 3] ? 4 : 0;
        found += number > MIDDLES[found + 1] ? 2 : 0;
        found += number > MIDDLES[found] ? 1 : 0;
        return found;
    }

    /** Blocks become shares when the last one of their group is known. */
    private synchronized void share(long block, float magnitude) {
        long group = block / BLOCKS_IN_A_GROUP;
        long first = group * BLOCKS_IN_A_GROUP;
        int count = (int) Math.min(BLOCKS_IN_A_GROUP, blocks - first);
        Group known = incomplete.computeIfAbsent(group, _ -> new Group(count));
        known.magnitudes[(int) (block - first)] = magnitude;
        if (++known.known < count) {
            return;
        }
        incomplete.remove(group);
        float most = 0;
        for (float each : known.magnitudes) {
            most = Math.max(most, each);
        }
        Memory.set(largest + 4 * group, most);
        for (int i = 0; i < count; i++) {
            ALL.set(
                    ValueLayout.JAVA_BYTE,
                    shares + first + i,
                    most == 0 ? 0 : (byte) Math.round(known.magnitudes[i] / most * 255));
        }
    }

    private static final class Group {
        final float[] magnitudes;
        int known;

        Group(int blocks) {
            magnitudes = new float[blocks];
        }
    }
}
