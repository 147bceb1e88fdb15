package dev.whirlwind.cli.tokenizer;

import java.io.PrintWriter;
import java.util.function.LongConsumer;

/** A line now and then about text that is read, of which nobody knows how much there is. */
final class ReadingProgress implements LongConsumer {
    private static final long NANOS_BETWEEN_LINES = 10_000_000_000L;

    private final String name;
    private final PrintWriter err;
    private long lastLine = System.nanoTime();

    ReadingProgress(String name, PrintWriter err) {
        this.name = name;
        this.err = err;
    }

    @Override
    public void accept(long bytes) {
        long now = System.nanoTime();
        if (now - lastLine >= NANOS_BETWEEN_LINES) {
            lastLine = now;
            err.println("%s: %,d MB".formatted(name, bytes / 1_000_000));
        }
    }
}
