package dev.whirlwind.model.weights;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** One-line messages about files of weights. */
public final class Errors {
    private static final int LONGEST_NAME = 120;
    private static final int MOST_DIMENSIONS = 16;

    private Errors() {}

    public static UserException damaged(Path file, String problem) {
        return new UserException(file + ": " + problem + "; the file is damaged or incomplete, download it again");
    }

    public static UserException unreadable(Path file, IOException e) {
        return new UserException(file + ": cannot be read (" + Reason.of(e) + ")", e);
    }

    public static UserException unwritable(Path file, IOException e) {
        return new UserException(
                file + ": cannot be written (" + Reason.of(e) + "); free some space or choose another folder", e);
    }

    public static UserException absent(Path file, String tensor) {
        return new UserException(
                file + ": has no " + tensor(tensor) + "; check that it belongs to this model, or download it again");
    }

    public static UserException notFloats(Path file, String tensor, String type) {
        return new UserException(file + ": " + tensor(tensor) + " is " + type
                + ", which cannot be read as floats; convert it to F32, F16, BF16 or F64");
    }

    /** A mapped page that cannot be read, of which the JVM makes an InternalError. */
    public static UserException cut(Path file, String tensor, InternalError e) {
        return new UserException(
                file + ": " + tensor(tensor)
                        + " cannot be read: the file was cut short while in use, or the disk fails; check both",
                e);
    }

    public static String tensor(String name) {
        return "tensor " + quote(name);
    }

    /** A name from a file that nobody vouches for: in quotes, on one line, and not endless. */
    public static String quote(String name) {
        return "'" + oneLine(name.length() > LONGEST_NAME ? name.substring(0, LONGEST_NAME) + "..." : name) + "'";
    }

    /** A shape from such a file: not endless either. */
    public static String shape(List<Long> shape) {
        return shape.size() > MOST_DIMENSIONS ? "of " + shape.size() + " dimensions" : shape.toString();
    }

    public static String oneLine(String text) {
        return text.replaceAll("[\\p{Cntrl}\\u2028\\u2029]+", " ");
    }
}
