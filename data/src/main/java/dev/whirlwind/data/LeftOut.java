package dev.whirlwind.data;

import dev.whirlwind.model.files.Storage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import tools.jackson.databind.json.JsonMapper;

/** The documents that were left out of a prepared folder, in {@code left-out.jsonl}: a line each, with its name and why. */
final class LeftOut implements AutoCloseable {
    static final String FILE = "left-out.jsonl";

    private record Row(String document, String reason) {}

    private static final JsonMapper JSON = JsonMapper.shared();

    private final Path folder;
    private final ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
    private FileChannel channel;

    LeftOut(Path folder) {
        this.folder = folder;
    }

    void add(String document, String reason) throws IOException {
        byte[] row = JSON.writeValueAsBytes(new Row(document, reason));
        if (channel == null) {
            Storage.delete(partial());
            channel = Storage.append(partial());
        }
        for (int from = 0; from <= row.length; ) {
            if (!buffer.hasRemaining()) {
                flush();
            }
            if (from == row.length) {
                buffer.put((byte) '\n');
                break;
            }
            int n = Math.min(buffer.remaining(), row.length - from);
            buffer.put(row, from, n);
            from += n;
        }
    }

    private void flush() throws IOException {
        Storage.writeFully(channel, buffer.flip());
        buffer.clear();
    }

    private Path partial() {
        return folder.resolve(FILE + ShardWriter.PARTIAL);
    }

    /** Gives the file its name, if any document was left out. */
    void complete() throws IOException {
        if (channel != null) {
            flush();
            channel.force(true);
            channel.close();
            channel = null;
            Storage.move(partial(), folder.resolve(FILE));
        }
    }

    @Override
    public void close() throws IOException {
        if (channel != null) {
            channel.close();
            channel = null;
            Storage.delete(partial());
        }
    }
}
