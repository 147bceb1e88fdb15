package dev.whirlwind.cpu;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A model's file that weights are read in. Were it cut off meanwhile, reading beyond its end would end the process: so it is
 * looked at before each program, which leaves the moments of a program. A file that another one is put in the place of, or
 * that is deleted, stays what it was.
 */
record MappedWeights(Path path, FileChannel channel, MemorySegment bytes) implements AutoCloseable {
    /** Maps a file for as long as the arena lives. */
    @SuppressWarnings("MustBeClosedChecker") // closed by the engine
    static MappedWeights open(Path path, Arena arena) {
        try {
            FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
            return new MappedWeights(
                    path, channel, channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena));
        } catch (IOException e) {
            throw new UserException(path + ": cannot be read (" + Reason.of(e) + ")", e);
        }
    }

    /** The address of some of its bytes. */
    long at(long offset, long length) {
        return bytes.asSlice(offset, length).address();
    }

    /** Throws if it has become shorter. */
    void requireWhole() {
        try {
            if (channel.size() < bytes.byteSize()) {
                throw new UserException(
                        path + ": became shorter while the model was read in it; restore the file, and do"
                                + " not change models that are in use");
            }
        } catch (IOException e) {
            throw new UserException(path + ": cannot be read (" + Reason.of(e) + ")", e);
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
