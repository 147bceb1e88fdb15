package dev.whirlwind.training;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** The checkpoints of a run: {@code checkpoints/step-00000100/}, {@code best/} and {@code final/}. */
final class Checkpoints {
    private static final Pattern NAME = Pattern.compile("step-\\d{8,}");

    private final Path run;
    private final Path folder;
    private final int keep;

    /**
     * Clears away what a killed process left half-done.
     *
     * @param keep how many of the latest checkpoints stay; 0 for all
     */
    Checkpoints(Path run, int keep) {
        this.run = run;
        this.folder = run.resolve("checkpoints");
        this.keep = keep;
        try {
            Disk.recover(folder);
            Disk.recover(run);
        } catch (IOException e) {
            throw new UserException(run + ": cannot be cleaned up (" + Reason.of(e) + ")", e);
        }
    }

    static String name(long step) {
        return "step-%08d".formatted(step);
    }

    static long step(Path checkpoint) {
        return Long.parseLong(checkpoint.getFileName().toString().substring("step-".length()));
    }

    /**
     * The newest checkpoint that is as it was written. What is wrong with newer ones is said to {@code notes}; when none
     * is whole, that is an error.
     *
     * @return empty when nothing has been saved yet
     */
    Optional<Path> newestWhole(Consumer<String> notes) {
        List<String> damages = new ArrayList<>();
        for (Path checkpoint : list().reversed()) {
            try {
                Manifest.verify(checkpoint);
                damages.forEach(
                        damage -> notes.accept(damage + "; going on from the older " + checkpoint.getFileName()));
                return Optional.of(checkpoint);
            } catch (UserException e) {
                damages.add(e.getMessage());
            }
        }
        if (damages.isEmpty()) {
            return Optional.empty();
        }
        throw new UserException(damages.getFirst() + "; no checkpoint of " + run + " is whole"
                + " (remove the checkpoints folder to start the run again)");
    }

    /** Writes the checkpoint of a step, then removes those that are too old to keep. */
    Event.Saved save(long step, Disk.Content content) {
        Event.Saved saved = write(folder.resolve(name(step)), step, content);
        if (keep > 0) {
            List<Path> older = list().stream().filter(path -> step(path) < step).collect(Collectors.toList());
            try {
                for (Path path : older.subList(0, Math.max(0, older.size() + 1 - keep))) {
                    Disk.remove(path);
                }
            } catch (IOException e) {
                throw new UserException(folder + ": old checkpoints cannot be removed (" + Reason.of(e) + ")", e);
            }
        }
        return saved;
    }

    /** A checkpoint that is there, as {@link #save} would have told of it. */
    Event.Saved described(Path checkpoint) {
        return new Event.Saved(
                step(checkpoint), path(checkpoint), Manifest.read(checkpoint).bytes(), 0);
    }

    /** The last checkpoint, in words for the end of an error. */
    String last() {
        List<Path> all = list();
        return all.isEmpty()
                ? "there is no checkpoint yet"
                : "the last checkpoint, " + all.getLast().getFileName() + ", is untouched";
    }

    /** Creates or replaces {@code best} or {@code final}. */
    Event.Saved publish(String name, long step, Disk.Content content) {
        return write(run.resolve(name), step, content);
    }

    /** Checkpoints by step, oldest first. */
    List<Path> list() {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try {
            return List.of(Disk.list(folder)).stream()
                    .filter(path -> NAME.matcher(path.getFileName().toString()).matches())
                    .sorted((a, b) -> Long.compare(step(a), step(b)))
                    .toList();
        } catch (IOException e) {
            throw new UserException(folder + ": cannot be read (" + Reason.of(e) + ")", e);
        }
    }

    private Event.Saved write(Path directory, long step, Disk.Content content) {
        long start = System.nanoTime();
        try {
            Manifest manifest = Disk.write(directory, content);
            return new Event.Saved(step, path(directory), manifest.bytes(), (System.nanoTime() - start) * 1e-9);
        } catch (IOException e) {
            throw unsaved(directory, Reason.of(e), e);
        } catch (UserException e) {
            throw unsaved(directory, e.getMessage(), e);
        }
    }

    private String path(Path directory) {
        return run.relativize(directory).toString().replace('\\', '/');
    }

    private UserException unsaved(Path directory, String reason, Exception cause) {
        return new UserException(
                directory + ": not saved: " + reason + "; " + last() + "; run resume when the disk is well again",
                cause);
    }
}
