package dev.whirlwind.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The innermost loop of {@link Gemm}: outer products of a few rows and two vectors, summed in registers (Goto and van de
 * Geijn, Anatomy of High-Performance Matrix Multiplication, 2008). A is read where it lies, by rows or by columns: its
 * few elements at a time stay in the first-level cache without being packed.
 *
 * <p>What the compiler makes of it depends on its form. Every sum is a local variable, every call is one that the
 * compiler must inline, addresses are linear in an int counter so that bounds checks leave the loop, and the body is
 * small enough for the first compiler, which gives up on much larger ones and can so leave a method without code for
 * good. Measured on AVX-512 (Zen 5): 86 % of the peak of pure multiply-adds. Tiles of 8 by 3 vectors reach 97 %, but hold more
 * vector operations than the second compiler takes for sure ({@link Memory}): in one run out of ten it boxed some of
 * them, and the kernel was ten times slower.
 */
final class MicroKernel {
    /** Columns of a panel of B. */
    static final int COLUMNS = 2 * Memory.LANES;

    /** Rows of a tile: 8 keep 16 sums and 3 operands in registers, 6 do so on machines that have but 16. */
    static final int ROWS = Memory.LANES == 16 || System.getProperty("os.arch").equals("aarch64") ? 8 : 6;

    private static final VectorSpecies<Float> SPECIES = Memory.SPECIES;
    private static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final long VECTOR = 4L * Memory.LANES;
    private static final long B_STEP = 4L * COLUMNS;

    private MicroKernel() {}

    /**
     * tile[i][j] = sum over k of a[i][k] * b[k][j], for i below rows and j below {@link #COLUMNS}; rows of the tile beyond
     * repeat the last.
     *
     * @param a address of a[0][0]; the next row is rowStep bytes further on, the next k kStep bytes
     * @param rows 1 to {@link #ROWS}
     * @param b a packed panel, [depth, COLUMNS]
     * @param tile [ROWS, COLUMNS]
     */
    static void multiply(long a, long rowStep, long kStep, int rows, long b, long tile, int depth) {
        if (ROWS == 8) {
            rows8(a, rowStep, kStep, rows, b, tile, depth);
        } else {
            rows6(a, rowStep, kStep, rows, b, tile, depth);
        }
    }

