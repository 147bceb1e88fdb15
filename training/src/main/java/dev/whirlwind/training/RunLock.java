package dev.whirlwind.training;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Keeps two processes from training in one folder. The system lets go of it when a process ends, however it ends. */
final class RunLock implements AutoCloseable {
    private final Path file;
    private final FileChannel channel;

    RunLock(Path run) {
        file = run.resolve(".lock");
        try {
            Files.createDirectories(run);
            channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw new UserException(run + ": cannot be written to (" + Reason.of(e) + ")", e);
        }
        if (!locked()) {
            close();
            throw new UserException(run + ": another process is training in this folder; wait for it or stop it");
        }
    }

    private boolean locked() {
        try {
            return channel.tryLock() != null;
        } catch (OverlappingFileLockException e) {
            return false;
        } catch (IOException e) {
            throw new UserException(file + ": cannot be locked (" + Reason.of(e) + ")", e);
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new UserException(file + ": cannot be closed (" + Reason.of(e) + ")", e);
        }
    }
}
