package dev.whirlwind.training.checkpoints;

import dev.whirlwind.model.files.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.function.Predicate;

/**
 * Directories that appear under their name whole or not at all. A new version of {@code X} is written to the hidden
 * sibling {@code .X.partial}; where {@code X} exists, the two change places in one system call on Linux and macOS.
 * Elsewhere {@code X} steps aside as {@code .X.old} for a moment, and {@link #recover} puts it back after a crash in it.
 * Where {@code X} is a link, it is the link that is replaced or removed, never what it leads to.
 */
final class Disk {
    private static final String PARTIAL = ".partial";
    private static final String OLD = ".old";

    /** Writes a directory's files; whatever it throws leaves the directory's former version untouched. */
    @FunctionalInterface
    public interface Content {
        void write(Path directory) throws IOException;
    }

    private Disk() {}

    /** Creates or replaces a directory, sealed with a {@link Manifest}, in one that must exist. */
    static Manifest write(Path directory, Content content) throws IOException {
        Path partial = sibling(directory, PARTIAL);
        Storage.delete(partial);
        Manifest manifest;
        try {
            Storage.createFolder(partial);
            content.write(partial);
            manifest = Manifest.seal(partial);
            publish(partial, directory);
        } catch (IOException | RuntimeException | Error e) {
            discard(partial, e);
            throw e;
        }
        // Of the former version. It has been saved, whatever becomes of this.
        discard(partial, null);
        return manifest;
    }

    /** Takes a directory away in one move, then deletes it. */
    static void remove(Path directory) throws IOException {
        Path partial = sibling(directory, PARTIAL);
        Storage.delete(partial);
        Storage.move(directory, partial);
        Storage.delete(partial);
    }

    /**
     * Clears away what a killed process left in a folder.
     *
     * @param ours the names of the directories that are written there; nothing else is touched
     */
    static void recover(Path folder, Predicate<String> ours) throws IOException {
        if (!Files.isDirectory(folder)) {
            return;
        }
        for (Path path : Storage.list(folder)) {
            Path original = original(path, OLD, ours);
            if (original != null && !Files.exists(original, LinkOption.NOFOLLOW_LINKS)) {
                Storage.move(path, original);
            }
        }
        for (Path path : Storage.list(folder)) {
            if (original(path, OLD, ours) != null || original(path, PARTIAL, ours) != null) {
                Storage.delete(path);
            }
        }
    }

    /** What a hidden sibling belongs to; null where it is none. */
    private static Path original(Path path, String suffix, Predicate<String> ours) {
        String name = path.getFileName().toString();
        if (!name.startsWith(".") || !name.endsWith(suffix) || name.length() <= suffix.length()) {
            return null;
        }
        String original = name.substring(1, name.length() - suffix.length());
        return ours.test(original) ? path.resolveSibling(original) : null;
    }

    private static void publish(Path partial, Path directory) throws IOException {
        if (!Files.exists(directory, LinkOption.NOFOLLOW_LINKS)) {
            Storage.move(partial, directory);
        } else if (!Storage.swap(partial, directory)) {
            Path old = sibling(directory, OLD);
            Storage.delete(old);
            Storage.move(directory, old);
            try {
                Storage.move(partial, directory);
            } catch (IOException e) {
                if (!Files.exists(directory, LinkOption.NOFOLLOW_LINKS)) {
                    Storage.move(old, directory);
                }
                throw e;
            }
            discard(old, null);
        }
    }

    private static Path sibling(Path directory, String suffix) {
        return directory.resolveSibling("." + directory.getFileName() + suffix);
    }

    /** What cannot be deleted now is at the next start, or is in the way of the next version and then said. */
    private static void discard(Path path, Throwable reason) {
        try {
            Storage.delete(path);
        } catch (IOException e) {
            if (reason != null) {
                reason.addSuppressed(e);
            }
        }
    }
}
