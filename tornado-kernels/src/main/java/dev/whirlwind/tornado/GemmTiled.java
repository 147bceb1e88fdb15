package dev.whirlwind.tornado;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Matrix products for GPUs: a group of 16 x 16 work items shares a 64 x 64 tile of the result. Slices of both operands go
 * through local memory, read so that neighbours read neighbours, and a work item keeps 4 x 4 sums in registers (Volkov
 * and Demmel, "Benchmarking GPUs to tune dense linear algebra", SC 2008).
 */
final class GemmTiled {
    /** Rows and columns of a group's tile. */
    static final int TILE = 64;

    /** Work items of a group in each direction. */
    static final int ITEMS = 16;

    private GemmTiled() {}

    /**
     * y[rows, columns] (+)= the sum over k of a(row, k) b(column, k), plus bias[column]. a's element (row, k) lies at row *
     * ar + k * ak, b's (column, k) at column * bc + k * bk. Flags are {@link Gemm}'s.
     */
    static void wGemmTiled(
            IntArray c,
            int at,
            KernelContext context,
            FloatArray a,
            FloatArray b,
            FloatArray bias,
            FloatArray y,
            int rows,
            int columns,
            int k,
            int ar,
            int ak,
            int bc,
            int bk,
            int flags) {
        float[] sliceA = context.allocateFloatLocalArray(1024);
        float[] sliceB = context.allocateFloatLocalArray(1024);
        int a0 = c.get(at);
        int b0 = c.get(at + 1);
        int bias0 = c.get(at + 2);
        int y0 = c.get(at + 3);
        int x = context.localIdx;
        int z = context.localIdy;
        int firstRow = context.groupIdy * 64;
        int firstColumn = context.groupIdx * 64;
        float[] sum = new float[16];
        for (int i = 0; i < 16; i++) {
            sum[i] = 0f;
        }
        for (int depth = 0; depth < k; depth += 16) {
            for (int i = 0; i < 4; i++) {
                int item = i * 256 + z * 16 + x;
                int rowA = ak == 1 ? item / 16 : item % 64;
                int kA = ak == 1 ? item % 16 : item / 64;
                float valueA = 0f;
                if (firstRow + rowA < rows && depth + kA < k) {
                    valueA = a.get(a0 + (firstRow + rowA) * ar + (depth + kA) * ak);
                }
                sliceA[kA * 64 + rowA] = valueA;
                int columnB = bk == 1 ? item / 16 : item % 64;
                int kB = bk == 1 ? item % 16 : item / 64;
                float valueB = 0f;
                if (firstColumn + columnB < columns && depth + kB < k) {
                    valueB = b.get(b0 + (firstColumn + columnB) * bc + (depth + kB) * bk);
                }
                sliceB[kB * 64 + columnB] = valueB;
            }
            context.localBarrier();
            for (int i = 0; i < 16; i++) {
                for (int row = 0; row < 4; row++) {
                    float value = sliceA[i * 64 + z * 4 + row];
                    for (int column = 0; column < 4; column++) {
                        sum[row * 4 + column] += value * sliceB[i * 64 + column * 16 + x];
                    }
                }
            }
            context.localBarrier();
        }
        for (int i = 0; i < 16; i++) {
            int row = firstRow + z * 4 + i / 4;
            int column = firstColumn + i % 4 * 16 + x;
            if (row < rows && column < columns) {
                float value = sum[i];
                if ((flags & Gemm.BIAS) != 0) {
                    value += bias.get(bias0 + column);
                }
                if ((flags & Gemm.ACCUMULATE) != 0) {
                    value += y.get(y0 + row * columns + column);
                }
                y.set(y0 + row * columns + column, value);
            }
        }
    }
}
