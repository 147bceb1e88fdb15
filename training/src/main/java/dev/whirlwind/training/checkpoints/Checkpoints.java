package dev.whirlwind.training.checkpoints;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.training.metrics.Event;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The checkpoints of a run: {@code checkpoints/step-00000100/}, {@code best/}, {@code final/} and {@code ema/}. Each may be a link to a
 * folder elsewhere: it is read through the link, but only the link is ever replaced or removed.
 */
public final class Checkpoints {
    public static final String BEST = "best";
    public static final String FINAL = "final";

    /** The mean of the weights at the end. */
    public static final String EMA = "ema";

    /** A whole checkpoint of the step that the plateau of the learning rate ended with. */
    public static final String PLATEAU = "plateau";

    private static final Pattern NAME = Pattern.compile("step-\\d{8,18}");

    private final Path run;
    private final Path folder;
    private final Consumer<String> notes;

    /** Those that were read and found damaged. */
    private final Set<Path> damaged = new HashSet<>();

    /**
     * Clears away what a killed process left half-done.
     *
     * @param notes hears in words what was decided
     */
    public Checkpoints(Path run, Consumer<String> notes) {
        this.run = run;
        this.folder = run.resolve("checkpoints");
        this.notes = notes;
        try {
            Disk.recover(folder, Checkpoints::isStep);
            Disk.recover(run, Set.of(BEST, FINAL)::contains);
        } catch (IOException e) {
            throw new UserException(run + ": cannot be cleaned up (" + Reason.of(e) + ")", e);
        }
    }

    public static String name(long step) {
        return String.format(Locale.ROOT, "step-%08d", step);
    }

    /** The step of a path that {@link #list} gave. */
    static long step(Path checkpoint) {
        return Long.parseLong(checkpoint.getFileName().toString().substring("step-".length()));
    }

    /** Whether {@link #name} makes this name. */
    private static boolean isStep(String name) {
        return NAME.matcher(name).matches() && name(step(Path.of(name))).equals(name);
    }

    /** A checkpoint's name in the run's folder, the same on every system. */
    static String path(Path run, Path checkpoint) {
        return run.relativize(checkpoint).toString().replace('\\', '/');
    }

    /**
     * The newest checkpoint that is as it was written. What is wrong with newer ones is noted; when none is whole, that is
     * an error.
     *
     * @return empty when nothing has been saved yet
     */
    Optional<Checkpoint> newestWhole() {
        List<String> damages = new ArrayList<>();
        for (Path path : list().reversed()) {
            try {
                Checkpoint checkpoint = Checkpoint.read(path);
                damages.forEach(damage -> notes.accept(damage + "; going on from the older " + path.getFileName()));
                return Optional.of(checkpoint);
            } catch (UserException e) {
                damages.add(e.getMessage());
                damaged.add(path);
            }
        }
        if (damages.isEmpty()) {
            return Optional.empty();
        }
        throw new UserException(damages.getFirst() + "; no checkpoint of " + run + " is whole"
                + " (remove the checkpoints folder to start the run again)");
    }

    /**
     * Writes the checkpoint of a step, then removes those that are too old to keep.
     *
     * @param keep how many of the latest whole checkpoints stay; 0 for all
     */
    public Event.Saved save(long step, int keep, Disk.Content content) {
        Path path = folder.resolve(name(step));
        Event.Saved saved = write(path, step, content);
        damaged.remove(path);
        if (keep > 0) {
            prune(step, keep);
        }
        return saved;
    }

    /** Creates or replaces {@link #BEST}, {@link #FINAL} or {@link #EMA}. */
    public Event.Saved publish(String name, long step, Disk.Content content) {
        return write(run.resolve(name), step, content);
    }

    /** Damaged ones do not count, and go when they are older than those that do. */
    private void prune(long step, int keep) {
        int whole = 0;
        for (Path path : list().reversed()) {
            if (step(path) > step) {
                continue;
            }
            if (whole < keep) {
                whole += seemsWhole(path) ? 1 : 0;
                continue;
            }
            try {
                Optional<Path> target = target(path);
                Disk.remove(path);
                target.ifPresent(left -> notes.accept(path + ": too old to keep, the link is removed; what it led to, "
                        + left + ", is left as it is"));
            } catch (IOException e) {
                notes.accept(path + ": too old to keep, but it cannot be removed (" + Reason.of(e) + ")");
            }
        }
    }

    /** Where a link leads. */
    private static Optional<Path> target(Path path) throws IOException {
        return Files.isSymbolicLink(path) ? Optional.of(Files.readSymbolicLink(path)) : Optional.empty();
    }

    private boolean seemsWhole(Path checkpoint) {
        try {
            Manifest.verifySizes(checkpoint);
            return !damaged.contains(checkpoint);
        } catch (UserException e) {
            return false;
        }
    }

    /** The last checkpoint, in words for the end of an error. */
    public String last() {
        return list().reversed().stream()
                .filter(this::seemsWhole)
                .findFirst()
                .map(last -> "the last checkpoint, " + last.getFileName() + ", is untouched")
                .orElse("there is no checkpoint yet");
    }

    /** What bears a checkpoint's name, by step, oldest first. */
    public List<Path> list() {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try {
            return Stream.of(Storage.list(folder))
                    .filter(path -> isStep(path.getFileName().toString()))
                    .sorted(Comparator.comparingLong(Checkpoints::step))
                    .toList();
        } catch (IOException e) {
            throw new UserException(folder + ": cannot be read (" + Reason.of(e) + ")", e);
        }
    }

    private Event.Saved write(Path directory, long step, Disk.Content content) {
        long start = System.nanoTime();
        try {
            Optional<Path> target = target(directory);
            if (!directory.getParent().equals(run)) {
                Storage.createFolder(directory.getParent());
            }
            Manifest manifest = Disk.write(directory, content);
            target.ifPresent(left -> notes.accept(
                    directory + ": was a link and is a folder now; what it led to, " + left + ", is left as it is"));
            return new Event.Saved(step, path(run, directory), manifest.bytes(), (System.nanoTime() - start) * 1e-9);
        } catch (IOException e) {
            throw unsaved(directory, Reason.of(e), e);
        } catch (UserException e) {
            throw unsaved(directory, e.getMessage(), e);
        }
    }

    private UserException unsaved(Path directory, String reason, Exception cause) {
        return new UserException(
                directory + ": not saved: " + reason + "; " + last() + "; run resume when the disk is well again",
                cause);
    }
}
