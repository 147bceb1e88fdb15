package dev.whirlwind.cli.terminal;

import dev.whirlwind.tornado.TornadoEngine;
import java.io.PrintStream;

/**
 * Says how far compiling kernels is, which takes from seconds to minutes: on a terminal in a line that goes when it is done
 * or a bar is drawn over it, else in a line every ten seconds.
 */
public final class CompileProgress implements TornadoEngine.Compiling {
    private static final double INTERVAL_SECONDS = 10;
    private static final String CLEAR = "\r\u001B[K";

    private final PrintStream err;
    private final boolean terminal;
    private double shown;

    public CompileProgress(PrintStream err, boolean terminal) {
        this.err = err;
        this.terminal = terminal;
    }

    @Override
    public void at(int done, int known, double seconds) {
        String text = "compiling kernels: %d of %d, %.0f s".formatted(done, known, seconds);
        if (terminal) {
            err.print(done < known ? CLEAR + text : CLEAR);
            err.flush();
        } else if (seconds - shown >= INTERVAL_SECONDS) {
            err.println(text);
            shown = seconds;
        }
    }
}
