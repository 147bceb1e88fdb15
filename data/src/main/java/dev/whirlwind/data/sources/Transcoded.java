package dev.whirlwind.data.sources;

import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.Charset;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.commons.io.input.ReaderInputStream;

/** Texts in other encodings than UTF-8, told by a byte order mark or by the user, as UTF-8. */
final class Transcoded {
    /** Of the longest byte order mark. */
    static final int MARK = 4;

    private Transcoded() {}

    /** The encoding that a file's byte order mark names, or else the one given. */
    static Charset encoding(byte[] start, Charset otherwise) {
        // UTF-32's little-endian mark begins like UTF-16's.
        if (begins(start, 0xFF, 0xFE, 0, 0)) {
            return Charset.forName("UTF-32LE");
        }
        if (begins(start, 0, 0, 0xFE, 0xFF)) {
            return Charset.forName("UTF-32BE");
        }
        if (begins(start, 0xFF, 0xFE)) {
            return StandardCharsets.UTF_16LE;
        }
        if (begins(start, 0xFE, 0xFF)) {
            return StandardCharsets.UTF_16BE;
        }
        return begins(start, 0xEF, 0xBB, 0xBF) ? StandardCharsets.UTF_8 : otherwise;
    }

    private static boolean begins(byte[] start, int... mark) {
        byte[] bytes = new byte[mark.length];
        for (int i = 0; i < mark.length; i++) {
            bytes[i] = (byte) mark[i];
        }
        return start.length >= mark.length && Arrays.equals(start, 0, mark.length, bytes, 0, mark.length);
    }

    /** As UTF-8, with the byte order mark. What is no text in the encoding is a {@link java.nio.charset.CharacterCodingException}. */
    static InputStream utf8(InputStream in, Charset encoding) throws IOException {
        return ReaderInputStream.builder()
                .setReader(new InputStreamReader(
                        in,
                        encoding.newDecoder()
                                .onMalformedInput(CodingErrorAction.REPORT)
                                .onUnmappableCharacter(CodingErrorAction.REPORT)))
                .setCharset(StandardCharsets.UTF_8)
                .setBufferSize(1 << 16)
                .get();
    }
}
