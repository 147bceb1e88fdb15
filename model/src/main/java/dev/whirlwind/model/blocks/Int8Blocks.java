package dev.whirlwind.model.blocks;

import dev.whirlwind.model.Format;
import dev.whirlwind.model.safetensors.Conversion;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Signed bytes times the scale of their block, a bfloat16: the largest magnitude over 127. In a block's 16 ints, byte b of
 * int l is weight 16 b + l, so that a shift gives weights that lie side by side.
 */
public class Int8Blocks extends WeightBlocks {
    protected static final int INTS_IN_A_BLOCK = BLOCK / 4;

    private final MemorySegment memory;
    private final long codes;
    private final long scales;

    /** With a byte for each weight from byte {@code at} on, then two for each block. */
    public Int8Blocks(MemorySegment memory, long at, long length) {
        this.memory = memory;
        codes = at;
        scales = at + length;
    }

    @Override
    public final Format format() {
        return Format.INT8;
    }

    protected final float scale(long block) {
        return Float.intBitsToFloat(memory.get(ValueLayout.JAVA_SHORT_UNALIGNED, scales + Short.BYTES * block) << 16);
    }

    private long code(long weight) {
        int within = (int) (weight % BLOCK);
        return codes + weight - within + 4L * (within % INTS_IN_A_BLOCK) + within / INTS_IN_A_BLOCK;
    }

    @Override
    public final float at(long weight) {
        return memory.get(ValueLayout.JAVA_BYTE, code(weight)) * scale(weight / BLOCK);
    }

    @Override
    protected void widenBlock(long block, MemorySegment to, long at) {
        float scale = scale(block);
        for (int i = 0; i < BLOCK; i++) {
            to.set(FLOAT, at + 4L * i, memory.get(ValueLayout.JAVA_BYTE, code(BLOCK * block + i)) * scale);
        }
    }

    @Override
    final void roundBlock(long block, MemorySegment from, long at) {
        short bits = Conversion.toBFloat16(Float.floatToIntBits(largest(from, at) / 127));
        memory.set(ValueLayout.JAVA_SHORT_UNALIGNED, scales + Short.BYTES * block, bits);
        float scale = scale(block);
        for (int i = 0; i < BLOCK; i++) {
            double code = scale == 0 ? 0 : Math.rint(from.get(FLOAT, at + 4L * i) / scale);
            memory.set(ValueLayout.JAVA_BYTE, code(BLOCK * block + i), (byte) Math.clamp(code, -127.0, 127.0));
        }
    }
}
