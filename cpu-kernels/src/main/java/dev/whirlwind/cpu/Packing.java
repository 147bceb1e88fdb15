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
 * Copies parts of a matrix into panels for {@link MicroKernel}: for each k in turn, {@link MicroKernel#COLUMNS} elements
 * side by side. Panels are filled up with zeros.
 */
final class Packing {
    private static final VectorSpecies<Integer> INTS =
            Memory.SPECIES.withLanes(int.class).check(int.class);
    private static final long VECTOR = 4L * LANES;

    /** The first halves of two vectors interleaved; the second halves. */
    private static final IntVector LOW = interleaving(0);

    private static final IntVector HIGH = interleaving(LANES / 2);

    private Packing() {}

    /** Bytes from one panel to the next that {@link #copy} writes: a store may run over its panel's end. */
    static long panelStep(int depth, int width) {
        return 4L * depth * width + VECTOR;
    }

    /**
     * panel[p][k][j] = source[k][p * width + j], for all columns; rows of the source are step bytes apart. The source is
     * read by whole rows, as memory likes it. Stores of one or two whole vectors may write past the width: the next k sets it right.
     */
    static void copy(long source, long step, int depth, int columns, int width, long panels) {
        long panelStep = panelStep(depth, width);
        int reach = Math.ceilDiv(width, LANES) * LANES;
        int whole = columns < reach ? 0 : (columns - reach) / width + 1;
        for (int k = 0; k < depth; k++) {
            long from = source + k * step;
            long to = panels + k * 4L * width;
            if (reach == LANES) {
                for (int p = 0; p < whole; p++) {
                    fromMemorySegment(SPECIES, ALL, from + p * 4L * width, ORDER)
                            .intoMemorySegment(ALL, to + p * panelStep, ORDER);
                }
            } else {
                for (int p = 0; p < whole; p++) {
                    FloatVector left = fromMemorySegment(SPECIES, ALL, from + p * 4L * width, ORDER);
                    FloatVector right = fromMemorySegment(SPECIES, ALL, from + p * 4L * width + VECTOR, ORDER);
                    left.intoMemorySegment(ALL, to + p * panelStep, ORDER);
                    right.intoMemorySegment(ALL, to + p * panelStep + VECTOR, ORDER);
                }
            }
        }
        for (int p = whole; p * width < columns; p++) {
            copyPart(source + p * 4L * width, step, depth, columns - p * width, width, panels + p * panelStep);
        }
    }

    private static void copyPart(long source, long step, int depth, int columns, int width, long panel) {
        VectorMask<Float> first = Memory.firstLanes(columns);
        VectorMask<Float> second = Memory.firstLanes(Math.max(0, columns - LANES));
        for (int k = 0; k < depth; k++) {
            long from = source + k * step;
            long to = panel + k * 4L * width;
            fromMemorySegment(SPECIES, ALL, from, ORDER, first).intoMemorySegment(ALL, to, ORDER);
            if (width > LANES) {
                fromMemorySegment(SPECIES, ALL, from + VECTOR, ORDER, second)
                        .intoMemorySegment(ALL, to + VECTOR, ORDER);
            }
        }
    }

    /**
     * panel[k][j] = source[j][k] for j below columns, 0 up to width, a multiple of the lanes; rows of the source are step
     * bytes apart.
     */
    static void transpose(long source, long step, int depth, int columns, int width, long panel) {
        long panelStep = 4L * width;
        for (int j = 0; j < width; j += LANES) {
            int rows = Math.clamp(columns - j, 0, LANES);
            int whole = 0;
            if (LANES == 16 && rows == LANES) {
                whole = depth - depth % LANES;
                transpose16(source + j * step, step, whole, panel + 4L * j, panelStep);
            }
            transposeByElement(source + j * step, step, whole, depth, rows, panel + 4L * j, panelStep);
        }
    }

    private static void transposeByElement(
            long source, long step, int from, int to, int rows, long panel, long panelStep) {
        for (int k = from; k < to; k++) {
            for (int i = 0; i < LANES; i++) {
                Memory.set(panel + k * panelStep + 4L * i, i < rows ? Memory.get(source + i * step + 4L * k) : 0);
            }
        }
    }

    /** Blocks of 16 x 16: interleaving the rows of the upper half with those of the lower, four times, transposes. */
    private static void transpose16(long source, long step, int depth, long panel, long panelStep) {
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
            v0.intoMemorySegment(ALL, panel + (k + 0) * panelStep, ORDER);
            v1.intoMemorySegment(ALL, panel + (k + 1) * panelStep, ORDER);
            v2.intoMemorySegment(ALL, panel + (k + 2) * panelStep, ORDER);
            v3.intoMemorySegment(ALL, panel + (k + 3) * panelStep, ORDER);
            v4.intoMemorySegment(ALL, panel + (k + 4) * panelStep, ORDER);
            v5.intoMemorySegment(ALL, panel + (k + 5) * panelStep, ORDER);
            v6.intoMemorySegment(ALL, panel + (k + 6) * panelStep, ORDER);
            v7.intoMemorySegment(ALL, panel + (k + 7) * panelStep, ORDER);
            v8.intoMemorySegment(ALL, panel + (k + 8) * panelStep, ORDER);
            v9.intoMemorySegment(ALL, panel + (k + 9) * panelStep, ORDER);
            v10.intoMemorySegment(ALL, panel + (k + 10) * panelStep, ORDER);
            v11.intoMemorySegment(ALL, panel + (k + 11) * panelStep, ORDER);
            v12.intoMemorySegment(ALL, panel + (k + 12) * panelStep, ORDER);
            v13.intoMemorySegment(ALL, panel + (k + 13) * panelStep, ORDER);
            v14.intoMemorySegment(ALL, panel + (k + 14) * panelStep, ORDER);
            v15.intoMemorySegment(ALL, panel + (k + 15) * panelStep, ORDER);
        }
    }

    private static IntVector interleaving(int start) {
        int[] index = new int[LANES];
        for (int i = 0; i < LANES; i++) {
            index[i] = start + i / 2 + i % 2 * LANES;
        }
        return IntVector.fromArray(INTS, index, 0);
    }
}