    private static void rows8(long a, long rowStep, long kStep, int rows, long b, long tile, int depth) {
        long p0 = a;
        long p1 = a + Math.min(1, rows - 1) * rowStep;
        long p2 = a + Math.min(2, rows - 1) * rowStep;
        long p3 = a + Math.min(3, rows - 1) * rowStep;
        long p4 = a + Math.min(4, rows - 1) * rowStep;
        long p5 = a + Math.min(5, rows - 1) * rowStep;
        long p6 = a + Math.min(6, rows - 1) * rowStep;
        long p7 = a + Math.min(7, rows - 1) * rowStep;
        FloatVector zero = FloatVector.zero(SPECIES);
        FloatVector c0 = zero;
        FloatVector d0 = zero;
        FloatVector c1 = zero;
        FloatVector d1 = zero;
        FloatVector c2 = zero;
        FloatVector d2 = zero;
        FloatVector c3 = zero;
        FloatVector d3 = zero;
        FloatVector c4 = zero;
        FloatVector d4 = zero;
        FloatVector c5 = zero;
        FloatVector d5 = zero;
        FloatVector c6 = zero;
        FloatVector d6 = zero;
        FloatVector c7 = zero;
        FloatVector d7 = zero;
        for (int k = 0; k < depth; k++) {
            FloatVector left = FloatVector.fromMemorySegment(SPECIES, ALL, b + k * B_STEP, ORDER);
            FloatVector right = FloatVector.fromMemorySegment(SPECIES, ALL, b + k * B_STEP + VECTOR, ORDER);
            FloatVector a0 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p0 + k * kStep));
            c0 = a0.fma(left, c0);
            d0 = a0.fma(right, d0);
            FloatVector a1 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p1 + k * kStep));
            c1 = a1.fma(left, c1);
            d1 = a1.fma(right, d1);
            FloatVector a2 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p2 + k * kStep));
            c2 = a2.fma(left, c2);
            d2 = a2.fma(right, d2);
            FloatVector a3 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p3 + k * kStep));
            c3 = a3.fma(left, c3);
            d3 = a3.fma(right, d3);
            FloatVector a4 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p4 + k * kStep));
            c4 = a4.fma(left, c4);
            d4 = a4.fma(right, d4);
            FloatVector a5 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p5 + k * kStep));
            c5 = a5.fma(left, c5);
            d5 = a5.fma(right, d5);
            FloatVector a6 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p6 + k * kStep));
            c6 = a6.fma(left, c6);
            d6 = a6.fma(right, d6);
            FloatVector a7 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p7 + k * kStep));
            c7 = a7.fma(left, c7);
            d7 = a7.fma(right, d7);
        }
        c0.intoMemorySegment(ALL, tile + 0 * VECTOR, ORDER);
        d0.intoMemorySegment(ALL, tile + 1 * VECTOR, ORDER);
        c1.intoMemorySegment(ALL, tile + 2 * VECTOR, ORDER);
        d1.intoMemorySegment(ALL, tile + 3 * VECTOR, ORDER);
        c2.intoMemorySegment(ALL, tile + 4 * VECTOR, ORDER);
        d2.intoMemorySegment(ALL, tile + 5 * VECTOR, ORDER);
        c3.intoMemorySegment(ALL, tile + 6 * VECTOR, ORDER);
        d3.intoMemorySegment(ALL, tile + 7 * VECTOR, ORDER);
        c4.intoMemorySegment(ALL, tile + 8 * VECTOR, ORDER);
        d4.intoMemorySegment(ALL, tile + 9 * VECTOR, ORDER);
        c5.intoMemorySegment(ALL, tile + 10 * VECTOR, ORDER);
        d5.intoMemorySegment(ALL, tile + 11 * VECTOR, ORDER);
        c6.intoMemorySegment(ALL, tile + 12 * VECTOR, ORDER);
        d6.intoMemorySegment(ALL, tile + 13 * VECTOR, ORDER);
        c7.intoMemorySegment(ALL, tile + 14 * VECTOR, ORDER);
        d7.intoMemorySegment(ALL, tile + 15 * VECTOR, ORDER);
    }

    private static void rows6(long a, long rowStep, long kStep, int rows, long b, long tile, int depth) {
        long p0 = a;
        long p1 = a + Math.min(1, rows - 1) * rowStep;
        long p2 = a + Math.min(2, rows - 1) * rowStep;
        long p3 = a + Math.min(3, rows - 1) * rowStep;
        long p4 = a + Math.min(4, rows - 1) * rowStep;
        long p5 = a + Math.min(5, rows - 1) * rowStep;
        FloatVector zero = FloatVector.zero(SPECIES);
        FloatVector c0 = zero;
        FloatVector d0 = zero;
        FloatVector c1 = zero;
        FloatVector d1 = zero;
        FloatVector c2 = zero;
        FloatVector d2 = zero;
        FloatVector c3 = zero;
        FloatVector d3 = zero;
        FloatVector c4 = zero;
        FloatVector d4 = zero;
        FloatVector c5 = zero;
        FloatVector d5 = zero;
        for (int k = 0; k < depth; k++) {
            FloatVector left = FloatVector.fromMemorySegment(SPECIES, ALL, b + k * B_STEP, ORDER);
            FloatVector right = FloatVector.fromMemorySegment(SPECIES, ALL, b + k * B_STEP + VECTOR, ORDER);
            FloatVector a0 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p0 + k * kStep));
            c0 = a0.fma(left, c0);
            d0 = a0.fma(right, d0);
            FloatVector a1 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p1 + k * kStep));
            c1 = a1.fma(left, c1);
            d1 = a1.fma(right, d1);
            FloatVector a2 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p2 + k * kStep));
            c2 = a2.fma(left, c2);
            d2 = a2.fma(right, d2);
            FloatVector a3 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p3 + k * kStep));
            c3 = a3.fma(left, c3);
            d3 = a3.fma(right, d3);
            FloatVector a4 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p4 + k * kStep));
            c4 = a4.fma(left, c4);
            d4 = a4.fma(right, d4);
            FloatVector a5 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p5 + k * kStep));
            c5 = a5.fma(left, c5);
            d5 = a5.fma(right, d5);
        }
        c0.intoMemorySegment(ALL, tile + 0 * VECTOR, ORDER);
        d0.intoMemorySegment(ALL, tile + 1 * VECTOR, ORDER);
        c1.intoMemorySegment(ALL, tile + 2 * VECTOR, ORDER);
        d1.intoMemorySegment(ALL, tile + 3 * VECTOR, ORDER);
        c2.intoMemorySegment(ALL, tile + 4 * VECTOR, ORDER);
        d2.intoMemorySegment(ALL, tile + 5 * VECTOR, ORDER);
        c3.intoMemorySegment(ALL, tile + 6 * VECTOR, ORDER);
        d3.intoMemorySegment(ALL, tile + 7 * VECTOR, ORDER);
        c4.intoMemorySegment(ALL, tile + 8 * VECTOR, ORDER);
        d4.intoMemorySegment(ALL, tile + 9 * VECTOR, ORDER);
        c5.intoMemorySegment(ALL, tile + 10 * VECTOR, ORDER);
        d5.intoMemorySegment(ALL, tile + 11 * VECTOR, ORDER);
    }
}
