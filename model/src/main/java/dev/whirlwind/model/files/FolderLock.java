package dev.whirlwind.model.files;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Objects;

/**
 * Keeps two processes from working in one folder, by a lock on a hidden file in it. The system lets go of the lock when a
 * process ends, however it ends. While that file has its name, the folder is still the one that was locked.
 */
public final class FolderLock implements AutoCloseable {
    /** The file's name. */
    public static final String NAME = ".lock";

    private final Path folder;
    private final Path file;

    /** The topmost folder that was created for it, or null. */
    private final Path created;

    private FileChannel channel;

    /** What the file is to the system, whatever its name. Null on Windows, where a folder in use cannot be moved. */
    private Object key;

    /**
     * Creates the folder where there is none, and locks it.
     *
     * @throws UserException if another process has it, or it cannot be created or locked
     */
    public FolderLock(Path folder) {
        this.folder = folder;
        file = folder.resolve(NAME);
        created = firstMissing(folder);
        boolean locked = false;
        try {
            while (!locked) {
                locked = tryToLock();
            }
        } catch (IOException e) {
            throw new UserException(folder + ": cannot be written to (" + Reason.of(e) + "); choose another folder", e);
        } finally {
            if (!locked) {
                closeChannel();
            }
        }
    }

    /** False where the owner before has removed the file amid this, so that another one may have its name by now. */
    private boolean tryToLock() throws IOException {
        closeChannel();
        createFile();
        try {
            key = keyOfName();
            channel = FileChannel.open(file, StandardOpenOption.WRITE);
            lock();
            return Objects.equals(key, keyOfName());
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    private void createFile() throws IOException {
        try {
            Storage.createFolders(folder);
            Files.createFile(file);
        } catch (FileAlreadyExistsException e) {
            if (!Files.isDirectory(folder)) {
                throw new UserException(folder + ": is a file; choose another folder", e);
            }
        }
    }

    private void lock() throws IOException {
        FileLock lock;
        try {
            lock = channel.tryLock();
        } catch (OverlappingFileLockException e) {
            throw new UserException(folder + ": this process is at work in this folder already", e);
        } catch (IOException e) {
            throw new UserException(
                    file + ": cannot be locked (" + Reason.of(e) + "), so two processes could spoil the folder;"
                            + " choose one on another file system",
                    e);
        }
        if (lock == null) {
            throw new UserException(
                    folder + ": another process" + owner() + " is at work in this folder; wait for it or stop it");
        }
        channel.truncate(0);
        channel.write(
                ByteBuffer.wrap(String.valueOf(ProcessHandle.current().pid()).getBytes(StandardCharsets.US_ASCII)));
    }

    private String owner() {
        try {
            String pid = Files.readString(file);
            return pid.matches("\\d{1,10}") ? " (" + pid + ")" : "";
        } catch (IOException e) {
            return "";
        }
    }

    // By name only: on POSIX systems a lock is lost when its process closes any channel on the file.
    private Object keyOfName() throws IOException {
        return Files.readAttributes(file, BasicFileAttributes.class).fileKey();
    }

    /** Whether the folder is still the one that was locked: not removed, moved or replaced since. */
    public boolean isHeld() {
        try {
            return Objects.equals(key, keyOfName());
        } catch (IOException e) {
            return false;
        }
    }

    /** Lets go. */
    @Override
    public void close() {
        close(false);
    }

    /** Lets go, and removes the folder if it was created for the lock and nothing else is in it; so with those above. */
    public void closeAndForget() {
        close(true);
    }

    private void close(boolean forget) {
        if (channel == null) {
            return;
        }
        try {
            if (isHeld()) {
                Files.delete(file);
                for (Path path = folder.toAbsolutePath(); forget && created != null; path = path.getParent()) {
                    Files.delete(path);
                    forget = !path.equals(created);
                }
            }
        } catch (IOException e) {
            // What cannot be removed, or holds something, stays and harms nobody.
            return;
        } finally {
            closeChannel();
        }
    }

    private static Path firstMissing(Path folder) {
        Path missing = null;
        for (Path path = folder.toAbsolutePath(); path != null && !Files.exists(path); path = path.getParent()) {
            missing = path;
        }
        return missing;
    }

    private void closeChannel() {
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException e) {
            throw new UserException(file + ": cannot be closed (" + Reason.of(e) + ")", e);
        } finally {
            channel = null;
        }
    }
}
