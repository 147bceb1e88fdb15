package dev.whirlwind.model;

import java.io.EOFException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import tools.jackson.core.JacksonException;

/**
 * Why something went wrong, in words for an error that names the file itself: messages of the JDK often say only the
 * path, and Jackson's go on about its settings.
 */
public final class Reason {
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
        return oneLine(e.getOriginalMessage().replaceFirst(" \\(start marker at .*", ""));
    }

    private static String oneLine(String text) {
        return text.strip().replaceAll("[\\p{Cntrl}\\u2028\\u2029]+\\s*", " ");
    }
}
