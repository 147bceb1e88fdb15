package dev.whirlwind.data.sources.formats;

import com.github.luben.zstd.ZstdInputStream;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import org.apache.arrow.flatbuf.BodyCompression;
import org.apache.arrow.flatbuf.Buffer;
import org.apache.arrow.flatbuf.CompressionType;
import org.apache.arrow.flatbuf.FieldNode;
import org.apache.arrow.flatbuf.RecordBatch;
import org.apache.commons.compress.compressors.lz4.FramedLZ4CompressorInputStream;

/** The nodes and buffers of a batch, to be taken in the order of its fields. */
final class ArrowBatch {
    private static final int LONGEST_PACKED = 1 << 30;

    private final FileChannel channel;
    private final long body;
    private final long bodyLength;
    private final RecordBatch batch;
    private int node;
    private int buffer;
    private int variadic;

    ArrowBatch(FileChannel channel, long body, long bodyLength, RecordBatch batch) {
        this.channel = channel;
        this.body = body;
        this.bodyLength = bodyLength;
        this.batch = batch;
    }

    FieldNode node() throws IOException {
        if (node >= batch.nodesLength()) {
            throw new IOException("damaged: a batch without all of its columns");
        }
        return batch.nodes(node++);
    }

    /** The number of further buffers that a column of views has. */
    int variadic() throws IOException {
        if (variadic >= batch.variadicBufferCountsLength()) {
            throw new IOException("damaged: a batch without all of its columns");
        }
        return Math.toIntExact(batch.variadicBufferCounts(variadic++));
    }

    /** The next buffer, which is unpacked when it is read. */
    Bytes buffer() throws IOException {
        if (buffer >= batch.buffersLength()) {
            throw new IOException("damaged: a batch without all of its columns");
        }
        Buffer place = batch.buffers(buffer++);
        if (place.offset() < 0 || place.length() < 0 || place.length() > bodyLength - place.offset()) {
            throw new IOException("damaged: a column that lies outside of its batch");
        }
        return new Bytes(channel, body + place.offset(), place.length(), batch.compression());
    }

    static ByteBuffer read(FileChannel channel, long from, int length) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(length);
        while (bytes.hasRemaining()) {
            if (channel.read(bytes, from + bytes.position()) < 0) {
                throw new EOFException();
            }
        }
        return bytes.flip();
    }

    /** A buffer of a batch. */
    static final class Bytes {
        private static final int WINDOW = 1 << 16;

        private final FileChannel channel;
        private final long from;
        private final BodyCompression compression;
        private long length;
        private ByteBuffer unpacked;
        private ByteBuffer window = ByteBuffer.allocate(0);
        private long windowFrom;

        Bytes(FileChannel channel, long from, long length, BodyCompression compression) {
            this.channel = channel;
            this.from = from;
            this.length = length;
            this.compression = compression;
        }

        boolean isEmpty() {
            return length == 0;
        }

        /** Throws where it has fewer values than so many. */
        void requireValues(long values, int bits) throws IOException {
            unpack();
            if (values < 0 || values > 8 * length / bits) {
                throw new IOException("damaged: a column with fewer values than its batch has rows");
            }
        }

        byte[] read(long at, int n) throws IOException {
            if (n == 0) {
                return new byte[0];
            }
            unpack();
            require(at, n);
            byte[] bytes = new byte[n];
            if (unpacked != null) {
                unpacked.get((int) at, bytes);
            } else if (n > WINDOW) {
                ArrowBatch.read(channel, from + at, n).get(bytes);
            } else {
                window(at, n).get((int) (at - windowFrom), bytes);
            }
            return bytes;
        }

        int getInt(long at) throws IOException {
            return number(at, Integer.BYTES).getInt((int) (at - windowFrom));
        }

        long getLong(long at) throws IOException {
            return number(at, Long.BYTES).getLong((int) (at - windowFrom));
        }

        byte get(long at) throws IOException {
            return number(at, 1).get((int) (at - windowFrom));
        }

        short getShort(long at) throws IOException {
            return number(at, Short.BYTES).getShort((int) (at - windowFrom));
        }

        private ByteBuffer number(long at, int n) throws IOException {
            unpack();
            require(at, n);
            return unpacked != null ? unpacked : window(at, n);
        }

        private void require(long at, long n) throws IOException {
            if (at < 0 || n < 0 || n > length - at) {
                throw new IOException("damaged: a value that lies outside of its column");
            }
        }

        private ByteBuffer window(long at, int n) throws IOException {
            if (at < windowFrom || at + n > windowFrom + window.limit()) {
                windowFrom = at;
                window = ArrowBatch.read(channel, from + at, (int) Math.min(WINDOW, length - at))
                        .order(ByteOrder.LITTLE_ENDIAN);
            }
            return window;
        }

        private void unpack() throws IOException {
            if (compression == null || unpacked != null || length == 0) {
                return;
            }
            ByteBuffer packed =
                    ArrowBatch.read(channel, from, Math.toIntExact(length)).order(ByteOrder.LITTLE_ENDIAN);
            if (length < Long.BYTES) {
                throw new IOException("damaged: a packed column without its length");
            }
            long size = packed.getLong();
            // Less than nothing says that it is not packed.
            if (size < 0) {
                unpacked = packed.slice().order(ByteOrder.LITTLE_ENDIAN);
            } else {
                if (size > LONGEST_PACKED) {
                    throw new IOException("a packed column of " + size + " bytes in one batch: write smaller batches");
                }
                byte[] bytes;
                byte[] rest = new byte[packed.remaining()];
                packed.get(rest);
                InputStream in = new ByteArrayInputStream(rest);
                try (InputStream out = compression.codec() == CompressionType.ZSTD
                        ? new ZstdInputStream(in)
                        : new FramedLZ4CompressorInputStream(in)) {
                    // It grows as it comes, whatever the file says.
                    bytes = out.readNBytes((int) size);
                }
                if (bytes.length < size) {
                    throw new EOFException();
                }
                unpacked = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
            }
            length = unpacked.limit();
        }
    }
}
