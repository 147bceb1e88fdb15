package dev.whirlwind.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Products of small matrices that lie in the caches, for {@link Attention}: C += A B or C += A^T B. All three lie in one
 * array, rows {@link #STEP} floats apart. As in {@link MicroKernel} the step is a constant, which spares the loops their
 * address arithmetic and bounds checks; so A and A^T each have a loop of their own. (Measured at 64 x 64 x 64 on AVX-512: 240 GFLOP/s of a core's 270, with variable
 * steps 176. 8 rows make 260, but so many vector operations are more than the compiler inlines for sure: {@link Memory}.)
 */
final class TileProduct {
    /** Floats from one row of any matrix to the next. */
    static final int STEP = 64;

    /** The number of rows is a multiple of this. */
    static final int ROWS = 4;

    private static final VectorSpecies<Float> SPECIES = Memory.SPECIES;
    private static final int LANES = Memory.LANES;

    private TileProduct() {}

    /**
     * c[i][j] += sum over k of a[i][k] b[k][j]; where transposed, of a[k][i] b[k][j].
     *
     * @param m holds all matrices, from the places c, a and b on
     * @param rows of C, a multiple of {@link #ROWS}
     * @param columns of C and B, a multiple of the lanes, at most {@link #STEP}
     */
    static void add(float[] m, int c, int a, boolean transposed, int b, int rows, int columns, int depth) {
        int aRow = transposed ? 1 : STEP;
        for (int j = 0; j < columns; j += 2 * LANES) {
            for (int i = 0; i < rows; i += ROWS) {
                if (j + LANES == columns) {
                    oneVector(m, c + i * STEP + j, a + i * aRow, transposed, b + j, depth);
                } else {
                    twoVectors(m, c + i * STEP + j, a + i * aRow, transposed, b + j, depth);
                }
            }
        }
    }

    private static void twoVectors(float[] m, int c, int a, boolean transposed, int b, int depth) {
        if (transposed) {
            twoVectorsTransposed(m, c, a, b, depth);
        } else {
            twoVectors(m, c, a, b, depth);
        }
    }

    private static void oneVector(float[] m, int c, int a, boolean transposed, int b, int depth) {
        if (transposed) {
            oneVectorTransposed(m, c, a, b, depth);
        } else {
            oneVector(m, c, a, b, depth);
        }
    }

    private static void twoVectors(float[] m, int c, int a, int b, int depth) {
        FloatVector c0 = FloatVector.fromArray(SPECIES, m, c);
        FloatVector d0 = FloatVector.fromArray(SPECIES, m, c + LANES);
        FloatVector c1 = FloatVector.fromArray(SPECIES, m, c + STEP);
        FloatVector d1 = FloatVector.fromArray(SPECIES, m, c + STEP + LANES);
        FloatVector c2 = FloatVector.fromArray(SPECIES, m, c + 2 * STEP);
        FloatVector d2 = FloatVector.fromArray(SPECIES, m, c + 2 * STEP + LANES);
        FloatVector c3 = FloatVector.fromArray(SPECIES, m, c + 3 * STEP);
        FloatVector d3 = FloatVector.fromArray(SPECIES, m, c + 3 * STEP + LANES);
        for (int k = 0; k < depth; k++) {
            FloatVector left = FloatVector.fromArray(SPECIES, m, b + k * STEP);
            FloatVector right = FloatVector.fromArray(SPECIES, m, b + k * STEP + LANES);
            FloatVector a0 = FloatVector.broadcast(SPECIES, m[a + k]);
            c0 = a0.fma(left, c0);
            d0 = a0.fma(right, d0);
            FloatVector a1 = FloatVector.broadcast(SPECIES, m[a + k + STEP]);
            c1 = a1.fma(left, c1);
            d1 = a1.fma(right, d1);
            FloatVector a2 = FloatVector.broadcast(SPECIES, m[a + k + 2 * STEP]);
            c2 = a2.fma(left, c2);
            d2 = a2.fma(right, d2);
            FloatVector a3 = FloatVector.broadcast(SPECIES, m[a + k + 3 * STEP]);
            c3 = a3.fma(left, c3);
            d3 = a3.fma(right, d3);
        }
        c0.intoArray(m, c);
        d0.intoArray(m, c + LANES);
        c1.intoArray(m, c + STEP);
        d1.intoArray(m, c + STEP + LANES);
        c2.intoArray(m, c + 2 * STEP);
        d2.intoArray(m, c + 2 * STEP + LANES);
        c3.intoArray(m, c + 3 * STEP);
        d3.intoArray(m, c + 3 * STEP + LANES);
    }

    private static void twoVectorsTransposed(float[] m, int c, int a, int b, int depth) {
        FloatVector c0 = FloatVector.fromArray(SPECIES, m, c);
        FloatVector d0 = FloatVector.fromArray(SPECIES, m, c + LANES);
        FloatVector c1 = FloatVector.fromArray(SPECIES, m, c + STEP);
        FloatVector d1 = FloatVector.fromArray(SPECIES, m, c + STEP + LANES);
        FloatVector c2 = FloatVector.fromArray(SPECIES, m, c + 2 * STEP);
        FloatVector d2 = FloatVector.fromArray(SPECIES, m, c + 2 * STEP + LANES);
        FloatVector c3 = FloatVector.fromArray(SPECIES, m, c + 3 * STEP);
        FloatVector d3 = FloatVector.fromArray(SPECIES, m, c + 3 * STEP + LANES);
        for (int k = 0; k < depth; k++) {
            FloatVector left = FloatVector.fromArray(SPECIES, m, b + k * STEP);
            FloatVector right = FloatVector.fromArray(SPECIES, m, b + k * STEP + LANES);
            FloatVector a0 = FloatVector.broadcast(SPECIES, m[a + k * STEP]);
            c0 = a0.fma(left, c0);
            d0 = a0.fma(right, d0);
            FloatVector a1 = FloatVector.broadcast(SPECIES, m[a + k * STEP + 1]);
            c1 = a1.fma(left, c1);
            d1 = a1.fma(right, d1);
            FloatVector a2 = FloatVector.broadcast(SPECIES, m[a + k * STEP + 2]);
            c2 = a2.fma(left, c2);
            d2 = a2.fma(right, d2);
            FloatVector a3 = FloatVector.broadcast(SPECIES, m[a + k * STEP + 3]);
            c3 = a3.fma(left, c3);
            d3 = a3.fma(right, d3);
        }
        c0.intoArray(m, c);
        d0.intoArray(m, c + LANES);
        c1.intoArray(m, c + STEP);
        d1.intoArray(m, c + STEP + LANES);
        c2.intoArray(m, c + 2 * STEP);
        d2.intoArray(m, c + 2 * STEP + LANES);
        c3.intoArray(m, c + 3 * STEP);
        d3.intoArray(m, c + 3 * STEP + LANES);
    }

    private static void oneVector(float[] m, int c, int a, int b, int depth) {
        FloatVector c0 = FloatVector.fromArray(SPECIES, m, c);
        FloatVector c1 = FloatVector.fromArray(SPECIES, m, c + STEP);
        FloatVector c2 = FloatVector.fromArray(SPECIES, m, c + 2 * STEP);
        FloatVector c3 = FloatVector.fromArray(SPECIES, m, c + 3 * STEP);
        for (int k = 0; k < depth; k++) {
            FloatVector left = FloatVector.fromArray(SPECIES, m, b + k * STEP);
            FloatVector a0 = FloatVector.broadcast(SPECIES, m[a + k]);
            c0 = a0.fma(left, c0);
            FloatVector a1 = FloatVector.broadcast(SPECIES, m[a + k + STEP]);
            c1 = a1.fma(left, c1);
            FloatVector a2 = FloatVector.broadcast(SPECIES, m[a + k + 2 * STEP]);
            c2 = a2.fma(left, c2);
            FloatVector a3 = FloatVector.broadcast(SPECIES, m[a + k + 3 * STEP]);
            c3 = a3.fma(left, c3);
        }
        c0.intoArray(m, c);
        c1.intoArray(m, c + STEP);
        c2.intoArray(m, c + 2 * STEP);
        c3.intoArray(m, c + 3 * STEP);
    }

    private static void oneVectorTransposed(float[] m, int c, int a, int b, int depth) {
        FloatVector c0 = FloatVector.fromArray(SPECIES, m, c);
        FloatVector c1 = FloatVector.fromArray(SPECIES, m, c + STEP);
        FloatVector c2 = FloatVector.fromArray(SPECIES, m, c + 2 * STEP);
        FloatVector c3 = FloatVector.fromArray(SPECIES, m, c + 3 * STEP);
        for (int k = 0; k < depth; k++) {
            FloatVector left = FloatVector.fromArray(SPECIES, m, b + k * STEP);
            FloatVector a0 = FloatVector.broadcast(SPECIES, m[a + k * STEP]);
            c0 = a0.fma(left, c0);
            FloatVector a1 = FloatVector.broadcast(SPECIES, m[a + k * STEP + 1]);
            c1 = a1.fma(left, c1);
            FloatVector a2 = FloatVector.broadcast(SPECIES, m[a + k * STEP + 2]);
            c2 = a2.fma(left, c2);
            FloatVector a3 = FloatVector.broadcast(SPECIES, m[a + k * STEP + 3]);
            c3 = a3.fma(left, c3);
        }
        c0.intoArray(m, c);
        c1.intoArray(m, c + STEP);
        c2.intoArray(m, c + 2 * STEP);
        c3.intoArray(m, c + 3 * STEP);
    }
}
