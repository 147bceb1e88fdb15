package dev.whirlwind.cli.terminal;

import dev.whirlwind.model.Reason;
import java.io.PrintWriter;

/**
 * Standard error. A line that is printed is a message, which may cite files, names and values from anywhere: nothing of
 * them may move the terminal's cursor, and none is endless.
 */
public final class Messages extends PrintWriter {
    public Messages(PrintWriter out) {
        super(out, true);
    }

    @Override
    public void println(String message) {
        super.println(Reason.message(message));
    }
}
