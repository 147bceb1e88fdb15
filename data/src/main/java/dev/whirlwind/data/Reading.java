package dev.whirlwind.data;

import dev.whirlwind.model.UserException;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;

/** Says in one line why something could not be read; the exceptions of the JDK often say only its name. */
final class Reading {
    private Reading() {}

    static UserException failure(Object file, IOException e) {
        String reason = switch (e) {
            case AccessDeniedException _ -> "permission denied";
            case NoSuchFileException _ -> "no such file";
            case EOFException _ -> "it ends too early, as a cut file does";
            default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        };
        return new UserException("cannot read " + file + ": " + reason, e);
    }
}
