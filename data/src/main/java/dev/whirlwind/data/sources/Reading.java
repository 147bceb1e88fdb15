package dev.whirlwind.data.sources;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.IOException;

/** Says in one line why something could not be read. */
public final class Reading {
    private Reading() {}

    public static UserException failure(Object file, IOException e) {
        return new UserException("cannot read " + file + ": " + Reason.of(e), e);
    }
}
