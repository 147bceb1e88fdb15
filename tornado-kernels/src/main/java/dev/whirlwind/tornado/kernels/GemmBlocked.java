package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Matrix products for GPUs: a group of 256 work items shares a 128 x 128 tile of the result, and a work item keeps 8 x 8
 * sums in registers (Volkov and Demmel, "Benchmarking GPUs to tune dense linear algebra", SC 2008). Slices of both operands
 * go through local memory, two in turn, so that one is computed while the next is on its way; their rows are {@link
 * #STRIDE} apart, by which stores of either orientation and loads meet different banks. Where a result has few tiles, its
 * depth is split among groups, whose partial results {@link #wAddParts} adds up.
 */
public final class GemmBlocked {
    /** Rows and columns of a group's tile. */
    public static final int TILE = 128;

    /** Work items of a group. */
    public static final int ITEMS = 256;

    /** Depth of a slice. */
    public static final int DEPTH = 8;

    /** Floats between a slice's rows in local memory. */
    public static final int STRIDE = 132;

    /** a's neighbours in memory follow each other in depth, not in rows; the same for b and columns. */
    public static final int A_BY_DEPTH = 8;

    public static final int B_BY_DEPTH = 16;

    /** a's numbers have 16 bits; the same for b. */
    public static final int A_HALF = 32;

    public static final int B_HALF = 64;

    /** They are binary16, not bfloat16. */
    public static final int FP16 = 128;

    /** b's numbers share scales (see {@link Quantised}), which are found behind the tensors' places. */
    public static final int B_INT8 = 256;

    public static final int B_NF4 = 512;

    private GemmBlocked() {}

    private static int wScales(IntArray c, int at, int flags) {
        return (flags & (B_INT8 | B_NF4)) != 0 ? c.get(at + 4) : 0;
    }

    /** Element i of b. */
    private static float wB(FloatArray b, IntArray words, FloatArray table, int i, int scales, int flags) {
        float value;
        if ((flags & B_INT8) != 0) {
            value = Quantised.wWeight(b, words, i, scales, Quantised.INT8);
        } else if ((flags & B_NF4) != 0) {
            value = Quantised.wWeight(b, words, i, scales, Quantised.NF4);
        } else {
            value = Half.wGet(b, words, table, i, wExponentBits(flags, B_HALF));
        }
        return value;
    }

    private static int wExponentBits(int flags, int half) {
        int bits = (flags & FP16) != 0 ? Half.FP16_EXPONENT : Half.BF16_EXPONENT;
        return (flags & half) != 0 ? bits : 0;
    }

    /**
     * y[rows, columns] (+)= the sum over k of a(row, k) b(column, k), plus bias[column]. a is [rows, k] where A_BY_DEPTH, else
     * [k, rows]; b likewise; of numbers with 16 bits it is {@code halfA}, {@code halfB}, and {@code table} is {@link Half}'s; of
     * weights that share scales these are {@code halfB}, and {@code b} {@link Quantised}'s numbers.
     * Other flags are {@link Gemm}'s. Groups with the same tile and another part of the depth, {@code part} long each, write
     * to y one result after the other.
     */
    public static void wGemmBlocked(
            IntArray c,
            int at,
            KernelContext context,
            FloatArray a,
            FloatArray b,
            IntArray halfA,
            IntArray halfB,
            FloatArray table,
            FloatArray bias,
            FloatArray y,
            int rows,
            int columns,
            int k,
            int part,
            int flags) {
        float[] slicesA = context.allocateFloatLocalArray(2 * DEPTH * STRIDE);
        float[] slicesB = context.allocateFloatLocalArray(2 * DEPTH * STRIDE);
        int item = context.localIdx;
        int x = item % 16;
        int z = item / 16;
        int rowTiles = (rows + TILE - 1) / TILE;
        int split = context.groupIdy / rowTiles;
        int firstRow = context.groupIdy % rowTiles * TILE;
        int firstColumn = context.groupIdx * TILE;
        boolean aByDepth = (flags & A_BY_DEPTH) != 0;
        boolean bByDepth = (flags & B_BY_DEPTH) != 0;
        int kA = aByDepth ? item % 8 : item / 32;
        int rowA = aByDepth ? item / 8 : item % 32;
        int kB = bByDepth ? item % 8 : item / 32;
        int columnB = bByDepth ? item / 8 : item % 32;
        int aBits = wExponentBits(flags, A_HALF);
        int scales = wScales(c, at, flags);
        int aDown = aByDepth ? k : 1;
        int aDeep = aByDepth ? 1 : rows;
        int bDown = bByDepth ? k : 1;
        int bDeep = bByDepth ? 1 : columns;
        int from = split * part;
        int end = from + part < k ? from + part : k;
        int a0 = c.get(at) + (firstRow + rowA) * aDown + (from + kA) * aDeep;
        int b0 = c.get(at + 1) + (firstColumn + columnB) * bDown + (from + kB) * bDeep;
        int rowsLeft = rows - firstRow - rowA;
        int columnsLeft = columns - firstColumn - columnB;
        float[] nextA = new float[4];
        float[] nextB = new float[4];
        float[] valueA = new float[8];
        float[] valueB = new float[8];
        float[] sum = new float[64];
        for (int i = 0; i < 8; i++) {
            for (int j = 0; j < 8; j++) {
                sum[i * 8 + j] = 0f;
            }
        }
        for (int i = 0; i < 4; i++) {
            float v = 0f;
            float w = 0f;
            if (32 * i < rowsLeft && from + kA < end) {
                v = Half.wGet(a, halfA, table, a0 + 32 * i * aDown, aBits);
            }
            if (32 * i < columnsLeft && from + kB < end) {
                w = wB(b, halfB, table, b0 + 32 * i * bDown, scales, flags);
            }
            slicesA[kA * STRIDE + rowA + 32 * i] = v;
            slicesB[kB * STRIDE + columnB + 32 * i] = w;
        }
        context.localBarrier();
        int slice = 0;
        for (int depth = from; depth < end; depth += DEPTH) {
            a0 += DEPTH * aDeep;
            b0 += DEPTH * bDeep;
            for (int i = 0; i < 4; i++) {
                nextA[i] = 0f;
                nextB[i] = 0f;
                if (32 * i < rowsLeft && depth + DEPTH + kA < end) {
                    nextA[i] = Half.wGet(a, halfA, table, a0 + 32 * i * aDown, aBits);
                }
                if (32 * i < columnsLeft && depth + DEPTH + kB < end) {
                    nextB[i] = wB(b, halfB, table, b0 + 32 * i * bDown, scales, flags);
                }
            }
            for (int i = 0; i < 8; i++) {
                for (int j = 0; j < 8; j++) {
                    valueA[j] = slicesA[slice + i * STRIDE + z * 8 + j];
                    valueB[j] = slicesB[slice + i * STRIDE + x + 16 * j];
                }
                for (int row = 0; row < 8; row++) {
                    for (int column = 0; column < 8; column++) {
                        sum[row * 8 + column] += valueA[row] * valueB[column];
                    }
                }
            }
            slice = DEPTH * STRIDE - slice;
            for (int i = 0; i < 4; i++) {
                slicesA[slice + kA * STRIDE + rowA + 32 * i] = nextA[i];
                slicesB[slice + kB * STRIDE + columnB + 32 * i] = nextB[i];
            }
            context.localBarrier();
        }
        int y0 = c.get(at + 3) + split * rows * columns;
        for (int i = 0; i < 8; i++) {
            for (int j = 0; j < 8; j++) {
                int row = firstRow + z * 8 + i;
                int column = firstColumn + j * 16 + x;
                if (row < rows && column < columns) {
                    float value = sum[i * 8 + j];
                    if ((flags & Gemm.BIAS) != 0) {
                        value += bias.get(c.get(at + 2) + column);
                    }
                    if ((flags & Gemm.ACCUMULATE) != 0) {
                        value += y.get(y0 + row * columns + column);
                    }
                    y.set(y0 + row * columns + column, value);
                }
            }
        }
    }

    /** y (+)= the sum of so many partial results of n elements each, plus bias[column]. */
    public static void wAddParts(
            IntArray c,
            int at,
            KernelContext context,
            FloatArray partial,
            FloatArray bias,
            FloatArray y,
            int n,
            int parts,
            int columns,
            int flags) {
        int i = context.globalIdx;
        if (i < n) {
            float sum = 0f;
            float sum1 = 0f;
            float sum2 = 0f;
            float sum3 = 0f;
            int part = 0;
            // Four in turn, as an item waits for memory.
            for (; part + 3 < parts; part += 4) {
                sum += partial.get(c.get(at) + part * n + i);
                sum1 += partial.get(c.get(at) + (part + 1) * n + i);
                sum2 += partial.get(c.get(at) + (part + 2) * n + i);
                sum3 += partial.get(c.get(at) + (part + 3) * n + i);
            }
            for (; part < parts; part++) {
                sum += partial.get(c.get(at) + part * n + i);
            }
            sum += sum1 + (sum2 + sum3);
            if ((flags & Gemm.BIAS) != 0) {
                sum += bias.get(c.get(at + 1) + i % columns);
            }
            if ((flags & Gemm.ACCUMULATE) != 0) {
                sum += y.get(c.get(at + 2) + i);
            }
            y.set(c.get(at + 2) + i, sum);
        }
    }

    /**
     * The same for few rows, where reading b is all the work: a group of 256 work items owns eight columns, 32 a column,
     * which read neighbours and add up through local memory. b's columns are contiguous in depth.
     */
    public static void wGemv(
            IntArray c,
            int at,
            KernelContext context,
            FloatArray a,
            FloatArray b,
            IntArray halfA,
            IntArray halfB,
            FloatArray table,
            FloatArray bias,
            FloatArray y,
            int columns,
            int k,
            int flags) {
        float[] sums = context.allocateFloatLocalArray(256);
        int item = context.localIdx;
        int lane = item % 32;
        int column = context.groupIdx * 8 + item / 32;
        int row = context.groupIdy;
        int aBits = wExponentBits(flags, A_HALF);
        int scales = wScales(c, at, flags);
        int a0 = c.get(at) + row * k;
        int b0 = c.get(at + 1) + column * k;
        float sum0 = 0f;
        float sum1 = 0f;
        float sum2 = 0f;
        float sum3 = 0f;
        if (column < columns) {
            int i = lane;
            for (; i + 96 < k; i += 128) {
                sum0 += Half.wGet(a, halfA, table, a0 + i, aBits) * wB(b, halfB, table, b0 + i, scales, flags);
                sum1 += Half.wGet(a, halfA, table, a0 + i + 32, aBits)
                        * wB(b, halfB, table, b0 + i + 32, scales, flags);
                sum2 += Half.wGet(a, halfA, table, a0 + i + 64, aBits)
                        * wB(b, halfB, table, b0 + i + 64, scales, flags);
                sum3 += Half.wGet(a, halfA, table, a0 + i + 96, aBits)
                        * wB(b, halfB, table, b0 + i + 96, scales, flags);
            }
            for (; i < k; i += 32) {
                sum0 += Half.wGet(a, halfA, table, a0 + i, aBits) * wB(b, halfB, table, b0 + i, scales, flags);
            }
        }
        sums[item] = sum0 + sum1 + (sum2 + sum3);
        for (int half = 16; half > 0; half = half / 2) {
            context.localBarrier();
            if (lane < half) {
                sums[item] += sums[item + half];
            }
        }
        if (lane == 0 && column < columns) {
            float value = sums[item];
            if ((flags & Gemm.BIAS) != 0) {
                value += bias.get(c.get(at + 2) + column);
            }
            y.set(c.get(at + 3) + row * columns + column, value);
        }
    }
}
