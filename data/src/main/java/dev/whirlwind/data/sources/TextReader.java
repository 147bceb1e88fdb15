package dev.whirlwind.data.sources;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/** Reads UTF-8 strictly and in pieces, so that neither a binary file nor one larger than memory does harm. */
public final class TextReader {
    /** Characters of a piece: small beside memory. */
    public static final int PIECE = 1 << 18;

    private static final int BUFFER_BYTES = 1 << 16;
    private static final char BYTE_ORDER_MARK = '\uFEFF';

    /** The bytes are not text; the message says why and where. */
    static final class NotText extends Exception {
        private static final long serialVersionUID = 1;

        NotText(String message) {
            super(message);
        }
    }

    /** Takes the pieces of a text. */
    interface Pieces {
        void take(String piece, boolean last);
    }

    private TextReader() {}

    /** Reads a stream to its end; a byte order mark at its start is dropped. The last piece may be empty. */
    static void read(InputStream in, int piece, Pieces pieces) throws IOException, NotText {
        CharsetDecoder decoder = StandardCharsets.UTF_8
                .newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT);
        ByteBuffer bytes = ByteBuffer.allocate(BUFFER_BYTES).flip();
        CharBuffer chars = CharBuffer.allocate(piece);
        long consumed = 0;
        boolean atStart = true;
        boolean end = false;
        while (true) {
            int before = bytes.position();
            CoderResult result = decoder.decode(bytes, chars, end);
            consumed += bytes.position() - before;
            if (result.isError()) {
                throw new NotText("not UTF-8 at byte " + consumed);
            }
            if (atStart && chars.position() > 0) {
                atStart = false;
                if (chars.get(0) == BYTE_ORDER_MARK) {
                    chars.flip().position(1);
                    chars.compact();
                }
            }
            if (result.isOverflow()) {
                chars.flip();
                int cut = boundary(chars, chars.length());
                pieces.take(chars.subSequence(0, cut).toString(), false);
                chars.position(cut);
                chars.compact();
            } else if (end) {
                pieces.take(chars.flip().toString(), true);
                return;
            } else {
                end = !fill(in, bytes, consumed);
            }
        }
    }

    private static boolean fill(InputStream in, ByteBuffer bytes, long consumed) throws IOException, NotText {
        bytes.compact();
        int from = bytes.position();
        int n = in.read(bytes.array(), bytes.arrayOffset() + from, bytes.remaining());
        for (int i = from; i < from + n; i++) {
            if (bytes.get(i) == 0) {
                throw new NotText("binary (NUL at byte " + (consumed + i) + ")");
            }
        }
        bytes.position(from + Math.max(n, 0)).flip();
        return n >= 0;
    }

    /** Cuts a text in memory as {@link #read} would. */
    static void cut(String text, int piece, Pieces pieces) {
        int from = 0;
        while (text.length() - from > piece) {
            int to = from + boundary(text.substring(from, from + piece), piece);
            pieces.take(text.substring(from, to), false);
            from = to;
        }
        pieces.take(text.substring(from), true);
    }

    /**
     * The last place up to {@code limit} that lies between two words, or else the limit itself. Pieces are for reading:
     * where a tokenizer's tokens allow a cut is for the tokenizer to say.
     */
    public static int boundary(CharSequence text, int limit) {
        for (int i = Math.min(limit, text.length() - 1); i > 0; i--) {
            if (Character.isWhitespace(text.charAt(i)) && Character.isLetterOrDigit(text.charAt(i - 1))) {
                return i;
            }
        }
        boolean splitsPair = limit > 1 && limit <= text.length() && Character.isHighSurrogate(text.charAt(limit - 1));
        return splitsPair ? limit - 1 : limit;
    }
}
