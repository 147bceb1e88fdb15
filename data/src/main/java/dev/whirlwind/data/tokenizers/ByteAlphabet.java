package dev.whirlwind.data.tokenizers;

import java.io.ByteArrayOutputStream;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * GPT-2's alphabet ({@code bytes_to_unicode}), in which the tokens of byte-level BPE are written: a character that can be seen
 * for each byte, itself where that is one, and the characters from U+0100 on for the others, in order.
 */
public final class ByteAlphabet {
    private static final char[] CHARACTERS = new char[256];
    private static final Map<Character, Byte> BYTES = new HashMap<>();

    static {
        char next = 256;
        for (int value = 0; value < CHARACTERS.length; value++) {
            boolean seen = (value >= '!' && value <= '~') || (value >= 0xA1 && value != 0xAD);
            CHARACTERS[value] = seen ? (char) value : next++;
            BYTES.put(CHARACTERS[value], (byte) value);
        }
    }

    private ByteAlphabet() {}

    /** Bytes as a token is written. */
    public static String written(byte[] bytes) {
        StringBuilder written = new StringBuilder(bytes.length);
        for (byte value : bytes) {
            written.append(CHARACTERS[value & 0xFF]);
        }
        return written.toString();
    }

    /** The bytes of a written token, or null where it has other characters, as added tokens do. */
    public static byte[] bytes(String written) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(written.length());
        for (int i = 0; i < written.length(); i++) {
            Byte value = BYTES.get(written.charAt(i));
            if (value == null) {
                return null;
            }
            bytes.write(value);
        }
        return bytes.toByteArray();
    }

    /** All bytes by the order of their characters, which is that of their ids where a tokenizer is trained. */
    public static IntStream inOrder() {
        return IntStream.range(0, CHARACTERS.length)
                .boxed()
                .sorted((a, b) -> Character.compare(CHARACTERS[a], CHARACTERS[b]))
                .mapToInt(value -> value);
    }
}
