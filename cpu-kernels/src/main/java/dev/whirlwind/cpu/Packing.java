package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/**
 * Copies parts of a matrix into arrays as {@link MicroKernel} takes them: panels hold for each k in turn {@link
 * MicroKernel#COLUMNS} elements side by side, and are filled up with zeros.
 */
final class Packing {
    private static final VectorSpecies<Integer> INTS =
            Memory.SPECIES.withLanes(int.class).check(int.class);
    private static final int COLUMNS = MicroKernel.COLUMNS;
    private static final long VECTOR = 4L * LANES;

    /** The first halves of two vectors interleaved; the second halves. */
    private static final IntVector LOW = interleaving(0);

    private static final IntVector HIGH = interleaving(LANES / 2);

    private Packing() {}

    /**
     * panel[p][k][j] = source[k][p * COLUMNS + j], for all columns and some rows; rows of the source are step bytes apart. The
     * source is read by whole rows, as memory likes it.
     *
     * @param depth rows that a panel has
     */
    static void copy(long source, long step, int rows, int columns, float[] panels, int at, int depth) {
        int panelStep = depth * COLUMNS;
        int whole = columns / COLUMNS;
        for (int k = 0; k < rows; k++) {
            long from = source + k * step;
            int to = at + k * COLUMNS;
            for (int p = 0; p < whole; p++) {
                FloatVector left = fromMemorySegment(SPECIES, ALL, from + p * 4L * COLUMNS, ORDER);
                FloatVector right = fromMemorySegment(SPECIES, ALL, from + p * 4L * COLUMNS + VECTOR, ORDER);
                left.intoArray(panels, to + p * panelStep);
                right.intoArray(panels, to + p * panelStep + LANES);
            }
        }
        if (whole * COLUMNS < columns) {
            copyPart(source + whole * 4L * COLUMNS, step, rows, columns % COLUMNS, panels, at + whole * panelStep);
        }
    }

    private static void copyPart(long source, long step, int rows, int columns, float[] panel, int at) {
        VectorMask<Float> first = Memory.firstLanes(columns);
        VectorMask<Float> second = Memory.firstLanes(columns - LANES);
        for (int k = 0; k < rows; k++) {
            long from = source + k * step;
            int to = at + k * COLUMNS;
            fromMemorySegment(SPECIES, ALL, from, ORDER, first).intoArray(panel, to);
            fromMemorySegment(SPECIES, ALL, from + VECTOR, ORDER, second).intoArray(panel, to + LANES);
        }
    }

    /**
     * to[at + k * toStep + j] = source[j][k] for j below columns, 0 from there up to width, a multiple of the lanes; rows of
     * the source are step bytes apart.
     */
    static void transpose(long source, long step, int depth, int columns, int width, float[] to, int at, int toStep) {
        for (int j = 0; j < width; j += LANES) {
            int rows = Math.clamp(columns - j, 0, LANES);
            int whole = 0;
            if (LANES == 16 && rows == LANES) {
                whole = depth - depth % LANES;
                transpose16(source + j * step, step, whole, to, at + j, toStep);
            }
            transposeByElement(source + j * step, step, whole, depth, rows, to, at + j, toStep);
        }
    }

    private static void transposeByElement(
            long source, long step, int from, int end, int rows, float[] to, int at, int toStep) {
        for (int k = from; k < end; k++) {
            for (int i = 0; i < LANES; i++) {
                to[at + k * toStep + i] = i < rows ? Memory.get(source + i * step + 4L * k) : 0;
            }
        }
    }

