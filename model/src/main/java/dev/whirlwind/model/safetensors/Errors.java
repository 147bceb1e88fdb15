package dev.whirlwind.model.safetensors;

import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;

/** The one-line messages of this package. */
final class Errors {
    private static final int LONGEST_NAME = 120;
    private static final int MOST_DIMENSIONS = 16;

    private Errors() {}

    static UserException damaged(Path file, String problem) {
        return new UserException(file + ": " + problem + "; the file is damaged or incomplete, download it again");
    }

    static UserException unreadable(Path file, IOException e) {
        return new UserException(file + ": cannot be read (" + reason(e) + ")", e);
    }

    static UserException unwritable(Path file, IOException e) {
        return new UserException(
                file + ": cannot be written (" + reason(e) + "); free some space or choose another folder", e);
    }

    private static String reason(IOException e) {
        return switch (e) {
            case NoSuchFileException _ -> "no such file or folder";
            case AccessDeniedException _ -> "permission denied";
            case FileSystemException f when f.getReason() != null -> f.getReason();
            default -> oneLine(e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage());
        };
    }

    static String tensor(String name) {
        return "tensor " + quote(name);
    }

    /** A name from a file that nobody vouches for: in quotes, on one line, and not endless. */
    static String quote(String name) {
        return "'" + oneLine(name.length() > LONGEST_NAME ? name.substring(0, LONGEST_NAME) + "..." : name) + "'";
    }

    /** A shape from such a file: not endless either. */
    static String shape(List<Long> shape) {
        return shape.size() > MOST_DIMENSIONS ? "of " + shape.size() + " dimensions" : shape.toString();
    }

    static String oneLine(String text) {
        return text.replaceAll("[\\p{Cntrl}\\u2028\\u2029]+", " ");
    }
}
