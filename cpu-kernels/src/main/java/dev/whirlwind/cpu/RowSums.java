package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import jdk.incubator.vector.FloatVector;

/**
 * The gradient of a parameter that all rows share is a sum over rows. Each chunk of rows ({@link Chunks#rowsPerSum}) sums
 * into a row of scratch memory of its own, then these are added to the gradient in order: the same bits for any number
 * of threads.
 */
final class RowSums {
    private static final int COLUMNS = 256;

    private final Workers workers;
    private final Scratch scratch;
    private final Workers.Task addUp = this::addUp;

    private long partials;
    private int chunks;
    private int width;
    private long total;
    private int totalOffset;
    private int totalWidth;

    RowSums(Workers workers, Scratch scratch) {
        this.workers = workers;
        this.scratch = scratch;
    }

    /** Makes room for one partial sum of {@code width} floats for each chunk. */
    void reserve(int chunks, int width) {
        this.chunks = chunks;
        this.width = width;
        partials = scratch.reserve((long) chunks * width);
    }

    /** The partial sum of a chunk, set to zero. */
    long begin(int chunk) {
        long sum = partials + 4L * chunk * width;
        Memory.zero(sum, width);
        return sum;
    }

    /** Adds columns {@code offset .. offset + columns} of all partial sums to {@code total}, unless that is 0. */
    void addTo(long total, int offset, int columns) {
        if (total == 0) {
            return;
        }
        this.total = total;
        totalOffset = offset;
        totalWidth = columns;
        workers.run(Math.ceilDiv(columns, COLUMNS), addUp);
    }

    private void addUp(int task, int worker) {
        int from = task * COLUMNS;
        int to = Math.min(totalWidth, from + COLUMNS);
        addUp(total, partials + 4L * totalOffset, chunks, width, from, to);
    }

    private static void addUp(long total, long partials, int chunks, int width, int from, int to) {
        int c = from;
        for (; c + LANES <= to; c += LANES) {
            FloatVector sum = fromMemorySegment(SPECIES, ALL, partials + 4L * c, ORDER);
            for (int chunk = 1; chunk < chunks; chunk++) {
                sum = sum.add(fromMemorySegment(SPECIES, ALL, partials + 4L * ((long) chunk * width + c), ORDER));
            }
            long place = total + 4L * c;
            fromMemorySegment(SPECIES, ALL, place, ORDER).add(sum).intoMemorySegment(ALL, place, ORDER);
        }
        for (; c < to; c++) {
            float sum = Memory.get(partials + 4L * c);
            for (int chunk = 1; chunk < chunks; chunk++) {
                sum += Memory.get(partials + 4L * ((long) chunk * width + c));
            }
            Memory.set(total + 4L * c, Memory.get(total + 4L * c) + sum);
        }
    }
}
