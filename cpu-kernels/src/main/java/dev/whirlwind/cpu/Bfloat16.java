package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;

import dev.whirlwind.model.Format;
import dev.whirlwind.model.StochasticRounding;
import dev.whirlwind.model.safetensors.Conversion;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * The upper halves of floats, in the order of files. Two that lie side by side are loaded as one int: shifted and masked it
 * is both floats, and vectors of these are interleaved.
 *
 * @param readOnly where they lie in a file
 */
record Bfloat16(long address, boolean readOnly) implements StoredWeights.Part {
    private static final VectorSpecies<Integer> INTS =
            Memory.SPECIES.withLanes(int.class).check(int.class);
    private static final IntVector LOW = Packing.interleaving(0);
    private static final IntVector HIGH = Packing.interleaving(LANES / 2);

    /** Even and odd elements of two vectors. */
    private static final IntVector EVEN = IntVector.broadcast(INTS, 0).addIndex(2);

    private static final IntVector ODD = EVEN.add(1);
    private static final int UPPER = 0xffff0000;

    @Override
    public Format format() {
        return Format.BF16;
    }

    private static int get(long at) {
        return ALL.get(ValueLayout.JAVA_SHORT_UNALIGNED, at) << 16;
    }

    private static void set(long at, short value) {
        ALL.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, value);
    }

    @Override
    public float at(long weight) {
        return Float.intBitsToFloat(get(address + Short.BYTES * weight));
    }

    @Override
    public void widen(long first, int count, long to) {
        long from = address + Short.BYTES * first;
        int whole = count - count % (2 * LANES);
        widenVectors(from, whole, to);
        for (int i = whole; i < count; i++) {
            Memory.set(to + 4L * i, Float.intBitsToFloat(get(from + 2L * i)));
        }
    }

    private static void widenVectors(long from, int count, long to) {
        for (int i = 0; i < count; i += 2 * LANES) {
            IntVector both = IntVector.fromMemorySegment(INTS, ALL, from + 2L * i, ORDER);
            IntVector even = both.lanewise(VectorOperators.LSHL, 16);
            IntVector odd = both.lanewise(VectorOperators.AND, UPPER);
            LOW.selectFrom(even, odd).intoMemorySegment(ALL, to + 4L * i, ORDER);
            HIGH.selectFrom(even, odd).intoMemorySegment(ALL, to + 4L * i + 4L * LANES, ORDER);
        }
    }

    /** Numbers by which {@link #dots} takes vectors: two of floats. */
    static final int STEP = 2 * LANES;

    /** to = x [count], of each {@link #STEP} first those that have even places. */
    static void separate(long x, int count, long to) {
        for (int i = 0; i < count; i += STEP) {
            IntVector left = IntVector.fromMemorySegment(INTS, ALL, x + 4L * i, ORDER);
            IntVector right = IntVector.fromMemorySegment(INTS, ALL, x + 4L * i + 4L * LANES, ORDER);
            EVEN.selectFrom(left, right).intoMemorySegment(ALL, to + 4L * i, ORDER);
            ODD.selectFrom(left, right).intoMemorySegment(ALL, to + 4L * i + 4L * LANES, ORDER);
        }
    }

    /** Lanes of the dot products of floats that were {@link #separate separated} and four rows of these numbers. */
    static void dots(long x, long b0, long b1, long b2, long b3, int width, float[] sums, int at) {
        FloatVector s0 = FloatVector.zero(Memory.SPECIES);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        for (int k = 0; k < width; k += STEP) {
            FloatVector even = FloatVector.fromMemorySegment(Memory.SPECIES, ALL, x + 4L * k, ORDER);
            FloatVector odd = FloatVector.fromMemorySegment(Memory.SPECIES, ALL, x + 4L * k + 4L * LANES, ORDER);
            IntVector w0 = IntVector.fromMemorySegment(INTS, ALL, b0 + 2L * k, ORDER);
            IntVector w1 = IntVector.fromMemorySegment(INTS, ALL, b1 + 2L * k, ORDER);
            IntVector w2 = IntVector.fromMemorySegment(INTS, ALL, b2 + 2L * k, ORDER);
            IntVector w3 = IntVector.fromMemorySegment(INTS, ALL, b3 + 2L * k, ORDER);
            s0 = even.fma(w0.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), s0);
            s1 = even.fma(w1.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), s1);
            s2 = even.fma(w2.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), s2);
            s3 = even.fma(w3.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), s3);
            s0 = odd.fma(w0.lanewise(VectorOperators.AND, UPPER).reinterpretAsFloats(), s0);
            s1 = odd.fma(w1.lanewise(VectorOperators.AND, UPPER).reinterpretAsFloats(), s1);
            s2 = odd.fma(w2.lanewise(VectorOperators.AND, UPPER).reinterpretAsFloats(), s2);
            s3 = odd.fma(w3.lanewise(VectorOperators.AND, UPPER).reinterpretAsFloats(), s3);
        }
        s0.intoArray(sums, at);
        s1.intoArray(sums, at + LANES);
        s2.intoArray(sums, at + 2 * LANES);
        s3.intoArray(sums, at + 3 * LANES);
    }

    @Override
    public void round(long first, int count, long from, long key, long element) {
        if (readOnly) {
            throw new IllegalStateException("weights that lie in a file cannot be changed");
        }
        long to = address + Short.BYTES * first;
        if (key == StochasticRounding.NEAREST) {
            for (int i = 0; i < count; i++) {
                set(to + 2L * i, Conversion.toBFloat16(Float.floatToRawIntBits(Memory.get(from + 4L * i))));
            }
            return;
        }
        int whole = element >>> 32 == (element + count) >>> 32 ? count - count % (2 * LANES) : 0;
        // Numbers beyond 2^32 enter the key.
        int ofUpper = (int) key + 0x85EBCA6B * (int) (element >>> 32);
        roundVectors(to, whole, from, ofUpper, (int) element);
        for (int i = whole; i < count; i++) {
            int bits = Float.floatToRawIntBits(Memory.get(from + 4L * i));
            set(to + 2L * i, StochasticRounding.round(bits, StochasticRounding.bits((int) key, element + i)));
        }
    }

    private static void roundVectors(long to, int count, long from, int key, int element) {
        IntVector numbers = IntVector.broadcast(INTS, element).addIndex(1);
        for (int i = 0; i < count; i += 2 * LANES) {
            IntVector left = rounded(from + 4L * i, numbers.add(i), key);
            IntVector right = rounded(from + 4L * i + 4L * LANES, numbers.add(i + LANES), key);
            EVEN.selectFrom(left, right)
                    .lanewise(VectorOperators.LSHR, 16)
                    .or(ODD.selectFrom(left, right).lanewise(VectorOperators.AND, UPPER))
                    .intoMemorySegment(ALL, to + 2L * i, ORDER);
        }
    }

    /** Floats' bits plus random ones below the half that is kept. */
    private static IntVector rounded(long from, IntVector numbers, int key) {
        IntVector h = numbers.lanewise(VectorOperators.XOR, key);
        h = h.lanewise(VectorOperators.XOR, h.lanewise(VectorOperators.LSHR, 16))
                .mul(0x7feb352d);
        h = h.lanewise(VectorOperators.XOR, h.lanewise(VectorOperators.LSHR, 15))
                .mul(0x846ca68b);
        h = h.lanewise(VectorOperators.XOR, h.lanewise(VectorOperators.LSHR, 16));
        return IntVector.fromMemorySegment(INTS, ALL, from, ORDER).add(h.lanewise(VectorOperators.AND, 0xffff));
    }
}
