package dev.whirlwind.model.blocks;

import dev.whirlwind.model.Format;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;

/**
 * NF4 with double quantisation (QLoRA, arXiv 2305.14314): codes of 4 bits for quantiles of the normal distribution, times
 * the largest magnitude of their block, which is a byte's share of the largest of 256 blocks. In a block's 8 ints, nibble n of int l
 * is weight 16 n + l, or 16 (n - 4) + 8 + l from nibble 4 on, so that two shifts give 16 weights that lie side by side.
 */
public class Nf4Blocks extends WeightBlocks {
    /** Blocks that share a largest magnitude. */
    public static final int BLOCKS_IN_A_GROUP = 256;

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

    private static final int INTS_IN_A_BLOCK = BLOCK / 8;

    private final MemorySegment memory;
    private final long codes;
    private final long shares;
    private final MemorySegment ofGroups;
    private final long unit;
    private final long blocks;

    /** Groups that are not yet complete. */
    private final Map<Long, Group> incomplete = new HashMap<>();

    /**
     * With four bits for each weight from byte {@code at} on, then a byte for each block.
     *
     * @param ofGroups from byte {@code unit} on a float for each group: the largest magnitude over 255
     */
    public Nf4Blocks(MemorySegment memory, long at, MemorySegment ofGroups, long unit, long length) {
        this.memory = memory;
        codes = at;
        shares = at + length / 2;
        this.ofGroups = ofGroups;
        this.unit = unit;
        blocks = length / BLOCK;
    }

    private static float[] middles() {
        float[] middles = new float[NUMBERS.length - 1];
        for (int i = 0; i < middles.length; i++) {
            middles[i] = (NUMBERS[i] + NUMBERS[i + 1]) / 2;
        }
        return middles;
    }

    /** What codes mean. */
    public static float[] numbers() {
        return NUMBERS.clone();
    }

    @Override
    public final Format format() {
        return Format.NF4;
    }

    protected final float scale(long block) {
        int share = memory.get(ValueLayout.JAVA_BYTE, shares + block) & 0xff;
        return share * ofGroups.get(FLOAT, unit + 4 * (block / BLOCKS_IN_A_GROUP));
    }

    private float number(long block, int within) {
        int bits = memory.get(ValueLayout.JAVA_INT_UNALIGNED, codes + block * (BLOCK / 2) + 4L * place(within));
        return NUMBERS[bits >>> (4 * nibble(within)) & 15];
    }

    @Override
    public final float at(long weight) {
        return number(weight / BLOCK, (int) (weight % BLOCK)) * scale(weight / BLOCK);
    }

    /** The int and its nibble of a weight in a block. */
    private static int place(int within) {
        return within % INTS_IN_A_BLOCK;
    }

    private static int nibble(int within) {
        return within / 16 + within / INTS_IN_A_BLOCK % 2 * 4;
    }

    @Override
    protected void widenBlock(long block, MemorySegment to, long at) {
        float scale = scale(block);
        for (int i = 0; i < BLOCK; i++) {
            to.set(FLOAT, at + 4L * i, number(block, i) * scale);
        }
    }

    @Override
    final void roundBlock(long block, MemorySegment from, long at) {
        float magnitude = largest(from, at);
        int[] ints = new int[INTS_IN_A_BLOCK];
        for (int i = 0; i < BLOCK; i++) {
            int code = magnitude == 0 ? 7 : nearest(from.get(FLOAT, at + 4L * i) / magnitude);
            ints[place(i)] |= code << (4 * nibble(i));
        }
        for (int i = 0; i < INTS_IN_A_BLOCK; i++) {
            memory.set(ValueLayout.JAVA_INT_UNALIGNED, codes + block * (BLOCK / 2) + 4L * i, ints[i]);
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
        ofGroups.set(FLOAT, unit + 4 * group, most / 255);
        for (int i = 0; i < count; i++) {
            memory.set(
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
