package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * Linear layers: y = x * W^T + bias and its gradients, on contiguous row-major matrices. Addresses are {@link Memory}'s.
 * Not for use by several threads at a time.
 */
final class Linear {
    /** Up to so many rows, reading the weights is the cost: they are multiplied in place instead of packed. */
    private static final int FEW_ROWS = 8;

    private final Workers workers;
    private final Gemm gemm;
    private final FewRows fewRows = new FewRows();
    private final ColumnSums columnSums = new ColumnSums();

    Linear(Workers workers) {
        this.workers = workers;
        gemm = new Gemm(workers);
    }

    /** The multiplication that the layers run on. */
    Gemm gemm() {
        return gemm;
    }

    /** out [rows, outWidth] = x [rows, inWidth] * weight [outWidth, inWidth]^T + bias [outWidth], 0 for none. */
    void forward(long out, long x, long weight, long bias, int rows, int inWidth, int outWidth) {
        if (rows <= FEW_ROWS) {
            fewRows.run(out, x, weight, bias, rows, inWidth, outWidth);
        } else {
            gemm.abT(out, outWidth, x, inWidth, weight, inWidth, bias, rows, outWidth, inWidth, false);
        }
    }

    /** dx [rows, inWidth] = dout [rows, outWidth] * weight. */
    void backwardInput(long dx, long dout, long weight, int rows, int inWidth, int outWidth) {
        gemm.ab(dx, inWidth, dout, outWidth, weight, inWidth, rows, inWidth, outWidth, false);
    }

    /** dweight += dout^T * x; dbias, 0 for none, += column sums of dout. */
    void backwardWeight(long dweight, long dbias, long dout, long x, int rows, int inWidth, int outWidth) {
        gemm.aTb(dweight, inWidth, dout, outWidth, x, inWidth, outWidth, inWidth, rows, true);
        if (dbias != 0) {
            columnSums.run(dbias, dout, rows, outWidth);
        }
    }

    /** A few rows times a matrix, at the speed of memory: weights are read once, in one stream. */
    private final class FewRows implements Workers.Task {
        private static final int FLOATS_IN_A_TASK = 1 << 16;

        private long out;
        private long x;
        private long weight;
        private long bias;
        private int rows;
        private int inWidth;
        private int outWidth;
        private int outputsInATask;

        void run(long out, long x, long weight, long bias, int rows, int inWidth, int outWidth) {
            this.out = out;
            this.x = x;
            this.weight = weight;
            this.bias = bias;
            this.rows = rows;
            this.inWidth = inWidth;
            this.outWidth = outWidth;
            outputsInATask = Math.ceilDiv(FLOATS_IN_A_TASK, inWidth);
            workers.run(Math.ceilDiv(outWidth, outputsInATask), this);
        }

        @Override
        public void run(int task, int worker) {
            int end = (int) Math.min(outWidth, (task + 1L) * outputsInATask);
            for (int j = task * outputsInATask; j < end; j++) {
                float start = bias == 0 ? 0 : Memory.get(bias + 4L * j);
                for (int i = 0; i < rows; i++) {
                    float dot = dot(x + 4L * i * inWidth, weight + 4L * j * inWidth, inWidth);
                    Memory.set(out + 4L * ((long) i * outWidth + j), start + dot);
                }
            }
        }

        /** Four sums at a time, because an addition takes about four cycles. */
        private static float dot(long a, long b, int width) {
            FloatVector s0 = FloatVector.zero(SPECIES);
            FloatVector s1 = s0;
            FloatVector s2 = s0;
            FloatVector s3 = s0;
            int k = 0;
            for (; k <= width - 4 * LANES; k += 4 * LANES) {
                FloatVector a0 = fromMemorySegment(SPECIES, ALL, a + 4L * k, ORDER);
                FloatVector a1 = fromMemorySegment(SPECIES, ALL, a + 4L * (k + LANES), ORDER);
                FloatVector a2 = fromMemorySegment(SPECIES, ALL, a + 4L * (k + 2 * LANES), ORDER);
                FloatVector a3 = fromMemorySegment(SPECIES, ALL, a + 4L * (k + 3 * LANES), ORDER);
                s0 = a0.fma(fromMemorySegment(SPECIES, ALL, b + 4L * k, ORDER), s0);
                s1 = a1.fma(fromMemorySegment(SPECIES, ALL, b + 4L * (k + LANES), ORDER), s1);
                s2 = a2.fma(fromMemorySegment(SPECIES, ALL, b + 4L * (k + 2 * LANES), ORDER), s2);
                s3 = a3.fma(fromMemorySegment(SPECIES, ALL, b + 4L * (k + 3 * LANES), ORDER), s3);
            }
            for (; k < width; k += LANES) {
                VectorMask<Float> mask = Memory.firstLanes(width - k);
                s0 = fromMemorySegment(SPECIES, ALL, a + 4L * k, ORDER, mask)
                        .fma(fromMemorySegment(SPECIES, ALL, b + 4L * k, ORDER, mask), s0);
            }
            return VectorMath.sum(s0.add(s1).add(s2.add(s3)));
        }
    }

    /** sums [width] += the sums of the columns of x [rows, width], a few vectors' columns a task. */
    private final class ColumnSums implements Workers.Task {
        private static final int VECTORS_IN_A_TASK = 4;

        /** Rows summed before they are added to the total, so that rounding grows with the root of the rows only. */
        private static final int ROWS_AT_A_TIME = 64;

        private long sums;
        private long x;
        private int rows;
        private int width;

        void run(long sums, long x, int rows, int width) {
            this.sums = sums;
            this.x = x;
            this.rows = rows;
            this.width = width;
            workers.run(Math.ceilDiv(width, VECTORS_IN_A_TASK * LANES), this);
        }

        @Override
        public void run(int task, int worker) {
            int start = task * VECTORS_IN_A_TASK * LANES;
            int end = Math.min(width, start + VECTORS_IN_A_TASK * LANES);
            for (int from = 0; from < rows; from += ROWS_AT_A_TIME) {
                int to = Math.min(rows, from + ROWS_AT_A_TIME);
                for (int j = start; j < end; j += LANES) {
                    addRows(from, to, j);
                }
            }
        }

        private void addRows(int from, int to, int j) {
            long step = 4L * width;
            long column = x + 4L * j;
            VectorMask<Float> mask = Memory.firstLanes(width - j);
            FloatVector sum = FloatVector.zero(SPECIES);
            for (int i = from; i < to; i++) {
                sum = sum.add(fromMemorySegment(SPECIES, ALL, column + i * step, ORDER, mask));
            }
            long target = sums + 4L * j;
            sum.add(fromMemorySegment(SPECIES, ALL, target, ORDER, mask)).intoMemorySegment(ALL, target, ORDER, mask);
        }
    }
}
