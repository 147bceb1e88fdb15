package dev.whirlwind.data.tokenizers;

import dev.whirlwind.model.Reason;

/** Small things about Java strings as Unicode text. */
public final class Text {
    private static final char REPLACEMENT = '\uFFFD';

    private Text() {}

    /** The text with U+FFFD for every surrogate that has no partner, which no UTF-8 can carry. */
    public static String wellFormed(String text) {
        StringBuilder mended = null;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (!Character.isSurrogate(c)) {
                continue;
            }
            if (Character.isHighSurrogate(c) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))) {
                i++;
            } else {
                if (mended == null) {
                    mended = new StringBuilder(text);
                }
                mended.setCharAt(i, REPLACEMENT);
            }
        }
        return mended == null ? text : mended.toString();
    }

    /** The first line of a message that may have many, or be missing, for an error that has one. */
    static String firstLine(String message) {
        return String.valueOf(message)
                .lines()
                .filter(line -> !line.isBlank())
                .findFirst()
                .map(Reason::cited)
                .orElse("no reason given");
    }

    /** Bytes of the (well-formed) text in UTF-8. */
    public static long utf8Length(String text) {
        long bytes = text.length();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            // A surrogate is half of a 4-byte character; what else is above U+07FF takes 3 bytes.
            bytes += c < 0x80 ? 0 : c < 0x800 || Character.isSurrogate(c) ? 1 : 2;
        }
        return bytes;
    }
}
