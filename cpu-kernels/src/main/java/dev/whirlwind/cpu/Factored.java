package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Adafactor's second moments (Shazeer and Stern, arXiv 1804.04235). Of a matrix only the moving means of its rows' and
 * columns' squares are kept; r c / mean(r) stands for an element's own.
 */
final class Factored {
    /** What squares of gradients are raised by, so that nothing is divided by 0. */
    private static final float LEAST_SQUARE = 1e-30f;

    private final Workers workers;
    private final RowSums sums;
    private final Workers.Task squares = this::squares;
    private final Workers.Task direction = this::direction;
    private final Workers.Task vector = this::vector;

    // The call in progress; addresses.
    private long gradient;
    private long r;
    private long c;
    private int rows;
    private int columns;
    private int rowsPerSum;
    private float decay;
    private float scale;
    private double mean;
    private long length;

    Factored(Workers workers, RowSums sums) {
        this.workers = workers;
        this.sums = sums;
    }

    /** With g = gradient * scale: r = decay r + (1 - decay) (means of g^2 over columns), c likewise over rows. */
    void moments(long r, long c, long gradient, int rows, int columns, float decay, float scale) {
        this.gradient = gradient;
        this.r = r;
        this.rows = rows;
        this.columns = columns;
        this.decay = decay;
        this.scale = scale;
        rowsPerSum = Chunks.rowsPerSum(rows);
        int chunks = Math.ceilDiv(rows, rowsPerSum);
        sums.reserve(chunks, columns);
        for (int i = 0; i < columns; i++) {
            Memory.set(c + 4L * i, Memory.get(c + 4L * i) * decay + (1 - decay) * LEAST_SQUARE);
        }
        workers.run(chunks, squares);
        sums.addTo(c, 0, columns);
    }

    /** Squares of some rows, added up by row and by column; the latter times what they count in c. */
    private void squares(int task, int worker) {
        long columnSums = sums.begin(task);
        int end = Math.min(rows, (task + 1) * rowsPerSum);
        float share = (1 - decay) / rows;
        for (int row = task * rowsPerSum; row < end; row++) {
            double sum = 0;
            long from = gradient + 4L * row * columns;
            for (int i = 0; i < columns; i += Chunks.FLOATS) {
                sum += squares(from + 4L * i, columnSums + 4L * i, Math.min(Chunks.FLOATS, columns - i), scale, share);
            }
            long place = r + 4L * row;
            Memory.set(place, (float) (Memory.get(place) * decay + (1 - decay) * (sum / columns + LEAST_SQUARE)));
        }
    }

    /** The sum of squares; each, times a share, is added to its column. */
    private static float squares(long g, long columnSums, int count, float scale, float share) {
        FloatVector sums = FloatVector.zero(SPECIES);
        int full = SPECIES.loopBound(count);
        for (int i = 0; i < 4 * full; i += 4 * LANES) {
            FloatVector x = fromMemorySegment(SPECIES, ALL, g + i, ORDER).mul(scale);
            FloatVector square = x.mul(x);
            sums = sums.add(square);
            fromMemorySegment(SPECIES, ALL, columnSums + i, ORDER)
                    .add(square.mul(share))
                    .intoMemorySegment(ALL, columnSums + i, ORDER);
        }
        float sum = VectorMath.sum(sums);
        for (int i = full; i < count; i++) {
            float x = Memory.get(g + 4L * i) * scale;
            sum += x * x;
            Memory.set(columnSums + 4L * i, Memory.get(columnSums + 4L * i) + x * x * share);
        }
        return sum;
    }

    /** gradient = gradient scale / sqrt(r c / mean(r)). */
    void direction(long gradient, long r, long c, int rows, int columns, float scale) {
        this.gradient = gradient;
        this.r = r;
        this.c = c;
        this.rows = rows;
        this.columns = columns;
        this.scale = scale;
        double sum = 0;
        for (int row = 0; row < rows; row++) {
            sum += Memory.get(r + 4L * row);
        }
        mean = sum / rows;
        workers.run(Math.ceilDiv(rows, Chunks.rowsPerTask(columns)), direction);
    }

    private void direction(int task, int worker) {
        int perTask = Chunks.rowsPerTask(columns);
        int end = Math.min(rows, (task + 1) * perTask);
        for (int row = task * perTask; row < end; row++) {
            float factor = (float) (scale / Math.sqrt(Memory.get(r + 4L * row) / mean));
            direction(gradient + 4L * row * columns, c, columns, factor);
        }
    }

    private static void direction(long g, long c, int columns, float factor) {
        int full = SPECIES.loopBound(columns);
        for (int i = 0; i < full; i += LANES) {
            fromMemorySegment(SPECIES, ALL, g + 4L * i, ORDER)
                    .mul(factor)
                    .div(fromMemorySegment(SPECIES, ALL, c + 4L * i, ORDER).lanewise(VectorOperators.SQRT))
                    .intoMemorySegment(ALL, g + 4L * i, ORDER);
        }
        for (int i = full; i < columns; i++) {
            long place = g + 4L * i;
            Memory.set(place, Memory.get(place) * factor / (float) Math.sqrt(Memory.get(c + 4L * i)));
        }
    }

    /** With g = gradient * scale: v = decay v + (1 - decay) g^2; gradient = g / sqrt(v). */
    void vector(long gradient, long v, long length, float decay, float scale) {
        this.gradient = gradient;
        r = v;
        this.length = length;
        this.decay = decay;
        this.scale = scale;
        workers.run(Chunks.tasks(length), vector);
    }

    private void vector(int task, int worker) {
        long from = 4 * Chunks.start(task, length);
        int count = Chunks.count(task, length);
        for (long i = from; i < from + 4L * count; i += 4) {
            float g = Memory.get(gradient + i) * scale;
            float v = Memory.get(r + i) * decay + (1 - decay) * (g * g + LEAST_SQUARE);
            Memory.set(r + i, v);
            Memory.set(gradient + i, g / (float) Math.sqrt(v));
        }
    }
}
