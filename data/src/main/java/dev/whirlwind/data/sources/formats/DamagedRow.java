package dev.whirlwind.data.sources.formats;

import java.io.IOException;

/** A file goes wrong at a row, and no more can be read of it. The message says why, and what to do. */
public final class DamagedRow extends IOException {
    private static final long serialVersionUID = 1;

    private final String label;

    DamagedRow(String label, String message, Throwable cause) {
        super(message, cause);
        this.label = label;
    }

    /** What follows the file's name. */
    public String label() {
        return label;
    }
}
