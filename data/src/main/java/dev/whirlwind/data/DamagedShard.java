package dev.whirlwind.data;

import dev.whirlwind.model.UserException;
import java.nio.file.Path;

/** A shard that can no longer be read as it was written. Nothing of what is damaged has been given out. */
public final class DamagedShard extends UserException {
    private static final long serialVersionUID = 1;

    DamagedShard(Path file, String how, Throwable cause) {
        super(
                file + ": " + how + ": put back a copy of it, or remove "
                        + file.toAbsolutePath().getParent()
                        + " and prepare the data again (resume does that with a run's own)",
                cause);
    }
}
