package dev.whirlwind.cli.terminal;

import java.io.PrintWriter;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What SIGINT (Ctrl-C), SIGTERM and SIGHUP do while it is open. The first asks the work to stop, which then ends by
 * itself, or, where nothing is to be saved, says what becomes of the work and ends the process. Another one ends it in any
 * case: all that is written can be cut off at any moment. One may be opened inside another and takes its place meanwhile.
 *
 * <p>Handlers rather than a shutdown hook: during a shutdown the JVM is deaf to further signals, and a hook that waits for
 * a main thread which an Error has ended waits for ever.
 */
public final class Interruption implements AutoCloseable {
    /** Of a process that was interrupted and has saved everything. */
    public static final int EXIT_CODE = 130;

    private static final List<String> SIGNALS = List.of("INT", "TERM", "HUP");

    /** A terminal that is held (Ctrl-S) must not keep the process from ending. */
    private static final int MOST_MILLIS_TO_SPEAK = 500;

    private static Interruption current;
    private static final Map<String, Object> HANDLERS_BEFORE = new HashMap<>();

    private final PrintWriter err;
    private final Runnable stop;
    private final String last;
    private final Interruption outer;
    private boolean came;

    private Interruption(PrintWriter err, Runnable stop, String last) {
        this.err = err;
        this.stop = stop;
        this.last = last;
        synchronized (Interruption.class) {
            outer = current;
            current = this;
            if (outer == null) {
                SIGNALS.forEach(signal -> HANDLERS_BEFORE.put(signal, Signals.handle(signal, Interruption::signal)));
            }
        }
    }

    /**
     * The first signal asks the work to stop.
     *
     * @param stop asks it, and returns at once; it is called on another thread
     * @param last what a second signal says before it ends the process
     */
    public static Interruption stopping(PrintWriter err, Runnable stop, String last) {
        return new Interruption(err, stop, last);
    }

    /** The first signal says {@code last} and ends the process. */
    public static Interruption ending(PrintWriter err, String last) {
        return new Interruption(err, null, last);
    }

    /** The work is done: signals do again what they did before. */
    @Override
    public void close() {
        synchronized (Interruption.class) {
            current = outer;
            if (outer == null) {
                HANDLERS_BEFORE.forEach(Signals::restore);
                HANDLERS_BEFORE.clear();
            }
        }
    }

    /** Each signal comes on a thread of its own. */
    private static void signal() {
        Interruption now;
        boolean first;
        synchronized (Interruption.class) {
            now = current;
            if (now == null) {
                // The work has ended in this very moment, and the process is about to.
                return;
            }
            first = !now.came;
            now.came = true;
        }
        if (first && now.stop != null) {
            now.stop.run();
        } else {
            now.end();
        }
    }

    private void end() {
        Thread speaker = Thread.ofPlatform().daemon().start(() -> {
            if (Terminal.interactive()) {
                // Below a bar that may be there, and the ^C that the terminal shows.
                err.println();
            }
            err.println(last);
        });
        try {
            speaker.join(MOST_MILLIS_TO_SPEAK);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        Runtime.getRuntime().halt(EXIT_CODE);
    }
}
