package dev.whirlwind.cli.terminal;

import java.util.regex.Pattern;

/** Commands that are shown for people to copy. */
public final class Shell {
    private static final Pattern PLAIN = Pattern.compile("[\\w@%+=:,./-]+");

    private Shell() {}

    /** A path or another value as one word for a POSIX shell. */
    public static String word(Object value) {
        String text = String.valueOf(value);
        return PLAIN.matcher(text).matches() ? text : "'" + text.replace("'", "'\\''") + "'";
    }
}
