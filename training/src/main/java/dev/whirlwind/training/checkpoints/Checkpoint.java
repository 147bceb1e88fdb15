package dev.whirlwind.training.checkpoints;

import dev.whirlwind.training.metrics.Event;
import java.nio.file.Path;

/**
 * A checkpoint that was found whole: every byte as it was written.
 *
 * @param bytes of all its files
 */
public record Checkpoint(Path folder, long bytes, TrainerState state) {
    /** Throws an error that names what is missing, altered, too many, or not the state of any run. */
    static Checkpoint read(Path folder) {
        Manifest manifest = Manifest.verify(folder);
        for (String name : CheckpointFiles.NEEDED) {
            if (!manifest.lists(name)) {
                throw Manifest.damaged(folder.resolve(Manifest.NAME), "does not list " + name);
            }
        }
        if (CheckpointFiles.CONFIGS.stream().noneMatch(manifest::lists)) {
            throw Manifest.damaged(folder.resolve(Manifest.NAME), "lists no " + CheckpointFiles.CONFIGS.getFirst());
        }
        TrainerState state = TrainerState.read(folder);
        if (state.step != Checkpoints.step(folder)) {
            throw Manifest.damaged(folder, "is the state after step " + state.step);
        }
        return new Checkpoint(folder, manifest.bytes(), state);
    }

    /** As {@link Checkpoints#save} told of it. */
    public Event.Saved saved(Path run) {
        return new Event.Saved(state.step, Checkpoints.path(run, folder), bytes, 0);
    }
}
