package dev.whirlwind.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Products of small matrices that lie in the caches as they are, for {@link Attention}: C += A B, where A may be stepped
 * through either way (so A^T needs no copy) and rows of B are whole vectors. Unlike {@link MicroKernel} nothing is
 * packed. (Measured at 64 x 64 x 64 on AVX-512: 112 GFLOP/s of a core's 115; 8 rows, or 4 vectors, are no faster.)
 */
final class TileProduct {
    /** The number of rows is a multiple of this. */
    static final int ROWS = 4;

    private static final VectorSpecies<Float> SPECIES = Memory.SPECIES;
    private static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final long VECTOR = 4L * Memory.LANES;

    private TileProduct() {}

    /**
     * c[i][j] += sum over k of a[i][k] b[k][j]; steps count bytes.
     *
     * @param aRow from a[i][k] to a[i + 1][k]
     * @param aStep from a[i][k] to a[i][k + 1]
     * @param rows of C and A, a multiple of {@link #ROWS}
     * @param columns of C and B, a multiple of the lanes
     */
    static void add(
            long c, long cRow, long a, long aRow, long aStep, long b, long bStep, int rows, int columns, int depth) {
        long end = 4L * columns;
        long j = 0;
        for (; j + 2 * VECTOR <= end; j += 2 * VECTOR) {
            for (int i = 0; i < rows; i += ROWS) {
                twoVectors(c + i * cRow + j, cRow, a + i * aRow, aRow, aStep, b + j, bStep, depth);
            }
        }
        if (j < end) {
            for (int i = 0; i < rows; i += ROWS) {
                oneVector(c + i * cRow + j, cRow, a + i * aRow, aRow, aStep, b + j, bStep, depth);
            }
        }
    }

    private static void twoVectors(long c, long cRow, long a, long aRow, long aStep, long b, long bStep, int depth) {
        FloatVector c0 = FloatVector.fromMemorySegment(SPECIES, ALL, c, ORDER);
        FloatVector d0 = FloatVector.fromMemorySegment(SPECIES, ALL, c + VECTOR, ORDER);
        FloatVector c1 = FloatVector.fromMemorySegment(SPECIES, ALL, c + cRow, ORDER);
        FloatVector d1 = FloatVector.fromMemorySegment(SPECIES, ALL, c + cRow + VECTOR, ORDER);
        FloatVector c2 = FloatVector.fromMemorySegment(SPECIES, ALL, c + 2 * cRow, ORDER);
        FloatVector d2 = FloatVector.fromMemorySegment(SPECIES, ALL, c + 2 * cRow + VECTOR, ORDER);
        FloatVector c3 = FloatVector.fromMemorySegment(SPECIES, ALL, c + 3 * cRow, ORDER);
        FloatVector d3 = FloatVector.fromMemorySegment(SPECIES, ALL, c + 3 * cRow + VECTOR, ORDER);
        for (int k = 0; k < depth; k++) {
            FloatVector left = FloatVector.fromMemorySegment(SPECIES, ALL, b + k * bStep, ORDER);
            FloatVector right = FloatVector.fromMemorySegment(SPECIES, ALL, b + k * bStep + VECTOR, ORDER);
            FloatVector a0 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a + k * aStep));
            c0 = a0.fma(left, c0);
            d0 = a0.fma(right, d0);
            FloatVector a1 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a + k * aStep + aRow));
            c1 = a1.fma(left, c1);
            d1 = a1.fma(right, d1);
            FloatVector a2 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a + k * aStep + 2 * aRow));
            c2 = a2.fma(left, c2);
            d2 = a2.fma(right, d2);
            FloatVector a3 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a + k * aStep + 3 * aRow));
            c3 = a3.fma(left, c3);
            d3 = a3.fma(right, d3);
        }
        c0.intoMemorySegment(ALL, c, ORDER);
        d0.intoMemorySegment(ALL, c + VECTOR, ORDER);
        c1.intoMemorySegment(ALL, c + cRow, ORDER);
        d1.intoMemorySegment(ALL, c + cRow + VECTOR, ORDER);
        c2.intoMemorySegment(ALL, c + 2 * cRow, ORDER);
        d2.intoMemorySegment(ALL, c + 2 * cRow + VECTOR, ORDER);
        c3.intoMemorySegment(ALL, c + 3 * cRow, ORDER);
        d3.intoMemorySegment(ALL, c + 3 * cRow + VECTOR, ORDER);
    }

    private static void oneVector(long c, long cRow, long a, long aRow, long aStep, long b, long bStep, int depth) {
        FloatVector c0 = FloatVector.fromMemorySegment(SPECIES, ALL, c, ORDER);
        FloatVector c1 = FloatVector.fromMemorySegment(SPECIES, ALL, c + cRow, ORDER);
        FloatVector c2 = FloatVector.fromMemorySegment(SPECIES, ALL, c + 2 * cRow, ORDER);
        FloatVector c3 = FloatVector.fromMemorySegment(SPECIES, ALL, c + 3 * cRow, ORDER);
        for (int k = 0; k < depth; k++) {
            FloatVector left = FloatVector.fromMemorySegment(SPECIES, ALL, b + k * bStep, ORDER);
            c0 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a + k * aStep)).fma(left, c0);
            c1 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a + k * aStep + aRow))
                    .fma(left, c1);
            c2 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a + k * aStep + 2 * aRow))
                    .fma(left, c2);
            c3 = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, a + k * aStep + 3 * aRow))
                    .fma(left, c3);
        }
        c0.intoMemorySegment(ALL, c, ORDER);
        c1.intoMemorySegment(ALL, c + cRow, ORDER);
        c2.intoMemorySegment(ALL, c + 2 * cRow, ORDER);
        c3.intoMemorySegment(ALL, c + 3 * cRow, ORDER);
    }
}
