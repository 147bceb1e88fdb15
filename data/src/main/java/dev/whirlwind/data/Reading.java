package dev.whirlwind.data;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.IOException;

/** Says in one line why something could not be read. */
final class Reading {
    private Reading() {}

    static UserException failure(Object file, IOException e) {
        return new UserException("cannot read " + file + ": " + Reason.of(e), e);
    }
}
