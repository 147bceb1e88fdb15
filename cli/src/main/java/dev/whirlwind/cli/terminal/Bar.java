package dev.whirlwind.cli.terminal;

import java.io.PrintWriter;
import java.util.List;

/** A line at the end of a terminal that is drawn again and again: how far something is, and figures of it. */
public final class Bar {
    private static final int SHORTEST = 10;
    private static final int LONGEST = 40;

    private static final String TO_START_AND_CLEAR = "\r\u001B[K";

    private final PrintWriter err;
    private final String name;
    private String drawn = "";

    public Bar(PrintWriter err, String name) {
        this.err = err;
        this.name = name;
    }

    /**
     * Draws it in place of what it was.
     *
     * @param figures the most important first; those that the terminal is too narrow for are left out
     */
    public void draw(long done, long total, List<String> figures) {
        drawn = line(name, done, total, figures, Terminal.width() - 1);
        err.print(TO_START_AND_CLEAR + drawn);
        err.flush();
    }

    /** Prints a line above the bar. */
    public void above(String text) {
        err.print(TO_START_AND_CLEAR);
        err.println(text);
        err.print(drawn);
        err.flush();
    }

    /** Takes it away. */
    public void end() {
        err.print(TO_START_AND_CLEAR);
        err.flush();
    }

    /** All figures that there is room for, and a bar where some is left after that. */
    static String line(String name, long done, long total, List<String> figures, int width) {
        StringBuilder line =
                new StringBuilder("%s %3d %%".formatted(name, total == 0 ? 100 : Math.min(100, 100 * done / total)));
        int room = width - line.length();
        String shown = "";
        for (String figure : figures) {
            String more = shown + (shown.isEmpty() ? " " : ", ") + figure;
            shown = more.length() <= room ? more : shown;
        }
        int length = Math.min(room - shown.length() - " []".length(), LONGEST);
        if (length >= SHORTEST) {
            int full = (int) (total == 0 ? length : length * Math.min(done, total) / total);
            line.append(" [")
                    .append("=".repeat(full))
                    .append(" ".repeat(length - full))
                    .append(']');
        }
        line.append(shown);
        return line.substring(0, Math.min(line.length(), Math.max(0, width)));
    }
}
