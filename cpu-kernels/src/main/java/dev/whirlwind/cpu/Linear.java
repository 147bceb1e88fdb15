package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromArray;
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
    private final FewRows fewRows;
    private final ColumnSums columnSums = new ColumnSums();

    Linear(Workers workers) {
        this.workers = workers;
        gemm = new Gemm(workers);
        fewRows = new FewRows();
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

    /** dweight += dout^T * x; dbias += column sums of dout; either may be 0 for none. */
    void backwardWeight(long dweight, long dbias, long dout, long x, int rows, int inWidth, int outWidth) {
        if (dweight != 0) {
            gemm.aTb(dweight, inWidth, dout, outWidth, x, inWidth, outWidth, inWidth, rows, true);
        }
        if (dbias != 0) {
            columnSums.run(dbias, dout, rows, outWidth);
        }
    }

    /** A few rows times a matrix, at the speed of memory: every weight is read once, four rows of them at a time. */
    private final class FewRows implements Workers.Task {
        private static final int FLOATS_IN_A_TASK = 1 << 16;
        private static final int AT_A_TIME = 4;

        private long out;
        private long x;
        private long weight;
        private long bias;
        private int rows;
        private int inWidth;
        private int outWidth;
        private int outputsInATask;

        /** For each worker: lanes of sums. */
        private final float[][] sums = new float[workers.threads()][AT_A_TIME * LANES];

        void run(long out, long x, long weight, long bias, int rows, int inWidth, int outWidth) {
            this.out = out;
            this.x = x;
            this.weight = weight;
            this.bias = bias;
            this.rows = rows;
            this.inWidth = inWidth;
            this.outWidth = outWidth;
            outputsInATask = Math.ceilDiv(FLOATS_IN_A_TASK, inWidth * AT_A_TIME) * AT_A_TIME;
            workers.run(Math.ceilDiv(outWidth, outputsInATask), this);
        }

        @Override
        public void run(int task, int worker) {
            int end = (int) Math.min(outWidth, (task + 1L) * outputsInATask);
            for (int j = task * outputsInATask; j < end; j += AT_A_TIME) {
                int count = Math.min(AT_A_TIME, end - j);
                for (int i = 0; i < rows; i++) {
                    dots(x + 4L * i * inWidth, weight + 4L * j * inWidth, count, inWidth, sums[worker]);
                    for (int d = 0; d < count; d++) {
                        float start = bias == 0 ? 0 : Memory.get(bias + 4L * (j + d));
                        float dot = VectorMath.sum(fromArray(SPECIES, sums[worker], d * LANES));
                        float rest = rest(x + 4L * i * inWidth, weight + 4L * (j + d) * inWidth, inWidth);
                        Memory.set(out + 4L * ((long) i * outWidth + j + d), start + (dot + rest));
                    }
                }
            }
        }

        /** The part of a dot product beyond whole vectors. */
        private static float rest(long a, long b, int width) {
            float sum = 0;
            for (int k = SPECIES.loopBound(width); k < width; k++) {
                sum = Math.fma(Memory.get(a + 4L * k), Memory.get(b + 4L * k), sum);
            }
            return sum;
        }

        /**
         * Lanes of the dot products of a and each row of b, as far as vectors are whole; fewer than four rows are filled
         * up with the last.
         */
        private static void dots(long a, long b, int count, int width, float[] sums) {
            long b0 = b;
            long b1 = b + 4L * Math.min(1, count - 1) * width;
            long b2 = b + 4L * Math.min(2, count - 1) * width;
            long b3 = b + 4L * Math.min(3, count - 1) * width;
            FloatVector s0 = FloatVector.zero(SPECIES);
            FloatVector s1 = s0;
            FloatVector s2 = s0;
            FloatVector s3 = s0;
            int full = SPECIES.loopBound(width);
            for (int k = 0; k < full; k += LANES) {
                FloatVector v = fromMemorySegment(SPECIES, ALL, a + 4L * k, ORDER);
                s0 = v.fma(fromMemorySegment(SPECIES, ALL, b0 + 4L * k, ORDER), s0);
                s1 = v.fma(fromMemorySegment(SPECIES, ALL, b1 + 4L * k, ORDER), s1);
                s2 = v.fma(fromMemorySegment(SPECIES, ALL, b2 + 4L * k, ORDER), s2);
                s3 = v.fma(fromMemorySegment(SPECIES, ALL, b3 + 4L * k, ORDER), s3);
            }
            s0.intoArray(sums, 0);
            s1.intoArray(sums, LANES);
            s2.intoArray(sums, 2 * LANES);
            s3.intoArray(sums, 3 * LANES);
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
