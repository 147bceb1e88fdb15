package dev.whirlwind.training.checkpoints;

import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.FolderLock;
import dev.whirlwind.training.config.TrainConfig;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * A run's folder while this process holds it: no other trains there, what a killed one left half-done is cleared away, and
 * the checkpoint to go on from is decided, once and for all who read from it.
 */
public final class RunFolder implements AutoCloseable {
    private final Path path;
    private final FolderLock lock;
    private final Checkpoints checkpoints;
    private final Optional<Checkpoint> newest;
    private final boolean acceptsChanges;

    /**
     * Reads all of the newest checkpoint, and of older ones where that is damaged.
     *
     * @param lock on the folder; it is closed with this, and when this fails
     * @param acceptsChanges whether the run may go on with options that are not those that it began with
     * @param notes hears in words what was decided
     * @throws UserException if checkpoints are there but none is whole
     */
    public RunFolder(Path path, FolderLock lock, boolean acceptsChanges, Consumer<String> notes) {
        this.path = path;
        this.acceptsChanges = acceptsChanges;
        this.lock = lock;
        try {
            checkpoints = new Checkpoints(path, notes);
            newest = checkpoints.newestWhole();
        } catch (RuntimeException | Error e) {
            lock.close();
            throw e;
        }
    }

    public Path path() {
        return path;
    }

    /** The newest whole checkpoint, a complete model folder; empty before the first. */
    public Optional<Path> newest() {
        return newest.map(Checkpoint::folder);
    }

    /**
     * Throws if an option that decides what the run becomes is another than the newest checkpoint recorded, unless that is
     * to be accepted.
     */
    public void requireSameOptions(TrainConfig config) {
        newest.map(Checkpoint::state).ifPresent(state -> requireAccepted(state.changes(config), state.jump(config)));
    }

    /** Whether there is a record for {@link #requireSameOptions} to compare with; older versions made none. */
    public boolean recordsOptions() {
        return newest.map(checkpoint -> checkpoint.state().options != null).orElse(false);
    }

    /**
     * Throws if there are changes, such as "lr was 1.0E-4 and is 5.0E-5", unless they are to be accepted.
     *
     * @param effect what they come to, as {@link TrainerState#jump} says it
     */
    public void requireAccepted(List<String> changes, String effect) {
        if (!changes.isEmpty() && !acceptsChanges) {
            throw new UserException(
                    path + ": the run would go on with other options than it began with: " + String.join(", ", changes)
                            + effect + "; put them back, or resume with --change (--accept-config) to mean it");
        }
    }

    /** Whether the path still leads to this folder: not removed, moved or replaced since. */
    public boolean isHeld() {
        return lock.isHeld();
    }

    public Checkpoints checkpoints() {
        return checkpoints;
    }

    public Optional<Checkpoint> newestCheckpoint() {
        return newest;
    }

    @Override
    public void close() {
        lock.close();
    }
}
