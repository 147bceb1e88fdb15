package dev.whirlwind.model.files;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.stream.Stream;

/**
 * What is written so that it survives a power cut, and what is removed without harm to anything else. All that the
 * program writes, renames or deletes goes through here and so through {@link SystemCalls}, where tests watch the order of
 * calls and let any of them fail.
 */
public final class Storage {
    private static final String PARTIAL = ".partial";

    /** Set by tests only. */
    static volatile SystemCalls calls = new SystemCalls() {};

    /** Writes the content of a new file. */
    @FunctionalInterface
    public interface Content {
        void writeTo(FileChannel channel) throws IOException;
    }

    private Storage() {}

    /** As {@link #write(Path, Content)}. */
    public static void write(Path file, byte[] bytes) throws IOException {
        write(file, channel -> writeFully(channel, ByteBuffer.wrap(bytes)));
    }

    /**
     * Writes a file and syncs it. What the path named before is replaced, not overwritten, so a reader that has the old
     * file open keeps it; a file that cannot be finished is removed again.
     */
    public static void write(Path file, Content content) throws IOException {
        deleteFile(file);
        try (FileChannel channel = calls.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            content.writeTo(channel);
            channel.force(true);
        } catch (IOException | RuntimeException | Error e) {
            discard(file, e);
            throw e;
        }
    }

    /** Writes a file such that its name stands, at every moment, for all of its old content or all of the new. */
    public static void replace(Path file, byte[] bytes) throws IOException {
        Path partial = partial(file);
        write(partial, bytes);
        try {
            move(partial, file);
        } catch (IOException e) {
            discard(partial, e);
            throw e;
        }
    }

    /** What {@link #replace} leaves behind when the process is killed amid it. */
    public static Path partial(Path file) {
        return file.resolveSibling(file.getFileName() + PARTIAL);
    }

    /** Opens a file to write at its end, creating it if need be. */
    public static FileChannel append(Path file) throws IOException {
        boolean created = !Files.exists(file);
        FileChannel channel = calls.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        try {
            channel.position(channel.size());
            if (created) {
                sync(parent(file));
            }
            return channel;
        } catch (IOException | RuntimeException | Error e) {
            channel.close();
            throw e;
        }
    }

    /** Writes all of the buffer, which a channel alone does not promise. */
    public static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** Renames in one step, over a file of that name if there is one, and makes the new name survive. Links are not followed. */
    public static void move(Path from, Path to) throws IOException {
        calls.move(from, to);
        sync(parent(to));
    }

    /**
     * Lets two paths change places in one step, and makes that survive.
     *
     * @return false, and nothing done, where the system or the file system cannot
     */
    public static boolean swap(Path a, Path b) throws IOException {
        if (!calls.swap(a, b)) {
            return false;
        }
        sync(parent(a));
        return true;
    }

    /** Creates a folder, and those above it where they are missing, and makes their names survive. */
    public static void createFolders(Path folder) throws IOException {
        if (Files.isDirectory(folder)) {
            return;
        }
        Path parent = parent(folder);
        if (parent != null) {
            createFolders(parent);
        }
        createFolder(folder);
    }

    /** Creates a folder in one that must exist, and makes its name survive. Does nothing if it is there. */
    public static void createFolder(Path folder) throws IOException {
        if (Files.isDirectory(folder)) {
            return;
        }
        try {
            calls.createDirectory(folder);
        } catch (FileAlreadyExistsException e) {
            if (!Files.isDirectory(folder)) {
                throw e;
            }
        }
        sync(parent(folder));
    }

    /** Waits until a file, or the names in a folder, are on the disk. Windows syncs no folders, and need not. */
    public static void sync(Path path) throws IOException {
        boolean folder = Files.isDirectory(path);
        if (folder && File.separatorChar != '/') {
            return;
        }
        try (FileChannel channel = calls.open(path, folder ? StandardOpenOption.READ : StandardOpenOption.WRITE)) {
            channel.force(true);
        }
    }

    /** Deletes a file, or a folder with all that is in it, if it is there. Of a link only the link. */
    public static void delete(Path path) throws IOException {
        if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
            for (Path child : list(path)) {
                delete(child);
            }
        }
        calls.delete(path);
    }

    /** What is in a folder, by name. */
    public static Path[] list(Path folder) throws IOException {
        try (Stream<Path> paths = Files.list(folder)) {
            return paths.sorted().toArray(Path[]::new);
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    /** Never a device such as /dev/full, and a link rather than what it points to. */
    private static void deleteFile(Path file) throws IOException {
        if (Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) || Files.isSymbolicLink(file)) {
            calls.delete(file);
        }
    }

    private static void discard(Path file, Throwable reason) {
        try {
            deleteFile(file);
        } catch (IOException e) {
            reason.addSuppressed(e);
        }
    }

    private static Path parent(Path path) {
        return path.toAbsolutePath().getParent();
    }
}
