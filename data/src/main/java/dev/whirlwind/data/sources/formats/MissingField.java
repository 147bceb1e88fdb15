package dev.whirlwind.data.sources.formats;

import dev.whirlwind.model.Reason;
import java.io.IOException;
import java.util.Collection;
import java.util.stream.Collectors;

/** A table has not the columns that were selected. */
public final class MissingField extends IOException {
    private static final long serialVersionUID = 1;

    private static final int LISTED = 20;

    private MissingField(String message) {
        super(message);
    }

    static MissingField column(String missing, Collection<String> columns) {
        String there = columns.stream().limit(LISTED).map(Reason::cited).collect(Collectors.joining(", "));
        return new MissingField("no column \"" + missing + "\" ("
                + (columns.isEmpty()
                        ? "it has none"
                        : "its columns: " + there + (columns.size() > LISTED ? ", ..." : ""))
                + ")");
    }

    static MissingField notText(String column, String type) {
        return new MissingField("column \"" + column + "\" holds no text but " + type);
    }
}
