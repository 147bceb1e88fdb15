package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromArray;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import dev.whirlwind.model.Format;
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
    private final StoredWeights stored;
    private final Gemm gemm;
    private final FewRows fewRows;
    private final ColumnSums columnSums = new ColumnSums();

    /** Weights may lie among {@code stored} ones. */
    Linear(Workers workers, StoredWeights stored) {
        this.workers = workers;
        this.stored = stored;
        gemm = new Gemm(workers, stored);
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

        /** Columns of stored weights that are widened at a time. */
        private static final int WIDENED = 1024;

        /** For each worker: lanes of sums of each row. */
        private final float[][] sums = new float[workers.threads()][FEW_ROWS * AT_A_TIME * LANES];

        private final Scratch scratch = new Scratch();
        private long widened;

        /** Whether the weights are bfloat16 in rows of whole vectors; x, then, as their products take it. */
        private boolean halves;

        private long separated;

        void run(long out, long x, long weight, long bias, int rows, int inWidth, int outWidth) {
            this.out = out;
            this.x = x;
            this.weight = weight;
            this.bias = bias;
            this.rows = rows;
            this.inWidth = inWidth;
            this.outWidth = outWidth;
            if (StoredWeights.isStored(weight)) {
                widened = scratch.reserve((long) workers.threads() * AT_A_TIME * WIDENED + (long) rows * inWidth);
            }
            halves = inWidth % Bfloat16.STEP == 0
                    && StoredWeights.isStored(weight)
                    && stored.format(weight) == Format.BF16;
            if (halves) {
                separated = widened + 4L * workers.threads() * AT_A_TIME * WIDENED;
                Bfloat16.separate(x, rows * inWidth, separated);
            }
            outputsInATask = Math.ceilDiv(FLOATS_IN_A_TASK, inWidth * AT_A_TIME) * AT_A_TIME;
            workers.run(Math.ceilDiv(outWidth, outputsInATask), this);
        }

        @Override
        public void run(int task, int worker) {
            int end = (int) Math.min(outWidth, (task + 1L) * outputsInATask);
            for (int j = task * outputsInATask; j < end; j += AT_A_TIME) {
                int count = Math.min(AT_A_TIME, end - j);
                if (halves) {
                    halves(j, count, sums[worker]);
                } else if (StoredWeights.isStored(weight)) {
                    stored(j, count, worker);
                } else {
                    multiply(x, weight + 4L * j * inWidth, inWidth, 0, j, count, inWidth, sums[worker]);
                }
            }
        }

        /** Numbers of 16 bits as they lie, which memory gives twice as fast as floats. */
        private void halves(int j, int count, float[] sums) {
            long b0 = half(j);
            long b1 = half(j + Math.min(1, count - 1));
            long b2 = half(j + Math.min(2, count - 1));
            long b3 = half(j + Math.min(3, count - 1));
            for (int i = 0; i < rows; i++) {
                Bfloat16.dots(separated + 4L * i * inWidth, b0, b1, b2, b3, inWidth, sums, 0);
                for (int d = 0; d < count; d++) {
                    float start = bias == 0 ? 0 : Memory.get(bias + 4L * (j + d));
                    float dot = VectorMath.sum(fromArray(SPECIES, sums, d * LANES));
                    Memory.set(out + 4L * ((long) i * outWidth + j + d), start + dot);
                }
            }
        }

        private long half(int row) {
            return stored.halves(weight + 4L * row * inWidth);
        }

        /** By way of floats of some columns at a time. */
        private void stored(int j, int count, int worker) {
            long floats = widened + 4L * worker * AT_A_TIME * WIDENED;
            for (int k = 0; k < inWidth; k += WIDENED) {
                int width = Math.min(WIDENED, inWidth - k);
                for (int d = 0; d < count; d++) {
                    stored.widen(weight + 4L * (j + d) * inWidth + 4L * k, width, floats + 4L * d * WIDENED);
                }
                multiply(x + 4L * k, floats, WIDENED, k, j, count, width, sums[worker]);
            }
        }

        /**
         * Products of all rows and {@code count} rows of the weights, in columns first to first + width.
         *
         * @param x the rows' first of these columns
         * @param b the same of the weights, rows of which are {@code step} floats apart
         */
        private void multiply(long x, long b, int step, int first, int j, int count, int width, float[] sums) {
            for (int i = 0; i < rows; i++) {
                int at = i * AT_A_TIME * LANES;
                long row = x + 4L * i * inWidth;
                dots(row, b, step, count, width, sums, at, first > 0);
                if (first + width == inWidth) {
                    for (int d = 0; d < count; d++) {
                        float start = bias == 0 ? 0 : Memory.get(bias + 4L * (j + d));
                        float dot = VectorMath.sum(fromArray(SPECIES, sums, at + d * LANES));
                        float rest = rest(row, b + 4L * d * step, width);
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
         * Lanes of the dot products of a and each row of b, as far as vectors are whole, from {@code at} on, perhaps added to
         * what is there; fewer than four rows are filled up with the last.
         */
        private static void dots(
                long a, long b, int step, int count, int width, float[] sums, int at, boolean accumulate) {
            long b0 = b;
            long b1 = b + 4L * Math.min(1, count - 1) * step;
            long b2 = b + 4L * Math.min(2, count - 1) * step;
            long b3 = b + 4L * Math.min(3, count - 1) * step;
            FloatVector s0 = FloatVector.zero(SPECIES);
            FloatVector s1 = s0;
            FloatVector s2 = s0;
            FloatVector s3 = s0;
            if (accumulate) {
                s0 = fromArray(SPECIES, sums, at);
                s1 = fromArray(SPECIES, sums, at + LANES);
                s2 = fromArray(SPECIES, sums, at + 2 * LANES);
                s3 = fromArray(SPECIES, sums, at + 3 * LANES);
            }
            int full = SPECIES.loopBound(width);
            for (int k = 0; k < full; k += LANES) {
                FloatVector v = fromMemorySegment(SPECIES, ALL, a + 4L * k, ORDER);
                s0 = v.fma(fromMemorySegment(SPECIES, ALL, b0 + 4L * k, ORDER), s0);
                s1 = v.fma(fromMemorySegment(SPECIES, ALL, b1 + 4L * k, ORDER), s1);
                s2 = v.fma(fromMemorySegment(SPECIES, ALL, b2 + 4L * k, ORDER), s2);
                s3 = v.fma(fromMemorySegment(SPECIES, ALL, b3 + 4L * k, ORDER), s3);
            }
            s0.intoArray(sums, at);
            s1.intoArray(sums, at + LANES);
            s2.intoArray(sums, at + 2 * LANES);
            s3.intoArray(sums, at + 3 * LANES);
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
