package dev.whirlwind.model.files;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** What {@link Storage} asks of the system. */
interface SystemCalls {
    default FileChannel open(Path path, OpenOption... options) throws IOException {
        return FileChannel.open(path, options);
    }

    default void move(Path from, Path to) throws IOException {
        Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
    }

    /** False, and nothing done, where the system or the file system cannot. */
    default boolean swap(Path a, Path b) throws IOException {
        return Exchange.swap(a, b);
    }

    default void createDirectory(Path folder) throws IOException {
        Files.createDirectory(folder);
    }

    default void delete(Path path) throws IOException {
        Files.deleteIfExists(path);
    }
}
