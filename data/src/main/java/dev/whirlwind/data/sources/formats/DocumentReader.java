package dev.whirlwind.data.sources.formats;

import java.io.Closeable;
import java.io.IOException;

/** Gives a file's documents one after the other; one at a time is in memory. */
public interface DocumentReader extends Closeable {
    /** The next one; null at the end. */
    Document next() throws IOException;

    @Override
    default void close() throws IOException {}
}
