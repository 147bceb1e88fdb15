package dev.whirlwind.cli.terminal;

import java.io.PrintWriter;
import java.util.List;

/** How far some work is: a bar on a terminal, else a line now and then. What is quickly done is not spoken of. */
public final class WorkProgress implements AutoCloseable {
    private static final long LINE_NANOS = 10_000_000_000L;
    private static final long BAR_NANOS = 200_000_000L;

    private final PrintWriter err;
    private final String name;
    private final Bar bar;
    private final long start = System.nanoTime();
    private long shown = start;
    private boolean drawn;

    public WorkProgress(PrintWriter err, String name) {
        this.err = err;
        this.name = name;
        bar = Terminal.interactive() ? new Bar(err, name) : null;
    }

    /** So many parts of all are done. */
    public void done(int done, int all) {
        long now = System.nanoTime();
        if (now - shown < (bar == null ? LINE_NANOS : BAR_NANOS) || (done == all && bar == null)) {
            return;
        }
        shown = now;
        long left = Math.round((now - start) * 1e-9 * (all - done) / done);
        String time = "%d:%02d left".formatted(left / 60, left % 60);
        if (bar == null) {
            err.println("%s: %,d of %,d, %s".formatted(name, done, all, time));
        } else {
            bar.draw(done, all, List.of(done + "/" + all, time));
            drawn = true;
        }
    }

    @Override
    public void close() {
        if (drawn) {
            bar.end();
        }
    }
}
