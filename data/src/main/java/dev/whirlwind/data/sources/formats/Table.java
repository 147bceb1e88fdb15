package dev.whirlwind.data.sources.formats;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVRecord;

/**
 * Comma- or tab-separated values as RFC 4180 has them, whose first row names the columns. They are parsed as bytes (Latin-1
 * has a character for each), and only what is selected must be UTF-8: all that parts values is ASCII.
 */
final class Table implements Format {
    static final Table COMMAS = new Table("csv", ',');
    static final Table TABS = new Table("tsv", '\t');

    private final String name;
    private final char delimiter;

    private Table(String name, char delimiter) {
        this.name = name;
        this.delimiter = delimiter;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Kind kind() {
        return Kind.TABLE;
    }

    @Override
    public boolean isText() {
        return true;
    }

    @Override
    public boolean recognises(Input file) {
        return file.isNamed("." + name);
    }

    @Override
    public DocumentReader open(Input file) throws IOException {
        RowLimit limit = new RowLimit(file.in());
        if (file.startsWith(new byte[] {(byte) 0xEF, (byte) 0xBB, (byte) 0xBF})) {
            limit.skipNBytes(3);
        }
        CSVParser parser = CSVFormat.RFC4180
                .builder()
                .setDelimiter(delimiter)
                .setIgnoreEmptyLines(true)
                .get()
                .parse(new InputStreamReader(limit, StandardCharsets.ISO_8859_1));
        Rows rows = new Rows(parser, limit, file.options().selection());
        rows.begin();
        return rows;
    }

    private static String utf8(String bytes) throws CharacterCodingException {
        return StandardCharsets.UTF_8
                .newDecoder()
                .decode(ByteBuffer.wrap(bytes.getBytes(StandardCharsets.ISO_8859_1)))
                .toString();
    }

    private static final class Rows implements DocumentReader {
        private final CSVParser parser;
        private final RowLimit limit;
        private final Selection selection;
        private final Iterator<CSVRecord> records;
        private final List<String> columns = new ArrayList<>();

        Rows(CSVParser parser, RowLimit limit, Selection selection) {
            this.parser = parser;
            this.limit = limit;
            this.selection = selection;
            records = parser.iterator();
        }

        void begin() throws IOException {
            if (advance()) {
                for (String column : records.next()) {
                    columns.add(utf8(column).strip());
                }
            }
            for (String path : selection.paths()) {
                if (!columns.contains(path)) {
                    throw MissingField.column(path, columns);
                }
            }
        }

        private boolean advance() throws IOException {
            limit.begin();
            long line = parser.getCurrentLineNumber() + 1;
            try {
                return records.hasNext();
            } catch (UncheckedIOException e) {
                if (e.getCause() instanceof RowLimit.TooLong) {
                    throw new DamagedRow(
                            ":" + line,
                            "the row has more than " + (RowSplitter.LONGEST >> 20)
                                    + " MiB, as where a quote is not closed: mend it",
                            e);
                }
                throw new DamagedRow(
                        ":" + line,
                        "broken quotes in the row that begins here ("
                                + e.getCause().getMessage() + "): mend them, or write the table anew",
                        e);
            }
        }

        /** Line ends in a row's values. */
        private static long inside(CSVRecord row) {
            return row.stream()
                    .mapToLong(value -> value.chars().filter(c -> c == '\n').count())
                    .sum();
        }

        @Override
        public Document next() throws IOException {
            if (!advance()) {
                return null;
            }
            CSVRecord row = records.next();
            String label = ":" + (parser.getCurrentLineNumber() - inside(row));
            if (row.size() != columns.size()) {
                return new Document.Broken(
                        label,
                        row.size() + (row.size() == 1 ? " value" : " values") + " where the first row names "
                                + columns.size() + " columns",
                        "mend or remove the row");
            }
            for (String path : selection.paths()) {
                String value = row.get(columns.indexOf(path));
                if (value.indexOf('\0') >= 0) {
                    return new Document.Passed(label, "a NUL in column \"" + path + "\"");
                }
            }
            try {
                String text = selection.text(path -> {
                    try {
                        return utf8(row.get(columns.indexOf(path)));
                    } catch (CharacterCodingException e) {
                        throw new UncheckedIOException(e);
                    }
                });
                return new Document.Text(label, text);
            } catch (UncheckedIOException e) {
                return new Document.Passed(label, "not UTF-8");
            }
        }
    }

    /** A quote that is never closed does not take the whole file into memory. */
    private static final class RowLimit extends FilterInputStream {
        static final class TooLong extends IOException {
            private static final long serialVersionUID = 1;
        }

        private long read;

        RowLimit(InputStream in) {
            super(in);
        }

        void begin() {
            read = 0;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            int n = super.read(bytes, offset, length);
            read += Math.max(0, n);
            if (read > RowSplitter.LONGEST) {
                throw new TooLong();
            }
            return n;
        }
    }
}
