package dev.whirlwind.data.tokenizers.training;

import dev.whirlwind.data.tokenizers.Words;

/**
 * Finds words in UTF-8 as the expressions of {@link Words} do. By hand, as regular expressions are several times slower;
 * a test compares with the library's words.
 */
final class WordScanner {
    /** What {@link #end} gives where more of the text has to be known. */
    static final int UNDECIDED = -1;

    /** No decision but over a run of characters looks further than at two of four bytes. */
    private static final int LOOK_AHEAD = 8;

    private static final byte LETTER = 0;
    private static final byte NUMBER = 1;
    private static final byte LINE_END = 2;
    private static final byte WHITE = 3;
    private static final byte OTHER = 4;

    private static final byte[] ASCII = new byte[128];

    static {
        for (int c = 0; c < ASCII.length; c++) {
            ASCII[c] = kind(c);
        }
    }

    private final Words words;

    WordScanner(Words words) {
        this.words = words;
    }

    private static byte kind(int codePoint) {
        if (codePoint == '\r' || codePoint == '\n') {
            return LINE_END;
        }
        // White_Space: the separators, and those controls.
        if ((codePoint >= '\t' && codePoint < '\r') || codePoint == 0x85 || Character.isSpaceChar(codePoint)) {
            return WHITE;
        }
        return switch (Character.getType(codePoint)) {
            case Character.UPPERCASE_LETTER,
                    Character.LOWERCASE_LETTER,
                    Character.TITLECASE_LETTER,
                    Character.MODIFIER_LETTER,
                    Character.OTHER_LETTER -> LETTER;
            case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER -> NUMBER;
            default -> OTHER;
        };
    }

    private static int width(byte first) {
        return first >= 0 ? 1 : first < (byte) 0xE0 ? 2 : first < (byte) 0xF0 ? 3 : 4;
    }

    private static byte kind(byte[] text, int at) {
        byte first = text[at];
        if (first >= 0) {
            return ASCII[first];
        }
        int codePoint = first & (0x7F >> width(first));
        for (int i = 1; i < width(first); i++) {
            codePoint = codePoint << 6 | (text[at + i] & 0x3F);
        }
        return kind(codePoint);
    }

    /**
     * The end of the word that begins at {@code from}.
     *
     * @param text well-formed UTF-8
     * @param to end of what is known of the text, above {@code from}
     * @param last whether the text ends there
     */
    int end(byte[] text, int from, int to, boolean last) {
        if (!last && to - from < LOOK_AHEAD) {
            return UNDECIDED;
        }
        int end = end(text, from, to);
        // The run might go on, or white space turn out to stand before a word.
        return !last && end == to ? UNDECIDED : end;
    }

    private int end(byte[] text, int from, int to) {
        int contraction = text[from] == '\'' ? contraction(text, from, to) : 0;
        if (contraction > 0) {
            return contraction;
        }
        byte first = kind(text, from);
        int second = from + width(text[from]);
        byte next = second < to ? kind(text, second) : WHITE;
        boolean gpt2 = words == Words.GPT2;
        boolean space = text[from] == ' ';
        if (first == LETTER) {
            return run(text, second, to, LETTER);
        }
        if (next == LETTER && (gpt2 ? space : first == WHITE || first == OTHER)) {
            return run(text, second, to, LETTER);
        }
        if (first == NUMBER) {
            return gpt2 ? run(text, second, to, NUMBER) : numbers(text, second, to);
        }
        if (gpt2 && space && next == NUMBER) {
            return run(text, second, to, NUMBER);
        }
        if (first == OTHER || (space && next == OTHER)) {
            int end = run(text, second, to, OTHER);
            return gpt2 ? end : run(text, end, to, LINE_END);
        }
        return white(text, from, to);
    }

    private int numbers(byte[] text, int second, int to) {
        int end = second;
        for (int n = words == Words.LLAMA3 ? 1 : 3; n < 3 && end < to && kind(text, end) == NUMBER; n++) {
            end += width(text[end]);
        }
        return end;
    }

    /**
     * White space before anything else gives up its last character to what follows, unless it is all there is. Where words
     * end at lines' ends, it goes up to its last one. What is unknown counts as white space, so that {@code to} is given.
     */
    private int white(byte[] text, int from, int to) {
        int end = from;
        int beforeLast = from;
        int line = from;
        while (end < to) {
            byte kind = kind(text, end);
            if (kind != WHITE && kind != LINE_END) {
                return words != Words.GPT2 && line > from ? line : beforeLast > from ? beforeLast : end;
            }
            beforeLast = end;
            end += width(text[end]);
            line = kind == LINE_END ? end : line;
        }
        return words != Words.GPT2 && line > from ? line : to;
    }

    private static int run(byte[] text, int from, int to, byte kind) {
        int end = from;
        while (end < to && kind(text, end) == kind) {
            end += width(text[end]);
        }
        return end;
    }

    /** The end of 's, 't, 're, 've, 'm, 'll, 'd; in capitals too (and of a long s), but for GPT-2. */
    private int contraction(byte[] text, int from, int to) {
        int first = letter(text, from + 1, to);
        int second = letter(text, from + 2, to);
        boolean longS =
                words != Words.GPT2 && from + 2 < to && text[from + 1] == (byte) 0xC5 && text[from + 2] == (byte) 0xBF;
        if (longS) {
            return from + 3;
        }
        return switch (first) {
            case 's', 't', 'm', 'd' -> from + 2;
            case 'r', 'v' -> second == 'e' ? from + 3 : 0;
            case 'l' -> second == 'l' ? from + 3 : 0;
            default -> 0;
        };
    }

    private int letter(byte[] text, int at, int to) {
        return at >= to ? -1 : words == Words.GPT2 ? text[at] : text[at] | 0x20;
    }
}
