package dev.whirlwind.training.scoring;

import java.util.regex.Pattern;

/** How BLEU cuts a line into words: sacreBLEU's tokenizers of these names. They put spaces between what is to be parted. */
public enum BleuTokenizer {
    /** That of NIST's mteval-v13a.pl, for Western languages. */
    T13A("13a"),

    /** That of mteval-v14.pl: by Unicode's punctuation and symbols. */
    INTL("intl"),

    /** Every character. */
    CHAR("char"),

    /** Every Chinese character, and the rest as 13a does. */
    ZH("zh"),

    /** By white space. */
    NONE("none");

    private record Rule(Pattern pattern, String replacement) {
        Rule(String regex, String replacement) {
            this(Pattern.compile(regex), replacement);
        }
    }

    private static final class Rules {
        static final Rule[] WESTERN = {
            new Rule("([{-~\\[-` -&(-+:-@/])", " $1 "),
            new Rule("([^0-9])([.,])", "$1 $2 "),
            new Rule("([.,])([^0-9])", " $1 $2"),
            new Rule("([0-9])(-)", "$1 $2 "),
        };

        static final Rule[] INTERNATIONAL = {
            new Rule("(\\P{N})(\\p{P})", "$1 $2 "),
            new Rule("(\\p{P})(\\P{N})", " $1 $2"),
            new Rule("(\\p{S})", " $1 "),
        };

        /**
         * First and last of what the Chinese tokenizer takes for Chinese. U+2001 to U+2A6D and U+2F81 to U+2FA1 were meant
         * as U+20000 to U+2A6D6 and U+2F800 to U+2FA1D, which sacreBLEU's source writes with four digits only.
         */
        static final int[][] CHINESE = {
            {0x3400, 0x4DB5}, {0x4E00, 0x9FA5}, {0x9FA6, 0x9FBB}, {0xF900, 0xFA2D}, {0xFA30, 0xFA6A}, {0xFA70, 0xFAD9},
            {0x2001, 0x2A6D}, {0x2F81, 0x2FA1}, {0xFF00, 0xFFEF}, {0x2E80, 0x2EFF}, {0x3000, 0x303F}, {0x31C0, 0x31EF},
            {0x2F00, 0x2FDF}, {0x2FF0, 0x2FFF}, {0x3100, 0x312F}, {0x31A0, 0x31BF}, {0xFE10, 0xFE1F}, {0xFE30, 0xFE4F},
            {0x3200, 0x32FF}, {0x3300, 0x33FF},
        };
    }

    private final String code;

    BleuTokenizer(String code) {
        this.code = code;
    }

    /** Its name in a signature. */
    public String code() {
        return code;
    }

    @Override
    public String toString() {
        return code;
    }

    /** The line with white space between its words. */
    String apply(String line) {
        return switch (this) {
            case T13A -> apply(Rules.WESTERN, " " + unescaped(line) + " ");
            case INTL -> apply(Rules.INTERNATIONAL, line);
            case CHAR -> characters(line);
            case ZH -> apply(Rules.WESTERN, chinese(PythonText.strip(line)));
            case NONE -> line;
        };
    }

    private static String unescaped(String line) {
        return line.replace("<skipped>", "")
                .replace("-\n", "")
                .replace("\n", " ")
                .replace("&quot;", "\"")
                .replace("&amp;", "&")
                .replace("&lt;", "<")
                .replace("&gt;", ">");
    }

    private static String apply(Rule[] rules, String line) {
        String spaced = line;
        for (Rule rule : rules) {
            spaced = rule.pattern().matcher(spaced).replaceAll(rule.replacement());
        }
        return spaced;
    }

    private static String characters(String line) {
        StringBuilder spaced = new StringBuilder();
        line.codePoints().forEach(c -> spaced.appendCodePoint(c).append(' '));
        return spaced.toString();
    }

    private static String chinese(String line) {
        StringBuilder spaced = new StringBuilder();
        line.codePoints().forEach(c -> {
            if (isChinese(c)) {
                spaced.append(' ').appendCodePoint(c).append(' ');
            } else {
                spaced.appendCodePoint(c);
            }
        });
        return spaced.toString();
    }

    private static boolean isChinese(int c) {
        for (int[] range : Rules.CHINESE) {
            if (c >= range[0] && c <= range[1]) {
                return true;
            }
        }
        return false;
    }
}
