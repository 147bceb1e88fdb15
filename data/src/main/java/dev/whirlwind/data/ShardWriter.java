package dev.whirlwind.data;

import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.files.Storage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * Writes one split as shards {@code NAME-00000.tokens}, {@code NAME-00001.tokens}, ... Each is written beside, synced and
 * renamed, so that a file under its final name is whole.
 */
final class ShardWriter implements AutoCloseable {
    /** A whole number of tokens and of blocks. */
    private static final int BUFFER_BYTES = 64 * ShardHeader.BLOCK;

    static final String PARTIAL = ".partial";

    private final Path folder;
    private final String split;
    private final Tokenizer tokenizer;
    private final long shardTokens;
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES).order(ByteOrder.LITTLE_ENDIAN);

    /** Of the shards so far. */
    private final List<String> checksums = new ArrayList<>();

    /** Of the blocks of the shard that is being written. */
    private int[] blocks = new int[64];

    private int blockCount;
    private long tokens;
    private long sourceBytes;
    private FileChannel channel;
    private long tokensInShard;
    private long sourceBytesInShard;

    /** Hears of shards that are done. */
    interface Listener {
        /** A shard is done; so many of the tokens that are being written are in shards now. */
        void done(int tokens) throws IOException;
    }

    /**
     * Goes on behind shards that there are.
     *
     * @param shardTokens the most tokens in one file
     */
    ShardWriter(Path folder, String split, Tokenizer tokenizer, long shardTokens, PreparationJournal.Side before) {
        this(folder, split, tokenizer, shardTokens);
        checksums.addAll(before.checksums());
        tokens = before.allTokens();
        sourceBytes = before.bytes();
    }

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
    void write(int[] ids, long bytes, Listener listener) throws IOException {
        sourceBytes += bytes;
        boolean wide = ShardHeader.bytesPerToken(tokenizer.vocabularySize()) == Integer.BYTES;
        for (int i = 0; i < ids.length; i++) {
            if (channel == null) {
                open();
            }
            if (i == 0) {
                sourceBytesInShard += bytes;
            }
            if (!buffer.hasRemaining()) {
                flush();
            }
            if (wide) {
                buffer.putInt(ids[i]);
            } else {
                buffer.putShort((short) ids[i]);
            }
            tokens++;
            if (++tokensInShard == shardTokens) {
                finish();
                listener.done(i + 1);
            }
        }
    }

    private void open() throws IOException {
        Storage.delete(partial());
        channel = Storage.append(partial());
        channel.position(ShardHeader.BYTES);
        tokensInShard = 0;
        sourceBytesInShard = 0;
        blockCount = 0;
    }

    private void flush() throws IOException {
        buffer.flip();
        for (int from = 0; from < buffer.limit(); from += ShardHeader.BLOCK) {
            if (blockCount == blocks.length) {
                blocks = Arrays.copyOf(blocks, 2 * blockCount);
            }
            int length = Math.min(ShardHeader.BLOCK, buffer.limit() - from);
            blocks[blockCount++] = checksum(buffer.slice(from, length));
        }
        Storage.writeFully(channel, buffer);
        buffer.clear();
    }

    private void finish() throws IOException {
        flush();
        ShardHeader header = new ShardHeader(
                ShardHeader.VERSION,
                tokensInShard,
                sourceBytesInShard,
                tokenizer.vocabularySize(),
                tokenizer.endOfDocument(),
                tokenizer.fingerprint());
        ByteBuffer table = ByteBuffer.allocate(Integer.BYTES * blockCount).order(ByteOrder.LITTLE_ENDIAN);
        table.asIntBuffer().put(blocks, 0, blockCount);
        Storage.writeFully(channel, table.duplicate());
        channel.position(0);
        Storage.writeFully(channel, header.encode());
        channel.force(true);
        channel.close();
        channel = null;
        Storage.move(partial(), folder.resolve(name(split, checksums.size())));
        checksums.add(checksum(header, table));
    }

    static int checksum(ByteBuffer block) {
        CRC32C crc = new CRC32C();
        crc.update(block);
        return (int) crc.getValue();
    }

    /** What {@code dataset.json} says of a shard: the checksum of its header and of its blocks' checksums. */
    static String checksum(ShardHeader header, ByteBuffer table) {
        CRC32C crc = new CRC32C();
        crc.update(header.encode());
        crc.update(table.duplicate());
        return "%08x".formatted(crc.getValue());
    }

    private Path partial() {
        return folder.resolve(name(split, checksums.size()) + PARTIAL);
    }

    /** Completes the last shard. */
    void complete() throws IOException {
        if (channel != null) {
            finish();
        }
    }

    /** Of each shard, as {@code dataset.json} has them. */
    List<String> checksums() {
        return List.copyOf(checksums);
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
            Storage.delete(partial());
        }
    }
}
