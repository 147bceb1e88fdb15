package dev.whirlwind.cpu;

import dev.whirlwind.model.Ops;
import java.lang.foreign.Arena;

/**
 * What the machine's memory gives, on arrays larger than its caches: the bandwidth that operations which compute little
 * are measured against.
 */
public final class MemoryBenchmark {
    private static final long FLOATS = 64L << 20;

    /** What it takes: two arrays. */
    public static final long BYTES = 2 * Float.BYTES * FLOATS;

    /**
     * In 10^9 bytes per second.
     *
     * @param copy of a copy, bytes read and bytes written together
     * @param read of reading only
     */
    public record Result(double copy, double read) {}

    private MemoryBenchmark() {}

    /** The best of several measurements on so many threads. */
    public static Result measure(int threads, int measurements) {
        try (Workers workers = new Workers(threads);
                Arena arena = Arena.ofShared()) {
            long from = Memory.allocate(arena, FLOATS).address();
            long to = Memory.allocate(arena, FLOATS).address();
            long partials = Memory.allocate(arena, Ops.PARTIALS).address();
            Workers.Task copying = (task, worker) -> {
                long start = 4 * Chunks.start(task, FLOATS);
                Memory.copy(from + start, to + start, Chunks.count(task, FLOATS));
            };
            SumOfSquares reading = new SumOfSquares(workers);
            double copy = best(measurements, () -> workers.run(Chunks.tasks(FLOATS), copying), 8 * FLOATS);
            double read = best(measurements, () -> reading.run(partials, from, FLOATS), 4 * FLOATS);
            return new Result(copy, read);
        }
    }

    private static double best(int measurements, Runnable pass, long bytes) {
        double best = 0;
        for (int i = 0; i < measurements; i++) {
            long start = System.nanoTime();
            pass.run();
            best = Math.max(best, (double) bytes / (System.nanoTime() - start));
        }
        return best;
    }
}
