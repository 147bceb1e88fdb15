package dev.whirlwind.training.report;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.metrics.Listener;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.function.LongSupplier;

/**
 * Keeps a run's page up to date: after each evaluation and every half a minute, unless that would take more than a
 * hundredth of the run's time, and at its end.
 */
public final class LiveReport implements Listener {
    private static final long EVERY_NANOS = 30_000_000_000L;
    private static final double SHARE = 0.01;

    private final Path file;
    private final RunHistory history;
    private final LongSupplier clock;
    private final long start;
    private long written;
    private long spent;

    /** Nanoseconds that a page takes, in a JVM that has made none before. */
    private long cost = 100_000_000;

    private boolean evaluated;

    /**
     * @param file it is replaced as a whole
     * @param history of the run so far
     */
    public LiveReport(Path file, RunHistory history) {
        this(file, history, System::nanoTime);
    }

    LiveReport(Path file, RunHistory history, LongSupplier clock) {
        this.file = file;
        this.history = history;
        this.clock = clock;
        start = clock.getAsLong();
        written = start;
    }

    @Override
    public void on(Event event) {
        history.add(event);
        evaluated |= event instanceof Event.Eval;
        long now = clock.getAsLong();
        boolean due = evaluated || now - written >= EVERY_NANOS;
        // All of an evaluation has been told when a step comes.
        if (event instanceof Event.Step && due && spent + cost <= SHARE * (now - start)) {
            write(true);
            written = clock.getAsLong();
            cost = written - now;
            spent += cost;
            evaluated = false;
        }
    }

    @Override
    public void note(String sentence) {}

    /** The part of the time since the start that pages took. */
    double share() {
        return (double) spent / Math.max(1, clock.getAsLong() - start);
    }

    /** Writes the page for the last time. */
    @Override
    public void close() {
        write(false);
    }

    private void write(boolean running) {
        write(file, ReportPage.of(history, running));
    }

    /**
     * Writes a page whole or not at all.
     *
     * @throws UserException if that cannot be done
     */
    public static void write(Path file, String page) {
        try {
            Storage.replace(file, page.getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UserException(file + ": cannot be written (" + Reason.of(e) + ")", e);
        }
    }
}
