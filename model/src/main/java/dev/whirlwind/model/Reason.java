package dev.whirlwind.model;

import java.io.EOFException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;

/**
 * Why something went wrong, in words for an error that names the file itself: messages of the JDK often say only the
 * path, and Jackson's go on about its settings.
 */
public final class Reason {
    private static final int LONGEST_VALUE = 200;
    private static final int LONGEST_MESSAGE = 2000;

    /** Control characters, line ends, and what turns the direction of writing. */
    private static final Pattern CONTROL =
            Pattern.compile("[\\p{Cc}\\u2028\\u2029\\u202A-\\u202E\\u2066-\\u2069]+\\s*");

    private static final Pattern LONG_WORD = Pattern.compile("\\S{" + (LONGEST_VALUE + 1) + ",}");

    private Reason() {}

    public static String of(IOException e) {
        String message = e instanceof FileSystemException f ? f.getReason() : e.getMessage();
        return switch (e) {
            case NoSuchFileException _ -> "no such file or folder";
            case AccessDeniedException _ -> "permission denied";
            case FileAlreadyExistsException _ -> "it is there already";
            case CharacterCodingException _ -> "not UTF-8";
            case EOFException _ -> "it ends too early, as a cut file does";
            default -> message == null ? e.getClass().getSimpleName() : oneLine(message);
        };
    }

    /** With the place, where it is known. */
    public static String of(JacksonException e) {
        int line = e.getLocation() == null ? 0 : e.getLocation().getLineNr();
        return (line < 1 ? "" : "line " + line + ", column " + e.getLocation().getColumnNr() + ": ") + withoutPlace(e);
    }

    public static String withoutPlace(JacksonException e) {
        return cited(String.valueOf(e.getOriginalMessage())
                .replaceFirst(" \\((start marker|for (Array|Object|root) starting) at .*", "")
                .replaceFirst("Trailing token \\(.*", "something follows after its end")
                .replaceAll(" \\(from `[^`]*`\\)|, from `[^`]*`|: enable `[^`]*` to allow", "")
                .replaceAll(" \\(not recognized as one since Feature '[^']*' not enabled for parser\\)", "")
                .replaceFirst("^java\\.[\\w.]*Exception: ", ""));
    }

    /** A text from a file or a user, on one line: without what would move a terminal's cursor or colour its text. */
    public static String oneLine(String text) {
        return CONTROL.matcher(text.strip()).replaceAll(" ");
    }

    /** A value from a file or a user as an error cites it: on one line, and not endless. */
    public static String cited(Object value) {
        String text = oneLine(String.valueOf(value));
        return text.length() <= LONGEST_VALUE ? text : text.substring(0, LONGEST_VALUE - 3) + "...";
    }

    /** The same for a whole message, in which long words may be values, or paths whose ends tell more. */
    public static String message(String message) {
        String text = LONG_WORD
                .matcher(oneLine(message))
                .replaceAll(word -> Matcher.quoteReplacement(word.group().substring(0, LONGEST_VALUE / 2 - 3) + "..."
                        + word.group().substring(word.group().length() - LONGEST_VALUE / 2)));
        return text.length() <= LONGEST_MESSAGE ? text : text.substring(0, LONGEST_MESSAGE) + "...";
    }
}
