package dev.whirlwind.model.blocks;

import dev.whirlwind.model.Format;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Dynamic quantisation by blocks (Dettmers et al., 8-bit Optimizers, arXiv 2110.02861): a byte is the number of an entry of
 * a table, times the block's number of the largest magnitude, its sign included, so that this one is kept exactly and
 * rounding what was widened changes nothing. A step from one entry to the next is a small share of the entry over seven
 * powers of ten.
 */
public final class DynamicBlocks extends Blocks {
    private static final int BLOCK = Format.DYNAMIC_BLOCK;
    private static final float[] SIGNED = table(true);
    private static final float[] UNSIGNED = table(false);

    private static final Nearest NEAREST_SIGNED = new Nearest(SIGNED);
    private static final Nearest NEAREST_UNSIGNED = new Nearest(UNSIGNED);

    private final boolean signed;
    private final float[] table;
    private final Nearest nearest;
    private final MemorySegment memory;
    private final long codes;
    private final MemorySegment ofBlocks;
    private final long scales;
    private final long length;

    /**
     * With a byte for each number from byte {@code at} on.
     *
     * @param ofBlocks from byte {@code scales} on a float for each block
     * @param signed whether there are numbers below zero
     */
    public DynamicBlocks(
            MemorySegment memory, long at, MemorySegment ofBlocks, long scales, long length, boolean signed) {
        this.memory = memory;
        codes = at;
        this.ofBlocks = ofBlocks;
        this.scales = scales;
        this.signed = signed;
        this.length = length;
        table = signed ? SIGNED : UNSIGNED;
        nearest = signed ? NEAREST_SIGNED : NEAREST_UNSIGNED;
        // All are zero at first.
        memory.asSlice(codes, length).fill((byte) nearest.of(0));
    }

    /**
     * The paper's table, section 2.2: for each power of ten from 1e-6 to 1 as many numbers between 0.1 and 1, evenly
     * spaced, as bits are left; and 0 and 1.
     */
    private static float[] table(boolean signed) {
        float[] table = new float[256];
        int at = 0;
        for (int i = 0; i < 7; i++) {
            int items = signed ? 1 << i : 2 << i;
            for (int k = 0; k < items; k++) {
                double middle = 0.1 + 0.9 * (k + 0.5) / items;
                table[at] = (float) (Math.pow(10, i - 6) * middle);
                if (signed) {
                    table[at + 1] = -table[at];
                }
                at += signed ? 2 : 1;
            }
        }
        table[at] = 0;
        table[at + 1] = 1;
        Arrays.sort(table);
        return table;
    }

    /** What codes mean. */
    public static float[] numbers(boolean signed) {
        return (signed ? SIGNED : UNSIGNED).clone();
    }

    /**
     * The table's nearest entry to numbers from -1 to 1: of floats with the same upper halves, which are that near to each other,
     * it is the one of the least or the next.
     */
    private static final class Nearest {
        private final float[] middles;
        private final byte[] least = new byte[1 << 16];

        Nearest(float[] table) {
            middles = new float[table.length];
            for (int i = 0; i + 1 < middles.length; i++) {
                middles[i] = (table[i] + table[i + 1]) / 2;
            }
            middles[table.length - 1] = Float.POSITIVE_INFINITY;
            for (int upper = 0; upper < least.length; upper++) {
                boolean negative = upper >= 1 << 15;
                float x = Float.intBitsToFloat(upper << 16 | (negative ? 0xffff : 0));
                least[upper] = (byte) (x >= -1 && x <= 1 ? search(x) : 0);
            }
        }

        private int search(float x) {
            int found = 0;
            while (x > middles[found]) {
                found++;
            }
            return found;
        }

        int of(float x) {
            int code = least[Float.floatToRawIntBits(x) >>> 16] & 0xff;
            return x > middles[code] ? code + 1 : code;
        }
    }

    @Override
    public Format format() {
        return signed ? Format.DYNAMIC8 : Format.DYNAMIC8_UNSIGNED;
    }

    private float scale(long block) {
        return ofBlocks.get(FLOAT, scales + 4 * block);
    }

    private int code(long number) {
        return memory.get(ValueLayout.JAVA_BYTE, codes + number) & 0xff;
    }

    @Override
    public float at(long number) {
        return table[code(number)] * scale(number / BLOCK);
    }

    @Override
    public void widen(long first, int count, MemorySegment to, long at) {
        for (int done = 0; done < count; ) {
            long number = first + done;
            int end = (int) Math.min(count, done + BLOCK - number % BLOCK);
            float scale = scale(number / BLOCK);
            for (; done < end; done++) {
                to.set(FLOAT, at + 4L * done, table[code(first + done)] * scale);
            }
        }
    }

    /** Of blocks that are changed in part the rest is rounded anew, by what may be another scale. */
    @Override
    public void round(long first, int count, MemorySegment from, long at) {
        float[] floats = new float[BLOCK];
        for (int done = 0; done < count; ) {
            long number = first + done;
            long block = number / BLOCK;
            int within = (int) (number % BLOCK);
            int given = Math.min(count - done, BLOCK - within);
            int size = (int) Math.min(BLOCK, length - block * BLOCK);
            if (given < size) {
                widen(block * BLOCK, size, MemorySegment.ofArray(floats), 0);
            }
            MemorySegment.copy(from, FLOAT, at + 4L * done, floats, within, given);
            round(block, floats, size);
            done += given;
        }
    }

    private void round(long block, float[] floats, int size) {
        float largest = 0;
        for (int i = 0; i < size; i++) {
            largest = Math.abs(floats[i]) > Math.abs(largest) ? floats[i] : largest;
        }
        ofBlocks.set(FLOAT, scales + 4 * block, largest);
        for (int i = 0; i < size; i++) {
            int code = nearest.of(largest == 0 ? 0 : floats[i] / largest);
            memory.set(ValueLayout.JAVA_BYTE, codes + block * BLOCK + i, (byte) code);
        }
    }
}
