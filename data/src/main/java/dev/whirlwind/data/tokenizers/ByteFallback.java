package dev.whirlwind.data.tokenizers;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * Decoding of tokens that stand for single bytes ({@code <0x0A>}), as SentencePiece's tokenizers have them. The native
 * library gives up a whole run of them when one of its bytes belongs to no character, also in the middle of a text that is
 * still being generated; here characters that are whole stay, and every other byte becomes U+FFFD.
 */
final class ByteFallback {
    private static final String REPLACEMENT = "\uFFFD";
    private static final int LONGEST_CHARACTER = 4;

    /** Decoded in front of what follows a broken byte, so that nothing takes it for the beginning of a text. */
    private static final String CONTEXT = "a";

    private final NativeTokenizer library;
    private final Map<Integer, Byte> bytes;
    private final int[] context;

    private ByteFallback(NativeTokenizer library, Map<Integer, Byte> bytes, int[] context) {
        this.library = library;
        this.bytes = bytes;
        this.context = context;
    }

    static ByteFallback of(NativeTokenizer library, TokenizerJson json) {
        Map<Integer, Byte> bytes = new HashMap<>();
        if (json.step("decoder").toString().contains("\"ByteFallback\"")) {
            for (int value = 0; value < 256; value++) {
                int id = (int) json.id(String.format("<0x%02X>", value));
                if (id >= 0) {
                    bytes.put(id, (byte) value);
                }
            }
        }
        int context = (int) json.id(CONTEXT);
        return new ByteFallback(library, context < 0 ? Map.of() : bytes, new int[] {context});
    }

    String decode(int[] ids) {
        StringBuilder text = new StringBuilder();
        int from = 0;
        for (int i = 0; i < ids.length; ) {
            int length = bytes.containsKey(ids[i]) ? character(ids, i) : 1;
            if (length == 0) {
                text.append(decode(ids, from, i)).append(REPLACEMENT);
                from = i + 1;
            }
            i += Math.max(1, length);
        }
        return text.append(decode(ids, from, ids.length)).toString();
    }

    private String decode(int[] ids, int from, int to) {
        if (from == 0 || from == to) {
            return from == to ? "" : library.decode(Arrays.copyOf(ids, to));
        }
        int[] withContext = Arrays.copyOf(context, 1 + to - from);
        System.arraycopy(ids, from, withContext, 1, to - from);
        return library.decode(withContext).substring(CONTEXT.length());
    }

    /** How many byte tokens from a place on make one character; 0 where they make none. */
    private int character(int[] ids, int from) {
        byte[] spelt = new byte[LONGEST_CHARACTER];
        for (int n = 1; n <= LONGEST_CHARACTER && from + n <= ids.length; n++) {
            Byte next = bytes.get(ids[from + n - 1]);
            if (next == null) {
                return 0;
            }
            spelt[n - 1] = next;
            byte[] so = Arrays.copyOf(spelt, n);
            String character = new String(so, StandardCharsets.UTF_8);
            if (character.codePointCount(0, character.length()) == 1
                    && Arrays.equals(character.getBytes(StandardCharsets.UTF_8), so)) {
                return n;
            }
        }
        return 0;
    }
}
