package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.enums.MMAShape;
import uk.ac.manchester.tornado.api.types.HalfFloat;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Matrix products of bfloat16 numbers on tensor cores (NVIDIA's from compute capability 8.0 on, mma.sync.m16n8k16), with
 * sums in floats: a group of 256 work items shares a 128 x 128 tile of the result, and each of its eight warps owns 64 x 32
 * of it, as 4 x 4 fragments. Slices of both operands go through local memory, two in turn: a's as [rows, depth], b's as
 * [depth, columns]. What lies the other way round in memory is turned on its way, two by two numbers at a time. Eight rows
 * of a slice, which a warp reads together, meet different banks.
 *
 * <p>Fragments stand for registers that only variables of the kernel itself can hold: TornadoVM lets none be an array's
 * element, an argument of a helper, or carried by two loops or an if within another.
 */
public final class GemmTensorCores {
    /** Rows and columns of a group's tile. */
    public static final int TILE = 128;

    /** Work items of a group. */
    public static final int ITEMS = 256;

    /** Depth of a slice. */
    public static final int DEPTH = 16;

    /** Floats that a group needs to get at its results, one fragment a warp. */
    public static final int OWN_FLOATS = 8 * 16 * 8;

    /** Ints between a slice's rows in local memory: more than the 8 and 64 of them, and odd multiples of 16 bytes. */
    private static final int STRIDE_A = 12;

    private static final int STRIDE_B = 68;

    private static final int SLICE_A = TILE * STRIDE_A;

    private static final int SLICE_B = DEPTH * STRIDE_B;

    private GemmTensorCores() {}

    /** Whether all of a result's fragments are stored as they are. */
    public static boolean isDirect(int rows, int columns, int flags) {
        return rows % 16 == 0 && columns % 8 == 0 && (flags & (Gemm.BIAS | Gemm.ACCUMULATE)) == 0;
    }

    /** Which of an operand's rows an item's word i is in, from its first one on: alone, or two below each other to turn. */
    private static int wRow(int i, boolean turned, int between) {
        return turned ? i / 2 * between + i % 2 : i * between;
    }

    /** How many rows from an item's first one on there are, if its column is there: one of rows and columns is depth. */
    private static int wLeft(boolean rowsAreDepth, int depth, int row, int column, int width) {
        int rows = rowsAreDepth ? depth : width;
        int columns = rowsAreDepth ? width : depth;
        return column < columns ? rows - row : 0;
    }

    /** Of two numbers and the two below them those of one column. */
    private static int wTurned(int above, int below, int column) {
        return column == 0 ? (above & 0xffff) | (below << 16) : ((above >> 16) & 0xffff) | (below & 0xffff0000);
    }

    /** Finishes a work item's four results of the fragment that its warp left in {@code own}. */
    private static void wFinish(
            IntArray c,
            int at,
            FloatArray own,
            FloatArray bias,
            FloatArray y,
            int from,
            int lane,
            int y0,
            int row,
            int column,
            int rows,
            int columns,
            int flags) {
        for (int i = 0; i < 4; i++) {
            int down = lane / 4 + i / 2 * 8;
            int right = lane % 4 * 2 + i % 2;
            if (row + down < rows && column + right < columns) {
                float value = own.get(from + down * 8 + right);
                if ((flags & Gemm.BIAS) != 0) {
                    value += bias.get(c.get(at + 2) + column + right);
                }
                int to = y0 + (row + down) * columns + column + right;
                if ((flags & Gemm.ACCUMULATE) != 0) {
                    value += y.get(to);
                }
                y.set(to, value);
            }
        }
    }

    /**
     * y[rows, columns] (+)= the sum over k of a(row, k) b(column, k), plus bias[column]; parts and flags are {@link
     * GemmBlocked#wGemmBlocked}'s. Two numbers an int: a's rows, as they lie in memory, are {@code pitch} numbers apart, b's
     * follow each other; both lengths and both first elements are even. What fills a's rows up must be zero. Parts are
     * multiples of {@link #DEPTH} long. {@code own} holds {@link #OWN_FLOATS} for each group unless {@link #isDirect}.
     */
    public static void wGemmTensorCores(
            IntArray c,
            int at,
            KernelContext context,
            IntArray a,
            IntArray b,
            FloatArray bias,
            FloatArray own,
            FloatArray y,
            int rows,
            int columns,
            int k,
            int part,
            int flags,
            int pitch) {
        int[] slicesA = context.allocateIntLocalArray(2 * SLICE_A);
        int[] slicesB = context.allocateIntLocalArray(2 * SLICE_B);
        int item = context.localIdx;
        int lane = item % 32;
        int warp = item / 32;
        int rowTiles = (rows + TILE - 1) / TILE;
        int split = context.groupIdy / rowTiles;
        int firstRow = context.groupIdy % rowTiles * TILE;
        int firstColumn = context.groupIdx * TILE;
        boolean turnedA = (flags & GemmBlocked.A_BY_DEPTH) == 0;
        boolean turnedB = (flags & GemmBlocked.B_BY_DEPTH) != 0;
        int from = split * part;
        int end = from + part < k ? from + part : k;
        int pitchB = turnedB ? k : columns;
        int rowA = turnedA ? lane / 8 * 2 : item / 8 % 4 * 2 + item / 32 % 2 + item / 64 * 8;
        int pairA = turnedA ? warp * 8 + lane % 8 : item % 8;
        int rowB = turnedB ? item / 8 * 2 : item / 64;
        int pairB = turnedB ? item % 8 : item % 64;
        int betweenA = turnedA ? 8 : 32;
        int betweenB = turnedB ? 64 : 4;
        int nextA = turnedA ? DEPTH * pitch / 2 : DEPTH / 2;
        int nextB = turnedB ? DEPTH / 2 : DEPTH * pitchB / 2;
        int atA = (c.get(at) + (turnedA ? from + rowA : firstRow + rowA) * pitch) / 2
                + (turnedA ? firstRow : from) / 2
                + pairA;
        int atB = (c.get(at + 1) + (turnedB ? firstColumn + rowB : from + rowB) * pitchB) / 2
                + (turnedB ? from : firstColumn) / 2
                + pairB;
        int[] wordsA = new int[4];
        int[] wordsB = new int[4];
        float[] sum00 = context.mmaFragment(0f);
        float[] sum01 = context.mmaFragment(0f);
        float[] sum02 = context.mmaFragment(0f);
        float[] sum03 = context.mmaFragment(0f);
        float[] sum10 = context.mmaFragment(0f);
        float[] sum11 = context.mmaFragment(0f);
        float[] sum12 = context.mmaFragment(0f);
        float[] sum13 = context.mmaFragment(0f);
        float[] sum20 = context.mmaFragment(0f);
        float[] sum21 = context.mmaFragment(0f);
        float[] sum22 = context.mmaFragment(0f);
        float[] sum23 = context.mmaFragment(0f);
        float[] sum30 = context.mmaFragment(0f);
        float[] sum31 = context.mmaFragment(0f);
        float[] sum32 = context.mmaFragment(0f);
        float[] sum33 = context.mmaFragment(0f);
        int slice = 0;
        int leftA = wLeft(turnedA, end - from, rowA, 2 * pairA, rows - firstRow);
        int leftB = wLeft(!turnedB, end - from, rowB, 2 * pairB, columns - firstColumn);
        for (int i = 0; i < 4; i++) {
            wordsA[i] = 0;
            wordsB[i] = 0;
            int downA = wRow(i, turnedA, betweenA);
            int downB = wRow(i, turnedB, betweenB);
            if (downA < leftA) {
                wordsA[i] = a.get(atA + downA * pitch / 2);
            }
            if (downB < leftB) {
                wordsB[i] = b.get(atB + downB * pitchB / 2);
            }
        }
        for (int depth = from; depth < end; depth += DEPTH) {
            if (turnedA) {
                for (int i = 0; i < 4; i++) {
                    slicesA[slice * SLICE_A + (2 * pairA + i % 2) * STRIDE_A + rowA / 2 + i / 2 * 4] =
                            wTurned(wordsA[i / 2 * 2], wordsA[i / 2 * 2 + 1], i % 2);
                }
            } else {
                for (int i = 0; i < 4; i++) {
                    slicesA[slice * SLICE_A + (rowA + i * 32) * STRIDE_A + pairA] = wordsA[i];
                }
            }
            if (turnedB) {
                for (int i = 0; i < 4; i++) {
                    slicesB[slice * SLICE_B + (2 * pairB + i % 2) * STRIDE_B + rowB / 2 + i / 2 * 32] =
                            wTurned(wordsB[i / 2 * 2], wordsB[i / 2 * 2 + 1], i % 2);
                }
            } else {
                for (int i = 0; i < 4; i++) {
                    slicesB[slice * SLICE_B + (rowB + i * 4) * STRIDE_B + pairB] = wordsB[i];
                }
            }
            context.localBarrier();
            atA += nextA;
            atB += nextB;
            leftA = wLeft(turnedA, end - depth - DEPTH, rowA, 2 * pairA, rows - firstRow);
            leftB = wLeft(!turnedB, end - depth - DEPTH, rowB, 2 * pairB, columns - firstColumn);
            for (int i = 0; i < 4; i++) {
                wordsA[i] = 0;
                wordsB[i] = 0;
                int downA = wRow(i, turnedA, betweenA);
                int downB = wRow(i, turnedB, betweenB);
                if (downA < leftA) {
                    wordsA[i] = a.get(atA + downA * pitch / 2);
                }
                if (downB < leftB) {
                    wordsB[i] = b.get(atB + downB * pitchB / 2);
                }
            }
            // Bytes: TornadoVM adds rows of 32 and 16 bytes itself.
            int offsetA = 4 * slice * SLICE_A + (warp / 4 * 64 + lane % 16) * 4 * STRIDE_A - lane % 16 * 32;
            int offsetB = 4 * slice * SLICE_B + warp % 4 * 64 + lane % 16 * (4 * STRIDE_B - 16);
            HalfFloat[] b0 = context.mmaLoadB(slicesB, 16, offsetB);
            HalfFloat[] b1 = context.mmaLoadB(slicesB, 16, offsetB + 16);
            HalfFloat[] b2 = context.mmaLoadB(slicesB, 16, offsetB + 32);
            HalfFloat[] b3 = context.mmaLoadB(slicesB, 16, offsetB + 48);
            HalfFloat[] a0 = context.mmaLoadA(slicesA, 16, offsetA);
            sum00 = context.mmaBF16(a0, b0, sum00, MMAShape.M16N8K16);
            sum01 = context.mmaBF16(a0, b1, sum01, MMAShape.M16N8K16);
            sum02 = context.mmaBF16(a0, b2, sum02, MMAShape.M16N8K16);
            sum03 = context.mmaBF16(a0, b3, sum03, MMAShape.M16N8K16);
            HalfFloat[] a1 = context.mmaLoadA(slicesA, 16, offsetA + 64 * STRIDE_A);
            sum10 = context.mmaBF16(a1, b0, sum10, MMAShape.M16N8K16);
            sum11 = context.mmaBF16(a1, b1, sum11, MMAShape.M16N8K16);
            sum12 = context.mmaBF16(a1, b2, sum12, MMAShape.M16N8K16);
            sum13 = context.mmaBF16(a1, b3, sum13, MMAShape.M16N8K16);
            HalfFloat[] a2 = context.mmaLoadA(slicesA, 16, offsetA + 128 * STRIDE_A);
            sum20 = context.mmaBF16(a2, b0, sum20, MMAShape.M16N8K16);
            sum21 = context.mmaBF16(a2, b1, sum21, MMAShape.M16N8K16);
            sum22 = context.mmaBF16(a2, b2, sum22, MMAShape.M16N8K16);
            sum23 = context.mmaBF16(a2, b3, sum23, MMAShape.M16N8K16);
            HalfFloat[] a3 = context.mmaLoadA(slicesA, 16, offsetA + 192 * STRIDE_A);
            sum30 = context.mmaBF16(a3, b0, sum30, MMAShape.M16N8K16);
            sum31 = context.mmaBF16(a3, b1, sum31, MMAShape.M16N8K16);
            sum32 = context.mmaBF16(a3, b2, sum32, MMAShape.M16N8K16);
            sum33 = context.mmaBF16(a3, b3, sum33, MMAShape.M16N8K16);
            slice = 1 - slice;
        }
        int y0 = c.get(at + 3) + split * rows * columns;
        int row = firstRow + warp / 4 * 64;
        int column = firstColumn + warp % 4 * 32;
        int own0 = ((context.groupIdy * ((columns + TILE - 1) / TILE) + context.groupIdx) * 8 + warp) * 128;
        if (isDirect(rows, columns, flags)) {
            if (row < rows && column < columns) {
                context.mmaStore(sum00, y, row, y0 + column, columns);
            }
            if (row < rows && column + 8 < columns) {
                context.mmaStore(sum01, y, row, y0 + column + 8, columns);
            }
            if (row < rows && column + 16 < columns) {
                context.mmaStore(sum02, y, row, y0 + column + 16, columns);
            }
            if (row < rows && column + 24 < columns) {
                context.mmaStore(sum03, y, row, y0 + column + 24, columns);
            }
            if (row + 16 < rows && column < columns) {
                context.mmaStore(sum10, y, row + 16, y0 + column, columns);
            }
            if (row + 16 < rows && column + 8 < columns) {
                context.mmaStore(sum11, y, row + 16, y0 + column + 8, columns);
            }
            if (row + 16 < rows && column + 16 < columns) {
                context.mmaStore(sum12, y, row + 16, y0 + column + 16, columns);
            }
            if (row + 16 < rows && column + 24 < columns) {
                context.mmaStore(sum13, y, row + 16, y0 + column + 24, columns);
            }
            if (row + 32 < rows && column < columns) {
                context.mmaStore(sum20, y, row + 32, y0 + column, columns);
            }
            if (row + 32 < rows && column + 8 < columns) {
                context.mmaStore(sum21, y, row + 32, y0 + column + 8, columns);
            }
            if (row + 32 < rows && column + 16 < columns) {
                context.mmaStore(sum22, y, row + 32, y0 + column + 16, columns);
            }
            if (row + 32 < rows && column + 24 < columns) {
                context.mmaStore(sum23, y, row + 32, y0 + column + 24, columns);
            }
            if (row + 48 < rows && column < columns) {
                context.mmaStore(sum30, y, row + 48, y0 + column, columns);
            }
            if (row + 48 < rows && column + 8 < columns) {
                context.mmaStore(sum31, y, row + 48, y0 + column + 8, columns);
            }
            if (row + 48 < rows && column + 16 < columns) {
                context.mmaStore(sum32, y, row + 48, y0 + column + 16, columns);
            }
            if (row + 48 < rows && column + 24 < columns) {
                context.mmaStore(sum33, y, row + 48, y0 + column + 24, columns);
            }
        } else {
            context.mmaStore(sum00, own, 0, own0, 8);
            wFinish(c, at, own, bias, y, own0, lane, y0, row, column, rows, columns, flags);
            context.mmaStore(sum01, own, 0, own0, 8);
            wFinish(c, at, own, bias, y, own0, lane, y0, row, column + 8, rows, columns, flags);
            context.mmaStore(sum02, own, 0, own0, 8);
            wFinish(c, at, own, bias, y, own0, lane, y0, row, column + 16, rows, columns, flags);
            context.mmaStore(sum03, own, 0, own0, 8);
            wFinish(c, at, own, bias, y, own0, lane, y0, row, column + 24, rows, columns, flags);
            context.mmaStore(sum10, own, 0, own0, 8);
            wFinish(c, at, own, bias, y, own0, lane, y0, row + 16, column, rows, columns, flags);
            context.mmaStore(sum11, own, 0, own0, 8);
            wFinish(c, at, own, bias, y, own0, lane, y0, row + 16, column + 8, rows, columns, flags);
            context.mmaStore(sum12, own, 0, own0, 8);
            wFinish(c, at, own, bias, y, own0, lane, y0, row + 16, column + 16, rows, columns, flags);
            context.mmaStore(sum13, own, 0, own0, 8);
            wFinish(c, at, own, bias, y, own0, lane, y0, row + 16, column + 24, rows, columns, flags);
            context.mmaStore(sum20, own, 0, own0, 8);
            wFinish(c, at, own, bias, y, own0, lane, y0, row + 32, column, rows, columns, flags);
            context.mmaStore(sum21, own, 0, own0, 8);
            wFinish(c, at, own, bias, y, own0, lane, y0, row + 32, column + 8, rows, columns, flags);
            context.mmaStore(sum22, own, 0, own0, 8);
            wFinish(c, at, own, bias, y, own0, lane, y0, row + 32, column + 16, rows, columns, flags);
            context.mmaStore(sum23, own, 0, own0, 8);
            wFinish(c, at, own, bias, y, own0, lane, y0, row + 32, column + 24, rows, columns, flags);
            context.mmaStore(sum30, own, 0, own0, 8);
            wFinish(c, at, own, bias, y, own0, lane, y0, row + 48, column, rows, columns, flags);
            context.mmaStore(sum31, own, 0, own0, 8);
            wFinish(c, at, own, bias, y, own0, lane, y0, row + 48, column + 8, rows, columns, flags);
            context.mmaStore(sum32, own, 0, own0, 8);
            wFinish(c, at, own, bias, y, own0, lane, y0, row + 48, column + 16, rows, columns, flags);
            context.mmaStore(sum33, own, 0, own0, 8);
            wFinish(c, at, own, bias, y, own0, lane, y0, row + 48, column + 24, rows, columns, flags);
        }
    }
}
