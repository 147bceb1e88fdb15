package dev.whirlwind.cpu;

/** How memory-bound operations are cut into tasks, and sums over rows into partial sums. */
final class Chunks {
    /** Floats of one stream that a task works on: much more than starting a task costs, less than a share of the L2. */
    static final int FLOATS = 1 << 14;

    private static final int PARTIAL_SUMS = 64;
    private static final int LEAST_ROWS = 8;

    private Chunks() {}

    /** Tasks for a flat range. */
    static int tasks(long length) {
        return Math.toIntExact(Math.ceilDiv(length, (long) FLOATS));
    }

    /** The first element of a task, a multiple of its full size. */
    static long start(int task, long length) {
        return Math.min((long) task * FLOATS, length);
    }

    /** How many elements a task has. */
    static int count(int task, long length) {
        return (int) (start(task + 1, length) - start(task, length));
    }

    /** Rows that a task works on where rows do not depend on each other. */
    static int rowsPerTask(int width) {
        return Math.max(1, FLOATS / width);
    }

    /**
     * Rows whose sum is one partial sum. It is a function of the rows only, never of the number of threads, and so are
     * the bits of the total.
     */
    static int rowsPerSum(int rows) {
        return Math.max(LEAST_ROWS, Math.ceilDiv(rows, PARTIAL_SUMS));
    }
}
