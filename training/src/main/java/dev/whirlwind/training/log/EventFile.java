package dev.whirlwind.training.log;

import dev.whirlwind.model.files.Storage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.zip.CRC32C;

/**
 * A file of TFRecords: for each record its length (8 bytes, little-endian), the length's checksum, the bytes, and theirs.
 * Checksums are CRC-32C, masked as tensorflow/core/lib/hash/crc32c.h does it, so that files of files keep good ones.
 */
final class EventFile implements AutoCloseable {
    private static final int MASK = 0xa282ead8;

    private final FileChannel channel;

    EventFile(Path file) throws IOException {
        channel = Storage.append(file);
    }

    void append(byte[] record) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(Long.BYTES + 2 * Integer.BYTES + record.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(record.length);
        bytes.putInt(masked(bytes.array(), 0, Long.BYTES));
        bytes.put(record);
        bytes.putInt(masked(record, 0, record.length));
        Storage.writeFully(channel, bytes.flip());
    }

    private static int masked(byte[] bytes, int offset, int length) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, offset, length);
        return Integer.rotateRight((int) crc.getValue(), 15) + MASK;
    }

    @Override
    public void close() throws IOException {
        try (channel) {
            channel.force(true);
        }
    }
}
