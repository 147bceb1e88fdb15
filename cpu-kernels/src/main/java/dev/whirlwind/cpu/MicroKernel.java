package dev.whirlwind.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The innermost loop of {@link Gemm}: outer products of a few rows and a few vectors, summed in registers (Goto and van de
 * Geijn, Anatomy of High-Performance Matrix Multiplication, 2008). A is read where it lies, by rows or by columns: its
 * few elements at a time stay in the first-level cache without being packed.
 *
 * <p>What the compiler makes of it depends on its form. Every sum is a local variable, every call is one that the
 * compiler must inline, addresses are linear in an int counter so that bounds checks leave the loop, and the body is
 * small enough for the first compiler, which gives up on much larger ones (some fifty vector operations) and can so leave
 * a method without code for good. Measured on AVX-512 (Zen 5): 97 % of the peak of pure multiply-adds with 8 rows of 3
 * vectors, 86 % with 8 or 12 rows of 2.
 */
final class MicroKernel {
    /** Whether there are 32 vector registers, not 16. */
    static final boolean MANY_REGISTERS =
            Memory.LANES == 16 || System.getProperty("os.arch").equals("aarch64");

    /** Rows of a tile: with 32 registers 24 sums and 4 operands, with 16 registers 12 sums and 3 operands. */
    static final int ROWS = MANY_REGISTERS ? 8 : 6;

    /** Columns of a panel of B, but for the last, which may be narrower. */
    static final int COLUMNS = (MANY_REGISTERS ? 3 : 2) * Memory.LANES;

    private static final VectorSpecies<Float> SPECIES = Memory.SPECIES;
    private static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final long VECTOR = 4L * Memory.LANES;

    private MicroKernel() {}

    /** Columns of the panel, and of the tile, for so many columns of a result: whole vectors, {@link #COLUMNS} at most. */
    static int width(int columns) {
        return columns >= COLUMNS || !MANY_REGISTERS ? COLUMNS : Math.ceilDiv(columns, Memory.LANES) * Memory.LANES;
    }

    /**
     * tile[i][j] = sum over k of a[i][k] * b[k][j], for i below rows and j below width; rows of the tile beyond repeat the
     * last.
     *
     * @param a address of a[0][0]; the next row is rowStep bytes further on, the next k kStep bytes
     * @param rows 1 to {@link #ROWS}
     * @param b a packed panel, [depth, width]
     * @param width of {@link #width}
     * @param tile [ROWS, width]
     */
    static void multiply(long a, long rowStep, long kStep, int rows, long b, int width, long tile, int depth) {
        if (!MANY_REGISTERS) {
            rows6by2(a, rowStep, kStep, rows, b, tile, depth);
        } else if (width == COLUMNS) {
            rows8by3(a, rowStep, kStep, rows, b, tile, depth);
        } else if (width == Memory.LANES) {
            rows8by1(a, rowStep, kStep, rows, b, tile, depth);
        } else {
            rows8by2(a, rowStep, kStep, rows, b, tile, depth);
        }
    }

