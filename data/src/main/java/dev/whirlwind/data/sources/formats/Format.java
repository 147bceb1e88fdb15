package dev.whirlwind.data.sources.formats;

import java.io.IOException;

/**
 * A kind of file that holds documents. To have another one read, write its class and add it to {@link Formats#ALL}. Whatever is of
 * none of these is plain text.
 */
public interface Format {
    /** What {@code --as} calls it. */
    String name();

    Kind kind();

    /** Whether a file is such a one, by its beginning, or by its name where that says nothing. */
    boolean recognises(Input file) throws IOException;

    /**
     * Begins to read.
     *
     * @throws MissingField when it has not what was selected
     */
    DocumentReader open(Input file) throws IOException;

    /** Whether what it holds can be of any encoding, as opposed to having its own. */
    default boolean isText() {
        return false;
    }
}