    /** Blocks of 16 x 16: interleaving the rows of the upper half with those of the lower, four times, transposes. */
    private static void transpose16(long source, long step, int depth, float[] to, int at, int toStep) {
        for (int k = 0; k < depth; k += 16) {
            IntVector r0 = IntVector.fromMemorySegment(INTS, ALL, source + 0 * step + k * 4L, ORDER);
            IntVector r1 = IntVector.fromMemorySegment(INTS, ALL, source + 1 * step + k * 4L, ORDER);
            IntVector r2 = IntVector.fromMemorySegment(INTS, ALL, source + 2 * step + k * 4L, ORDER);
            IntVector r3 = IntVector.fromMemorySegment(INTS, ALL, source + 3 * step + k * 4L, ORDER);
            IntVector r4 = IntVector.fromMemorySegment(INTS, ALL, source + 4 * step + k * 4L, ORDER);
            IntVector r5 = IntVector.fromMemorySegment(INTS, ALL, source + 5 * step + k * 4L, ORDER);
            IntVector r6 = IntVector.fromMemorySegment(INTS, ALL, source + 6 * step + k * 4L, ORDER);
            IntVector r7 = IntVector.fromMemorySegment(INTS, ALL, source + 7 * step + k * 4L, ORDER);
            IntVector r8 = IntVector.fromMemorySegment(INTS, ALL, source + 8 * step + k * 4L, ORDER);
            IntVector r9 = IntVector.fromMemorySegment(INTS, ALL, source + 9 * step + k * 4L, ORDER);
            IntVector r10 = IntVector.fromMemorySegment(INTS, ALL, source + 10 * step + k * 4L, ORDER);
            IntVector r11 = IntVector.fromMemorySegment(INTS, ALL, source + 11 * step + k * 4L, ORDER);
            IntVector r12 = IntVector.fromMemorySegment(INTS, ALL, source + 12 * step + k * 4L, ORDER);
            IntVector r13 = IntVector.fromMemorySegment(INTS, ALL, source + 13 * step + k * 4L, ORDER);
            IntVector r14 = IntVector.fromMemorySegment(INTS, ALL, source + 14 * step + k * 4L, ORDER);
            IntVector r15 = IntVector.fromMemorySegment(INTS, ALL, source + 15 * step + k * 4L, ORDER);
            IntVector s0 = LOW.selectFrom(r0, r8);
            IntVector s1 = HIGH.selectFrom(r0, r8);
            IntVector s2 = LOW.selectFrom(r1, r9);
            IntVector s3 = HIGH.selectFrom(r1, r9);
            IntVector s4 = LOW.selectFrom(r2, r10);
            IntVector s5 = HIGH.selectFrom(r2, r10);
            IntVector s6 = LOW.selectFrom(r3, r11);
            IntVector s7 = HIGH.selectFrom(r3, r11);
            IntVector s8 = LOW.selectFrom(r4, r12);
            IntVector s9 = HIGH.selectFrom(r4, r12);
            IntVector s10 = LOW.selectFrom(r5, r13);
            IntVector s11 = HIGH.selectFrom(r5, r13);
            IntVector s12 = LOW.selectFrom(r6, r14);
            IntVector s13 = HIGH.selectFrom(r6, r14);
            IntVector s14 = LOW.selectFrom(r7, r15);
            IntVector s15 = HIGH.selectFrom(r7, r15);
            IntVector t0 = LOW.selectFrom(s0, s8);
            IntVector t1 = HIGH.selectFrom(s0, s8);
            IntVector t2 = LOW.selectFrom(s1, s9);
            IntVector t3 = HIGH.selectFrom(s1, s9);
            IntVector t4 = LOW.selectFrom(s2, s10);
            IntVector t5 = HIGH.selectFrom(s2, s10);
            IntVector t6 = LOW.selectFrom(s3, s11);
            IntVector t7 = HIGH.selectFrom(s3, s11);
            IntVector t8 = LOW.selectFrom(s4, s12);
            IntVector t9 = HIGH.selectFrom(s4, s12);
            IntVector t10 = LOW.selectFrom(s5, s13);
            IntVector t11 = HIGH.selectFrom(s5, s13);
            IntVector t12 = LOW.selectFrom(s6, s14);
            IntVector t13 = HIGH.selectFrom(s6, s14);
            IntVector t14 = LOW.selectFrom(s7, s15);
            IntVector t15 = HIGH.selectFrom(s7, s15);
            IntVector u0 = LOW.selectFrom(t0, t8);
            IntVector u1 = HIGH.selectFrom(t0, t8);
            IntVector u2 = LOW.selectFrom(t1, t9);
            IntVector u3 = HIGH.selectFrom(t1, t9);
            IntVector u4 = LOW.selectFrom(t2, t10);
            IntVector u5 = HIGH.selectFrom(t2, t10);
            IntVector u6 = LOW.selectFrom(t3, t11);
            IntVector u7 = HIGH.selectFrom(t3, t11);
            IntVector u8 = LOW.selectFrom(t4, t12);
            IntVector u9 = HIGH.selectFrom(t4, t12);
            IntVector u10 = LOW.selectFrom(t5, t13);
            IntVector u11 = HIGH.selectFrom(t5, t13);
            IntVector u12 = LOW.selectFrom(t6, t14);
            IntVector u13 = HIGH.selectFrom(t6, t14);
            IntVector u14 = LOW.selectFrom(t7, t15);
            IntVector u15 = HIGH.selectFrom(t7, t15);
            IntVector v0 = LOW.selectFrom(u0, u8);
            IntVector v1 = HIGH.selectFrom(u0, u8);
            IntVector v2 = LOW.selectFrom(u1, u9);
            IntVector v3 = HIGH.selectFrom(u1, u9);
            IntVector v4 = LOW.selectFrom(u2, u10);
            IntVector v5 = HIGH.selectFrom(u2, u10);
            IntVector v6 = LOW.selectFrom(u3, u11);
            IntVector v7 = HIGH.selectFrom(u3, u11);
            IntVector v8 = LOW.selectFrom(u4, u12);
            IntVector v9 = HIGH.selectFrom(u4, u12);
            IntVector v10 = LOW.selectFrom(u5, u13);
            IntVector v11 = HIGH.selectFrom(u5, u13);
            IntVector v12 = LOW.selectFrom(u6, u14);
            IntVector v13 = HIGH.selectFrom(u6, u14);
            IntVector v14 = LOW.selectFrom(u7, u15);
            IntVector v15 = HIGH.selectFrom(u7, u15);
            v0.reinterpretAsFloats().intoArray(to, at + (k + 0) * toStep);
            v1.reinterpretAsFloats().intoArray(to, at + (k + 1) * toStep);
            v2.reinterpretAsFloats().intoArray(to, at + (k + 2) * toStep);
            v3.reinterpretAsFloats().intoArray(to, at + (k + 3) * toStep);
            v4.reinterpretAsFloats().intoArray(to, at + (k + 4) * toStep);
            v5.reinterpretAsFloats().intoArray(to, at + (k + 5) * toStep);
            v6.reinterpretAsFloats().intoArray(to, at + (k + 6) * toStep);
            v7.reinterpretAsFloats().intoArray(to, at + (k + 7) * toStep);
            v8.reinterpretAsFloats().intoArray(to, at + (k + 8) * toStep);
            v9.reinterpretAsFloats().intoArray(to, at + (k + 9) * toStep);
            v10.reinterpretAsFloats().intoArray(to, at + (k + 10) * toStep);
            v11.reinterpretAsFloats().intoArray(to, at + (k + 11) * toStep);
            v12.reinterpretAsFloats().intoArray(to, at + (k + 12) * toStep);
            v13.reinterpretAsFloats().intoArray(to, at + (k + 13) * toStep);
            v14.reinterpretAsFloats().intoArray(to, at + (k + 14) * toStep);
            v15.reinterpretAsFloats().intoArray(to, at + (k + 15) * toStep);
        }
    }

    /** Indices by which two vectors become the first or, from half of the lanes on, second half of both interleaved. */
    static IntVector interleaving(int start) {
        int[] index = new int[LANES];
        for (int i = 0; i < LANES; i++) {
            index[i] = start + i / 2 + i % 2 * LANES;
        }
        return IntVector.fromArray(INTS, index, 0);
    }
}
