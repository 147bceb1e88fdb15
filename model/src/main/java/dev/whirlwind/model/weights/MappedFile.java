package dev.whirlwind.model.weights;

import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.WholeFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A file of weights, mapped into memory.
 *
 * @param bytes all of the file, read-only, until {@link #close}
 */
public record MappedFile(Path path, MemorySegment bytes, Arena arena) implements AutoCloseable {
    private static final int POINTER = 64;

    /** How a kind of file is read that has been mapped. */
    @FunctionalInterface
    public interface Format<T> {
        T read(MappedFile file);
    }

    /**
     * Maps a file and checks it. The result closes the mapping.
     *
     * @throws UserException if it cannot be read, is a Git LFS pointer, or the format refuses it
     */
    @SuppressWarnings("MustBeClosedChecker") // closed by whoever is given it, or here
    public static <T> T open(Path path, Format<T> format) {
        if (!Files.isRegularFile(path)) {
            throw new UserException(
                    path + (Files.exists(path) ? ": is not a file" : ": no such file") + "; check the model's folder");
        }
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            MemorySegment bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            WholeFile.refusePointer(
                    path, bytes.asSlice(0, Math.min(POINTER, bytes.byteSize())).toArray(ValueLayout.JAVA_BYTE));
            T opened = format.read(new MappedFile(path, bytes, arena));
            arena = null;
            return opened;
        } catch (IOException e) {
            throw Errors.unreadable(path, e);
        } finally {
            if (arena != null) {
                arena.close();
            }
        }
    }

    @Override
    public void close() {
        arena.close();
    }
}
