package dev.whirlwind.data.sources.formats;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Cuts a file of JSON into its rows, as bytes, without looking into them further than it must: so a row that is broken or
 * no UTF-8 does not take others with it, and an array of any size is never in memory as a whole.
 */
abstract class RowSplitter {
    /** Bytes of the longest row. It is in memory some five times over while it is read. */
    static final int LONGEST = 64 << 20;

    private static final int CHUNK = 1 << 16;
    private static final byte[] BYTE_ORDER_MARK = {(byte) 0xEF, (byte) 0xBB, (byte) 0xBF};

    /** A row is longer than {@link #LONGEST}. */
    static final class TooLong extends IOException {
        private static final long serialVersionUID = 1;
    }

    private final InputStream in;
    private final long most;
    final byte[] chunk = new byte[CHUNK];
    private final CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
    private final CharBuffer decoded = CharBuffer.allocate(CHUNK);
    int at;
    int end;

    /** Bytes of the file before the chunk. */
    long before;

    private byte[] row = new byte[CHUNK];
    private int length;
    long rowOffset;
    private long number;

    private RowSplitter(InputStream in, long most) {
        this.in = in;
        this.most = most;
    }

    /** @param most bytes of the stream that may be read; whatever is behind them is too long */
    static RowSplitter of(InputStream in, JsonRows.Form form, long most) {
        return form == JsonRows.Form.LINES ? new Lines(in, most) : new Elements(in, most, form == JsonRows.Form.ARRAY);
    }

    /** The first of so many bytes that is neither white space nor of a byte order mark; -1 where there is none. */
    static int firstByte(InputStream in, int most) throws IOException {
        for (int i = 0; i < most; i++) {
            int b = in.read();
            boolean mark = i < BYTE_ORDER_MARK.length && b == (BYTE_ORDER_MARK[i] & 0xFF);
            if (!mark && !isSpace(b)) {
                return b;
            }
        }
        return -1;
    }

    /**
     * Goes to the next row.
     *
     * @return false at the end
     * @throws EOFException if the file ends amid a row
     */
    abstract boolean next() throws IOException;

    /** The row's bytes, of which {@link #length} count. */
    byte[] bytes() {
        return row;
    }

    int length() {
        return length;
    }

    /** The number of the line, from 1, or of the row where rows are not lines. */
    long number() {
        return number;
    }

    /** Bytes read so far. */
    long offset() {
        return before + at;
    }

    boolean isBlank() {
        return first() < 0;
    }

    /** The row's first byte that is no white space, or -1. */
    int first() {
        for (int i = 0; i < length; i++) {
            if (!isSpace(row[i])) {
                return row[i] & 0xFF;
            }
        }
        return -1;
    }

    /** Why the row is no text, with the place in the file; null if it is. */
    String damage() {
        for (int i = 0; i < length; i++) {
            if (row[i] == 0) {
                return "NUL at byte " + (rowOffset + i);
            }
        }
        ByteBuffer bytes = ByteBuffer.wrap(row, 0, length);
        decoder.reset();
        CoderResult result;
        do {
            result = decoder.decode(bytes, decoded.clear(), true);
        } while (result.isOverflow());
        return result.isError() ? "not UTF-8 at byte " + (rowOffset + bytes.position()) : null;
    }

    static boolean isSpace(int b) {
        return b == ' ' || b == '\n' || b == '\r' || b == '\t';
    }

    /** Whether there is another byte, at {@code chunk[at]}. */
    boolean more() throws IOException {
        if (at == end) {
            before += end;
            at = 0;
            if (before >= most) {
                throw new TooLong();
            }
            end = in.readNBytes(chunk, 0, (int) Math.min(CHUNK, most - before));
        }
        return at < end;
    }

    /** A row begins here. */
    void begin() throws IOException {
        if (number == 0 && more() && Arrays.equals(chunk, 0, Math.min(end, 3), BYTE_ORDER_MARK, 0, 3)) {
            at = BYTE_ORDER_MARK.length;
        }
        length = 0;
        rowOffset = before + at;
        number++;
    }

    /** Adds the chunk's bytes from there to here to the row. */
    void append(int from) throws TooLong {
        int n = at - from;
        if (n > LONGEST - length) {
            throw new TooLong();
        }
        if (n > row.length - length) {
            row = Arrays.copyOf(row, Math.min(LONGEST, Math.max(length + n, 2 * row.length)));
        }
        System.arraycopy(chunk, from, row, length, n);
        length += n;
    }

    /** Rows end with LF, CR or both. */
    private static final class Lines extends RowSplitter {
        private boolean afterReturn;

        Lines(InputStream in, long most) {
            super(in, most);
        }

        @Override
        boolean next() throws IOException {
            if (afterReturn && more() && chunk[at] == '\n') {
                at++;
            }
            afterReturn = false;
            begin();
            boolean any = more();
            while (more()) {
                int from = at;
                while (at < end && chunk[at] != '\n' && chunk[at] != '\r') {
                    at++;
                }
                append(from);
                if (at < end) {
                    afterReturn = chunk[at++] == '\r';
                    break;
                }
            }
            return any;
        }
    }

    /** Rows end where the brackets that they opened are closed; what has none, before the array's next comma or its end. */
    private static final class Elements extends RowSplitter {
        private final boolean array;
        private boolean opened;
        private boolean closed;

        Elements(InputStream in, long most, boolean array) {
            super(in, most);
            this.array = array;
            closed = !array;
        }

        @Override
        boolean next() throws IOException {
            begin();
            boolean comma = false;
            while (more()) {
                byte b = chunk[at];
                if (isSpace(b)) {
                    at++;
                } else if (array && !opened) {
                    opened = true;
                    at++;
                } else if (b == ',' && !closed && !comma) {
                    comma = true;
                    at++;
                } else if (b == ']' && !closed) {
                    closed = true;
                    at++;
                } else {
                    rowOffset = before + at;
                    element();
                    return true;
                }
            }
            if (!closed) {
                throw new EOFException();
            }
            return false;
        }

        private void element() throws IOException {
            int depth = 0;
            boolean string = false;
            boolean escaped = false;
            while (more()) {
                int from = at;
                for (; at < end; at++) {
                    byte b = chunk[at];
                    if (string) {
                        string = escaped || b != '"';
                        escaped = !escaped && b == '\\';
                    } else if (b == '"') {
                        string = true;
                    } else if (b == '{' || b == '[') {
                        depth++;
                    } else if (depth == 0 && (closed ? b == '\n' : b == ',' || b == ']')) {
                        append(from);
                        return;
                    } else if ((b == '}' || b == ']') && --depth <= 0) {
                        at++;
                        append(from);
                        return;
                    }
                }
                append(from);
            }
            if (depth > 0 || string || !closed) {
                throw new EOFException();
            }
        }
    }
}
