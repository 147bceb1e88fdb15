package dev.whirlwind.data.sources.formats;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The formats that are known. */
public final class Formats {
    /** In the order in which a file is asked for them. */
    static final List<Format> ALL = List.of(
            new Parquet(),
            new Arrow(),
            new Pdf(),
            new Warc(),
            new WikiDump(),
            new TokenFile(),
            new Office(),
            Table.COMMAS,
            Table.TABS,
            new JsonRows(),
            new Page());

    /** What {@code --as} calls plain text. */
    private static final String TEXT = "text";

    private Formats() {}

    /** The format of a file; empty for plain text. */
    public static Optional<Format> of(Input file) throws IOException {
        if (file.options().as() != null) {
            return named(file.options().as());
        }
        for (Format format : ALL) {
            if (format.recognises(file)) {
                return Optional.of(format);
            }
        }
        return Optional.empty();
    }

    /** Of a name that {@code --as} allows; empty for plain text. */
    public static Optional<Format> named(String name) {
        Stream<Format> all = Stream.concat(ALL.stream(), TokenFile.RAW.stream());
        return all.filter(format -> format.name().equals(name)).findFirst();
    }

    /** All names that {@code --as} allows. */
    public static List<String> names() {
        return Stream.of(
                        Stream.of(TEXT),
                        ALL.stream().map(Format::name),
                        TokenFile.RAW.stream().map(Format::name))
                .flatMap(names -> names)
                .collect(Collectors.toList());
    }
}
