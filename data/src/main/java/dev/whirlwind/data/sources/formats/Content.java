package dev.whirlwind.data.sources.formats;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Bytes that can be read from their beginning as often as need be. */
public interface Content {
    /** Bytes that are kept in memory. */
    int IN_MEMORY = 8 << 20;

    InputStream open() throws IOException;

    /** The same, to be read at any place: in a temporary file unless it is in one. */
    default FileChannel channel() throws IOException {
        try (InputStream in = open()) {
            return spooled(in);
        }
    }

    /** What a file holds. */
    static Content of(Path file) {
        return new Content() {
            @Override
            public InputStream open() throws IOException {
                return Files.newInputStream(file);
            }

            @Override
            public FileChannel channel() throws IOException {
                return FileChannel.open(file);
            }
        };
    }

    /** What a stream holds, which can be read only once: kept in memory if it is little, or else in a temporary file. */
    static Content kept(InputStream in) throws IOException {
        byte[] start = in.readNBytes(IN_MEMORY);
        if (start.length < IN_MEMORY) {
            return () -> new ByteArrayInputStream(start);
        }
        FileChannel channel = spooled(new SequenceInputStream(new ByteArrayInputStream(start), in));
        return () -> new Reader(channel);
    }

    /**
     * Copies a stream to a temporary file. On Unix that has no name, so that it cannot outlive the process; on Windows it goes
     * when the process ends.
     */
    private static FileChannel spooled(InputStream in) throws IOException {
        Path file = Files.createTempFile("whirlwind", ".tmp");
        FileChannel channel = FileChannel.open(
                file, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.DELETE_ON_CLOSE);
        try {
            byte[] chunk = new byte[1 << 16];
            for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
                ByteBuffer bytes = ByteBuffer.wrap(chunk, 0, n);
                while (bytes.hasRemaining()) {
                    channel.write(bytes);
                }
            }
            return channel;
        } catch (IOException e) {
            channel.close();
            throw new IOException(e.getMessage() + " (it was being copied to " + file.getParent() + ")", e);
        }
    }

    /** Reads a channel from its beginning, whatever others read of it. */
    final class Reader extends InputStream {
        private final FileChannel channel;
        private long position;

        Reader(FileChannel channel) {
            this.channel = channel;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            int n = channel.read(ByteBuffer.wrap(bytes, offset, length), position);
            position += Math.max(0, n);
            return n;
        }
    }
}
