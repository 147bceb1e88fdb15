package dev.whirlwind.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The innermost loop of {@link Gemm}: outer products of a few rows and two vectors, summed in registers (Goto and van de
 * Geijn, Anatomy of High-Performance Matrix Multiplication, 2008).
 *
 * <p>What the compiler makes of it depends on its form. Every sum is a local variable and every call one that the
 * compiler must inline. Operands are Java arrays, whose elements cost it far fewer nodes than native
 * memory's, so that the method stays well below the number where it stops inlining ({@link Memory}); and the step from
 * row to row is a constant, so that one register addresses all of A and no bounds check stays in the loop. Measured on
 * AVX-512 (Zen 5): 97 to 100 % of the peak of pure multiply-adds; with addresses computed row by row it was 86 %.
 */
final class MicroKernel {
    /** Columns of a panel of B. */
    static final int COLUMNS = 2 * Memory.LANES;

    /** Rows of a tile: 8 keep 16 sums and 3 operands in registers, 6 do so on machines that have but 16. */
    static final int ROWS = Memory.LANES == 16 || System.getProperty("os.arch").equals("aarch64") ? 8 : 6;

    /** Most k at a time: so many elements of 8 rows and some of B fill a first-level cache. */
    static final int DEPTH = 1024;

    /** Floats from one row of A to the next: not a power of two, or all rows would compete for the same cache lines. */
    static final int ROW_STEP = DEPTH + 16;

    private static final VectorSpecies<Float> SPECIES = Memory.SPECIES;
    private static final int LANES = Memory.LANES;

    private MicroKernel() {}

    /**
     * tile[i][j] = sum over k of a[i][k] * b[k][j].
     *
     * @param a [ROWS, ROW_STEP] from aAt on
     * @param b a packed panel, [depth, COLUMNS] from bAt on
     * @param tile [ROWS, COLUMNS]
     * @param depth at most {@link #ROW_STEP}
     */
    static void multiply(float[] a, int aAt, float[] b, int bAt, float[] tile, int depth) {
        if (ROWS == 8) {
            rows8(a, aAt, b, bAt, tile, depth);
        } else {
            rows6(a, aAt, b, bAt, tile, depth);
        }
    }

    private static void rows8(float[] a, int aAt, float[] b, int bAt, float[] tile, int depth) {
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
            FloatVector left = FloatVector.fromArray(SPECIES, b, bAt + k * COLUMNS);
            FloatVector right = FloatVector.fromArray(SPECIES, b, bAt + k * COLUMNS + LANES);
            FloatVector a0 = FloatVector.broadcast(SPECIES, a[aAt + k]);
            c0 = a0.fma(left, c0);
            d0 = a0.fma(right, d0);
            FloatVector a1 = FloatVector.broadcast(SPECIES, a[aAt + k + ROW_STEP]);
            c1 = a1.fma(left, c1);
            d1 = a1.fma(right, d1);
            FloatVector a2 = FloatVector.broadcast(SPECIES, a[aAt + k + 2 * ROW_STEP]);
            c2 = a2.fma(left, c2);
            d2 = a2.fma(right, d2);
            FloatVector a3 = FloatVector.broadcast(SPECIES, a[aAt + k + 3 * ROW_STEP]);
            c3 = a3.fma(left, c3);
            d3 = a3.fma(right, d3);
            FloatVector a4 = FloatVector.broadcast(SPECIES, a[aAt + k + 4 * ROW_STEP]);
            c4 = a4.fma(left, c4);
            d4 = a4.fma(right, d4);
            FloatVector a5 = FloatVector.broadcast(SPECIES, a[aAt + k + 5 * ROW_STEP]);
            c5 = a5.fma(left, c5);
            d5 = a5.fma(right, d5);
            FloatVector a6 = FloatVector.broadcast(SPECIES, a[aAt + k + 6 * ROW_STEP]);
            c6 = a6.fma(left, c6);
            d6 = a6.fma(right, d6);
            FloatVector a7 = FloatVector.broadcast(SPECIES, a[aAt + k + 7 * ROW_STEP]);
            c7 = a7.fma(left, c7);
            d7 = a7.fma(right, d7);
        }
        c0.intoArray(tile, 0 * LANES);
        d0.intoArray(tile, 1 * LANES);
        c1.intoArray(tile, 2 * LANES);
        d1.intoArray(tile, 3 * LANES);
        c2.intoArray(tile, 4 * LANES);
        d2.intoArray(tile, 5 * LANES);
        c3.intoArray(tile, 6 * LANES);
        d3.intoArray(tile, 7 * LANES);
        c4.intoArray(tile, 8 * LANES);
        d4.intoArray(tile, 9 * LANES);
        c5.intoArray(tile, 10 * LANES);
        d5.intoArray(tile, 11 * LANES);
        c6.intoArray(tile, 12 * LANES);
        d6.intoArray(tile, 13 * LANES);
        c7.intoArray(tile, 14 * LANES);
        d7.intoArray(tile, 15 * LANES);
    }

    private static void rows6(float[] a, int aAt, float[] b, int bAt, float[] tile, int depth) {
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
            FloatVector left = FloatVector.fromArray(SPECIES, b, bAt + k * COLUMNS);
            FloatVector right = FloatVector.fromArray(SPECIES, b, bAt + k * COLUMNS + LANES);
            FloatVector a0 = FloatVector.broadcast(SPECIES, a[aAt + k]);
            c0 = a0.fma(left, c0);
            d0 = a0.fma(right, d0);
            FloatVector a1 = FloatVector.broadcast(SPECIES, a[aAt + k + ROW_STEP]);
            c1 = a1.fma(left, c1);
            d1 = a1.fma(right, d1);
            FloatVector a2 = FloatVector.broadcast(SPECIES, a[aAt + k + 2 * ROW_STEP]);
            c2 = a2.fma(left, c2);
            d2 = a2.fma(right, d2);
            FloatVector a3 = FloatVector.broadcast(SPECIES, a[aAt + k + 3 * ROW_STEP]);
            c3 = a3.fma(left, c3);
            d3 = a3.fma(right, d3);
            FloatVector a4 = FloatVector.broadcast(SPECIES, a[aAt + k + 4 * ROW_STEP]);
            c4 = a4.fma(left, c4);
            d4 = a4.fma(right, d4);
            FloatVector a5 = FloatVector.broadcast(SPECIES, a[aAt + k + 5 * ROW_STEP]);
            c5 = a5.fma(left, c5);
            d5 = a5.fma(right, d5);
        }
        c0.intoArray(tile, 0 * LANES);
        d0.intoArray(tile, 1 * LANES);
        c1.intoArray(tile, 2 * LANES);
        d1.intoArray(tile, 3 * LANES);
        c2.intoArray(tile, 4 * LANES);
        d2.intoArray(tile, 5 * LANES);
        c3.intoArray(tile, 6 * LANES);
        d3.intoArray(tile, 7 * LANES);
        c4.intoArray(tile, 8 * LANES);
        d4.intoArray(tile, 9 * LANES);
        c5.intoArray(tile, 10 * LANES);
        d5.intoArray(tile, 11 * LANES);
    }
}
