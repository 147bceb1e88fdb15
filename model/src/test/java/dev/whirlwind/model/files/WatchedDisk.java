package dev.whirlwind.model.files;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/**
 * While it is open, all calls of {@link Storage} are written down, and one of them may fail as on a full disk: before it
 * does anything, or half done where it is a write.
 */
public final class WatchedDisk implements SystemCalls, AutoCloseable {
    /** What a disk is asked to do. */
    public enum Action {
        CREATE_FOLDER,
        CREATE_FILE,
        WRITE,
        SYNC,
        RENAME,
        SWAP,
        DELETE
    }

    /** A call; {@code target} is the new name of what is renamed or swapped. */
    public record Call(Action action, Path path, Path target) {}

    /** What a failing call says. */
    public static final String FULL = "No space left on device";

    private final List<Call> calls = new ArrayList<>();
    private final SystemCalls before;
    private long failing = Long.MAX_VALUE;
    private boolean swaps = true;

    /** Only watches. */
    public WatchedDisk() {
        before = Storage.calls;
        Storage.calls = this;
    }

    /** Lets the call after the next {@code n} fail, and all later ones but deletions. */
    public WatchedDisk failingAfter(long n) {
        failing = calls.size() + n;
        return this;
    }

    /** As a file system where names cannot change places. */
    public WatchedDisk withoutSwap() {
        swaps = false;
        return this;
    }

    /** The calls so far. */
    public synchronized List<Call> calls() {
        return List.copyOf(calls);
    }

    /**
     * What a power cut after all calls so far could take away: files below {@code folder} with content, and folders with
     * names, that were not synced since they changed. A folder that is itself new counts with the folder that it is in.
     */
    public synchronized List<Path> unsynced(Path folder) {
        TreeSet<Path> unsynced = new TreeSet<>();
        for (Call call : calls) {
            switch (call.action) {
                case CREATE_FILE, CREATE_FOLDER -> {
                    unsynced.add(call.path.getParent());
                    if (call.action == Action.CREATE_FILE) {
                        unsynced.add(call.path);
                    }
                }
                case DELETE -> unsynced.removeIf(path -> path.startsWith(call.path));
                case WRITE -> unsynced.add(call.path);
                case SYNC -> unsynced.remove(call.path);
                case RENAME, SWAP -> {
                    for (Path path : List.copyOf(unsynced)) {
                        if (path.startsWith(call.path)) {
                            unsynced.remove(path);
                            unsynced.add(call.target.resolve(call.path.relativize(path)));
                        }
                    }
                    unsynced.add(call.target.getParent());
                    unsynced.add(call.path.getParent());
                }
            }
        }
        unsynced.removeIf(path -> !path.startsWith(folder));
        return List.copyOf(unsynced);
    }

    private synchronized boolean fails(Action action, Path path, Path target) {
        boolean fails = calls.size() >= failing && action != Action.DELETE;
        calls.add(new Call(action, path.toAbsolutePath(), target == null ? null : target.toAbsolutePath()));
        return fails;
    }

    private void require(Action action, Path path, Path target) throws IOException {
        if (fails(action, path, target)) {
            throw new IOException(FULL);
        }
    }

    @Override
    public FileChannel open(Path path, OpenOption... options) throws IOException {
        if (!Files.exists(path)) {
            require(Action.CREATE_FILE, path, null);
        }
        return new Watched(path, SystemCalls.super.open(path, options));
    }

    @Override
    public void move(Path from, Path to) throws IOException {
        require(Action.RENAME, from, to);
        SystemCalls.super.move(from, to);
    }

    @Override
    public boolean swap(Path a, Path b) throws IOException {
        if (!swaps) {
            return false;
        }
        require(Action.SWAP, a, b);
        return SystemCalls.super.swap(a, b);
    }

    @Override
    public void createDirectory(Path folder) throws IOException {
        require(Action.CREATE_FOLDER, folder, null);
        SystemCalls.super.createDirectory(folder);
    }

    @Override
    public void delete(Path path) throws IOException {
        require(Action.DELETE, path, null);
        SystemCalls.super.delete(path);
    }

    @Override
    public void close() {
        Storage.calls = before;
    }

    private final class Watched extends FileChannel {
        private final Path path;
        private final FileChannel channel;

        Watched(Path path, FileChannel channel) {
            this.path = path;
            this.channel = channel;
        }

        @Override
        public int write(ByteBuffer bytes) throws IOException {
            if (fails(Action.WRITE, path, null)) {
                channel.write(bytes.slice().limit(bytes.remaining() / 2));
                throw new IOException(FULL);
            }
            return channel.write(bytes);
        }

        @Override
        public void force(boolean metaData) throws IOException {
            require(Action.SYNC, path, null);
            channel.force(metaData);
        }

        @Override
        public FileChannel truncate(long size) throws IOException {
            require(Action.WRITE, path, null);
            channel.truncate(size);
            return this;
        }

        @Override
        public int write(ByteBuffer bytes, long position) throws IOException {
            require(Action.WRITE, path, null);
            return channel.write(bytes, position);
        }

        @Override
        public long write(ByteBuffer[] buffers, int offset, int length) throws IOException {
            require(Action.WRITE, path, null);
            return channel.write(buffers, offset, length);
        }

        @Override
        public long transferFrom(ReadableByteChannel from, long position, long count) throws IOException {
            require(Action.WRITE, path, null);
            return channel.transferFrom(from, position, count);
        }

        @Override
        public int read(ByteBuffer bytes) throws IOException {
            return channel.read(bytes);
        }

        @Override
        public long read(ByteBuffer[] buffers, int offset, int length) throws IOException {
            return channel.read(buffers, offset, length);
        }

        @Override
        public int read(ByteBuffer bytes, long position) throws IOException {
            return channel.read(bytes, position);
        }

        @Override
        public long position() throws IOException {
            return channel.position();
        }

        @Override
        public FileChannel position(long position) throws IOException {
            channel.position(position);
            return this;
        }

        @Override
        public long size() throws IOException {
            return channel.size();
        }

        @Override
        public long transferTo(long position, long count, WritableByteChannel to) throws IOException {
            return channel.transferTo(position, count, to);
        }

        @Override
        public MappedByteBuffer map(MapMode mode, long position, long size) throws IOException {
            return channel.map(mode, position, size);
        }

        @Override
        public FileLock lock(long position, long size, boolean shared) throws IOException {
            return channel.lock(position, size, shared);
        }

        @Override
        public FileLock tryLock(long position, long size, boolean shared) throws IOException {
            return channel.tryLock(position, size, shared);
        }

        @Override
        protected void implCloseChannel() throws IOException {
            channel.close();
        }
    }
}
