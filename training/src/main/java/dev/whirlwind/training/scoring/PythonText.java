package dev.whirlwind.training.scoring;

import java.util.ArrayList;
import java.util.List;

/** Texts as Python's {@code str} sees them, in code points: the published metrics are defined by what Python does. */
public final class PythonText {
    private static final int DOTTED_CAPITAL_I = 0x130;
    private static final int CAPITAL_SIGMA = 0x3A3;
    private static final int SMALL_SIGMA = 0x3C3;
    private static final int FINAL_SIGMA = 0x3C2;

    /** Word_Break = MidLetter, MidNumLet or Single_Quote: with marks and formats, what case rules look past. */
    private static final String MIDDLE_OF_WORDS = ":··՟״‧︓﹕：.‘’․﹒＇．'";

    private static final String PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

    private PythonText() {}

    /** {@code str.isspace} of a character; other than Java's it knows no-break spaces and U+0085. */
    static boolean isSpace(int c) {
        return (c >= 0x09 && c <= 0x0D)
                || (c >= 0x1C && c <= 0x20)
                || c == 0x85
                || c == 0xA0
                || (c >= 0x80 && Character.isSpaceChar(c));
    }

    /** {@code string.punctuation}: that of ASCII, and no other. */
    static boolean isPunctuation(int c) {
        return PUNCTUATION.indexOf(c) >= 0;
    }

    /** {@code \w} of the module re: letters, figures of all kinds and the underscore, but no marks. */
    static boolean isWord(int c) {
        int type = Character.getType(c);
        return c == '_'
                || Character.isLetter(c)
                || type == Character.DECIMAL_DIGIT_NUMBER
                || type == Character.LETTER_NUMBER
                || type == Character.OTHER_NUMBER;
    }

    /** {@code str.split()}. */
    static List<String> split(String text) {
        List<String> words = new ArrayList<>();
        int start = 0;
        // All white space lies in the basic plane.
        for (int i = 0; i <= text.length(); i++) {
            if (i == text.length() || isSpace(text.charAt(i))) {
                if (i > start) {
                    words.add(text.substring(start, i));
                }
                start = i + 1;
            }
        }
        return words;
    }

    /** {@code str.rstrip()}. */
    public static String stripTrailing(String text) {
        int end = text.length();
        while (end > 0 && isSpace(text.charAt(end - 1))) {
            end--;
        }
        return text.substring(0, end);
    }

    /** {@code str.strip()}. */
    public static String strip(String text) {
        int start = 0;
        while (start < text.length() && isSpace(text.charAt(start))) {
            start++;
        }
        return stripTrailing(text.substring(start));
    }

    /** {@code str.lower()}: Unicode's full mapping, in which a sigma at the end of a word has a form of its own. */
    public static String lower(String text) {
        StringBuilder lower = new StringBuilder(text.length());
        int c;
        for (int i = 0; i < text.length(); i += Character.charCount(c)) {
            c = text.codePointAt(i);
            switch (c) {
                case DOTTED_CAPITAL_I -> lower.append("i̇");
                case CAPITAL_SIGMA -> lower.appendCodePoint(endsWord(text, i) ? FINAL_SIGMA : SMALL_SIGMA);
                default -> lower.appendCodePoint(Character.toLowerCase(c));
            }
        }
        return lower.toString();
    }

    /** Unicode's condition Final_Sigma: a letter with case before, and none after. */
    private static boolean endsWord(String text, int place) {
        int before = place;
        while (before > 0 && isCaseIgnorable(text.codePointBefore(before))) {
            before -= Character.charCount(text.codePointBefore(before));
        }
        int after = place + 1;
        while (after < text.length() && isCaseIgnorable(text.codePointAt(after))) {
            after += Character.charCount(text.codePointAt(after));
        }
        return before > 0
                && isCased(text.codePointBefore(before))
                && (after == text.length() || !isCased(text.codePointAt(after)));
    }

    private static boolean isCased(int c) {
        return Character.isLowerCase(c) || Character.isUpperCase(c) || Character.isTitleCase(c);
    }

    private static boolean isCaseIgnorable(int c) {
        return switch (Character.getType(c)) {
            case Character.NON_SPACING_MARK,
                    Character.ENCLOSING_MARK,
                    Character.FORMAT,
                    Character.MODIFIER_LETTER,
                    Character.MODIFIER_SYMBOL -> true;
            default -> MIDDLE_OF_WORDS.indexOf(c) >= 0;
        };
    }
}