    private static void rows8by3(long a, long rowStep, long kStep, int rows, long b, long tile, int depth) {
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
        FloatVector e0 = zero;
        FloatVector c1 = zero;
        FloatVector d1 = zero;
        FloatVector e1 = zero;
        FloatVector c2 = zero;
        FloatVector d2 = zero;
        FloatVector e2 = zero;
        FloatVector c3 = zero;
        FloatVector d3 = zero;
        FloatVector e3 = zero;
        FloatVector c4 = zero;
        FloatVector d4 = zero;
        FloatVector e4 = zero;
        FloatVector c5 = zero;
        FloatVector d5 = zero;
        FloatVector e5 = zero;
        FloatVector c6 = zero;
        FloatVector d6 = zero;
        FloatVector e6 = zero;
        FloatVector c7 = zero;
        FloatVector d7 = zero;
        FloatVector e7 = zero;
        for (int k = 0; k < depth; k++) {
            FloatVector left = FloatVector.fromMemorySegment(SPECIES, ALL, b + k * (3 * VECTOR), ORDER);
            FloatVector middle = FloatVector.fromMemorySegment(SPECIES, ALL, b + k * (3 * VECTOR) + VECTOR, ORDER);
            FloatVector right = FloatVector.fromMemorySegment(SPECIES, ALL, b + k * (3 * VECTOR) + 2 * VECTOR, ORDER);
            FloatVector a0 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p0 + k * kStep));
            c0 = a0.fma(left, c0);
            d0 = a0.fma(middle, d0);
            e0 = a0.fma(right, e0);
            FloatVector a1 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p1 + k * kStep));
            c1 = a1.fma(left, c1);
            d1 = a1.fma(middle, d1);
            e1 = a1.fma(right, e1);
            FloatVector a2 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p2 + k * kStep));
            c2 = a2.fma(left, c2);
            d2 = a2.fma(middle, d2);
            e2 = a2.fma(right, e2);
            FloatVector a3 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p3 + k * kStep));
            c3 = a3.fma(left, c3);
            d3 = a3.fma(middle, d3);
            e3 = a3.fma(right, e3);
            FloatVector a4 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p4 + k * kStep));
            c4 = a4.fma(left, c4);
            d4 = a4.fma(middle, d4);
            e4 = a4.fma(right, e4);
            FloatVector a5 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p5 + k * kStep));
            c5 = a5.fma(left, c5);
            d5 = a5.fma(middle, d5);
            e5 = a5.fma(right, e5);
            FloatVector a6 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p6 + k * kStep));
            c6 = a6.fma(left, c6);
            d6 = a6.fma(middle, d6);
            e6 = a6.fma(right, e6);
            FloatVector a7 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p7 + k * kStep));
            c7 = a7.fma(left, c7);
            d7 = a7.fma(middle, d7);
            e7 = a7.fma(right, e7);
        }
        c0.intoMemorySegment(ALL, tile + 0 * VECTOR, ORDER);
        d0.intoMemorySegment(ALL, tile + 1 * VECTOR, ORDER);
        e0.intoMemorySegment(ALL, tile + 2 * VECTOR, ORDER);
        c1.intoMemorySegment(ALL, tile + 3 * VECTOR, ORDER);
        d1.intoMemorySegment(ALL, tile + 4 * VECTOR, ORDER);
        e1.intoMemorySegment(ALL, tile + 5 * VECTOR, ORDER);
        c2.intoMemorySegment(ALL, tile + 6 * VECTOR, ORDER);
        d2.intoMemorySegment(ALL, tile + 7 * VECTOR, ORDER);
        e2.intoMemorySegment(ALL, tile + 8 * VECTOR, ORDER);
        c3.intoMemorySegment(ALL, tile + 9 * VECTOR, ORDER);
        d3.intoMemorySegment(ALL, tile + 10 * VECTOR, ORDER);
        e3.intoMemorySegment(ALL, tile + 11 * VECTOR, ORDER);
        c4.intoMemorySegment(ALL, tile + 12 * VECTOR, ORDER);
        d4.intoMemorySegment(ALL, tile + 13 * VECTOR, ORDER);
        e4.intoMemorySegment(ALL, tile + 14 * VECTOR, ORDER);
        c5.intoMemorySegment(ALL, tile + 15 * VECTOR, ORDER);
        d5.intoMemorySegment(ALL, tile + 16 * VECTOR, ORDER);
        e5.intoMemorySegment(ALL, tile + 17 * VECTOR, ORDER);
        c6.intoMemorySegment(ALL, tile + 18 * VECTOR, ORDER);
        d6.intoMemorySegment(ALL, tile + 19 * VECTOR, ORDER);
        e6.intoMemorySegment(ALL, tile + 20 * VECTOR, ORDER);
        c7.intoMemorySegment(ALL, tile + 21 * VECTOR, ORDER);
        d7.intoMemorySegment(ALL, tile + 22 * VECTOR, ORDER);
        e7.intoMemorySegment(ALL, tile + 23 * VECTOR, ORDER);
    }

    private static void rows8by2(long a, long rowStep, long kStep, int rows, long b, long tile, int depth) {
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
            FloatVector left = FloatVector.fromMemorySegment(SPECIES, ALL, b + k * (2 * VECTOR), ORDER);
            FloatVector right = FloatVector.fromMemorySegment(SPECIES, ALL, b + k * (2 * VECTOR) + VECTOR, ORDER);
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

    private static void rows8by1(long a, long rowStep, long kStep, int rows, long b, long tile, int depth) {
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
        FloatVector c1 = zero;
        FloatVector c2 = zero;
        FloatVector c3 = zero;
        FloatVector c4 = zero;
        FloatVector c5 = zero;
        FloatVector c6 = zero;
        FloatVector c7 = zero;
        for (int k = 0; k < depth; k++) {
            FloatVector column = FloatVector.fromMemorySegment(SPECIES, ALL, b + k * VECTOR, ORDER);
            FloatVector a0 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p0 + k * kStep));
            c0 = a0.fma(column, c0);
            FloatVector a1 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p1 + k * kStep));
            c1 = a1.fma(column, c1);
            FloatVector a2 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p2 + k * kStep));
            c2 = a2.fma(column, c2);
            FloatVector a3 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p3 + k * kStep));
            c3 = a3.fma(column, c3);
            FloatVector a4 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p4 + k * kStep));
            c4 = a4.fma(column, c4);
            FloatVector a5 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p5 + k * kStep));
            c5 = a5.fma(column, c5);
            FloatVector a6 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p6 + k * kStep));
            c6 = a6.fma(column, c6);
            FloatVector a7 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p7 + k * kStep));
            c7 = a7.fma(column, c7);
        }
        c0.intoMemorySegment(ALL, tile + 0 * VECTOR, ORDER);
        c1.intoMemorySegment(ALL, tile + 1 * VECTOR, ORDER);
        c2.intoMemorySegment(ALL, tile + 2 * VECTOR, ORDER);
        c3.intoMemorySegment(ALL, tile + 3 * VECTOR, ORDER);
        c4.intoMemorySegment(ALL, tile + 4 * VECTOR, ORDER);
        c5.intoMemorySegment(ALL, tile + 5 * VECTOR, ORDER);
        c6.intoMemorySegment(ALL, tile + 6 * VECTOR, ORDER);
        c7.intoMemorySegment(ALL, tile + 7 * VECTOR, ORDER);
    }

    private static void rows6by2(long a, long rowStep, long kStep, int rows, long b, long tile, int depth) {
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
            FloatVector left = FloatVector.fromMemorySegment(SPECIES, ALL, b + k * (2 * VECTOR), ORDER);
            FloatVector right = FloatVector.fromMemorySegment(SPECIES, ALL, b + k * (2 * VECTOR) + VECTOR, ORDER);
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
