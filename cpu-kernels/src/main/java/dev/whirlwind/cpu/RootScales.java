package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import jdk.incubator.vector.VectorOperators;

/** Rows or columns of a matrix times roots of ratios, as APOLLO scales gradients (arXiv 2412.05270). */
final class RootScales {
    private final Workers workers;
    private final Workers.Task scale = this::scale;

    // The call in progress; addresses.
    private long x;
    private long numerators;
    private long denominators;
    private int rows;
    private int columns;
    private boolean ofRows;

    RootScales(Workers workers) {
        this.workers = workers;
    }

    /** x[i, j] *= sqrt(numerators[k] / denominators[k]), with k = i for rows, else j. */
    void scale(long x, long numerators, long denominators, int rows, int columns, boolean ofRows) {
        this.x = x;
        this.numerators = numerators;
        this.denominators = denominators;
        this.rows = rows;
        this.columns = columns;
        this.ofRows = ofRows;
        workers.run(Math.ceilDiv(rows, Chunks.rowsPerTask(columns)), scale);
    }

    private void scale(int task, int worker) {
        int perTask = Chunks.rowsPerTask(columns);
        int end = Math.min(rows, (task + 1) * perTask);
        for (int row = task * perTask; row < end; row++) {
            long place = x + 4L * row * columns;
            if (ofRows) {
                scale(place, columns, root(numerators + 4L * row, denominators + 4L * row));
            } else {
                scale(place, columns, numerators, denominators);
            }
        }
    }

    private static float root(long numerator, long denominator) {
        return (float) Math.sqrt(Memory.get(numerator) / Memory.get(denominator));
    }

    private static void scale(long x, int columns, float factor) {
        int full = SPECIES.loopBound(columns);
        for (int i = 0; i < full; i += LANES) {
            fromMemorySegment(SPECIES, ALL, x + 4L * i, ORDER).mul(factor).intoMemorySegment(ALL, x + 4L * i, ORDER);
        }
        for (int i = full; i < columns; i++) {
            Memory.set(x + 4L * i, Memory.get(x + 4L * i) * factor);
        }
    }

    private static void scale(long x, int columns, long numerators, long denominators) {
        int full = SPECIES.loopBound(columns);
        for (int i = 0; i < full; i += LANES) {
            fromMemorySegment(SPECIES, ALL, x + 4L * i, ORDER)
                    .mul(fromMemorySegment(SPECIES, ALL, numerators + 4L * i, ORDER)
                            .div(fromMemorySegment(SPECIES, ALL, denominators + 4L * i, ORDER))
                            .lanewise(VectorOperators.SQRT))
                    .intoMemorySegment(ALL, x + 4L * i, ORDER);
        }
        for (int i = full; i < columns; i++) {
            long place = x + 4L * i;
            Memory.set(place, Memory.get(place) * root(numerators + 4L * i, denominators + 4L * i));
        }
    }
}
