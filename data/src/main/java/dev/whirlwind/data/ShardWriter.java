package dev.whirlwind.data;

import dev.whirlwind.data.tokenizers.Tokenizer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * Writes one split as shards {@code NAME-00000.tokens}, {@code NAME-00001.tokens}, ... Each is written beside, synced and
 * renamed, so that a file under its final name is whole.
 */
final class ShardWriter implements AutoCloseable {
    private static final int BUFFER_BYTES = 1 << 20;
    static final String PARTIAL = ".partial";

    private final Path folder;
    private final String split;
    private final Tokenizer tokenizer;
    private final long shardTokens;
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES).order(ByteOrder.LITTLE_ENDIAN);

    private int shards;
    private long tokens;
    private long sourceBytes;
    private FileChannel channel;
    private long tokensInShard;
    private long sourceBytesInShard;

    /** @param shardTokens the most tokens in one file */
    ShardWriter(Path folder, String split, Tokenizer tokenizer, long shardTokens) {
        this.folder = folder;
        this.split = split;
        this.tokenizer = tokenizer;
        this.shardTokens = shardTokens;
    }

    static String name(String split, int shard) {
        return String.format("%s-%05d.tokens", split, shard);
    }

    /** Appends tokens; their source bytes count for the shard that the first of them lands in. */
    void write(int[] ids, long bytes) throws IOException {
        sourceBytes += bytes;
        tokens += ids.length;
        boolean wide = ShardHeader.bytesPerToken(tokenizer.vocabularySize()) == Integer.BYTES;
        for (int i = 0; i < ids.length; i++) {
            if (channel == null) {
                open();
            }
            if (i == 0) {
                sourceBytesInShard += bytes;
            }
            if (buffer.remaining() < Integer.BYTES) {
                flush();
            }
            if (wide) {
                buffer.putInt(ids[i]);
            } else {
                buffer.putShort((short) ids[i]);
            }
            if (++tokensInShard == shardTokens) {
                finish();
            }
        }
    }

    private void open() throws IOException {
        channel = FileChannel.open(
                partial(), StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE);
        channel.position(ShardHeader.BYTES);
        tokensInShard = 0;
        sourceBytesInShard = 0;
    }

    private void flush() throws IOException {
        buffer.flip();
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
        buffer.clear();
    }

    private void finish() throws IOException {
        flush();
        ByteBuffer header = new ShardHeader(
                        tokensInShard,
                        sourceBytesInShard,
                        tokenizer.vocabularySize(),
                        tokenizer.endOfDocument(),
                        tokenizer.fingerprint())
                .encode();
        while (header.hasRemaining()) {
            channel.write(header, header.position());
        }
        channel.force(true);
        channel.close();
        channel = null;
        Files.move(partial(), folder.resolve(name(split, shards)), StandardCopyOption.ATOMIC_MOVE);
        shards++;
    }

    private Path partial() {
        return folder.resolve(name(split, shards) + PARTIAL);
    }

    /** Completes the last shard. */
    void complete() throws IOException {
        if (channel != null) {
            finish();
        }
    }

    int shards() {
        return shards;
    }

    long tokens() {
        return tokens;
    }

    long sourceBytes() {
        return sourceBytes;
    }

    /** Drops what was not completed. */
    @Override
    public void close() throws IOException {
        if (channel != null) {
            channel.close();
            channel = null;
            Files.deleteIfExists(partial());
        }
    }
}
