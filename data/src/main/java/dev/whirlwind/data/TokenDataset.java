package dev.whirlwind.data;

import dev.whirlwind.data.sources.Reading;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/**
 * One split of a prepared folder. Whatever is read is checked against the checksums that were written with it, so no token
 * of a damaged shard is ever given out. Reading is by position, not through mapped memory, where a file that is cut while it
 * is in use ends the process. May be read by many threads at once.
 */
public final class TokenDataset implements TokenSource {
    /** The splits of a prepared folder. */
    public static final String TRAIN = "train";

    public static final String VALID = "valid";

    /**
     * A file that is open.
     *
     * @param checksums of its blocks; empty in those of version 1
     * @param first place of its first token in the split
     */
    private record Shard(Path file, ShardHeader header, IntBuffer checksums, FileChannel channel, long first) {
        ByteBuffer checksumBytes() {
            ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES * checksums.limit());
            bytes.asIntBuffer().put(checksums.duplicate().rewind());
            return bytes;
        }

        /** Reads one block of tokens. */
        ByteBuffer block(long block) {
            long from = block * ShardHeader.BLOCK;
            int length = (int) Math.min(ShardHeader.BLOCK, header.tokenBytes() - from);
            ByteBuffer bytes = TokenDataset.read(channel, file, ShardHeader.BYTES + from, length);
            if (checksums.hasRemaining() && ShardWriter.checksum(bytes.duplicate()) != checksums.get((int) block)) {
                throw new DamagedShard(
                        file,
                        "damaged: its bytes from " + (ShardHeader.BYTES + from) + " to "
                                + (ShardHeader.BYTES + from + length - 1) + " are not those that were written",
                        null);
            }
            return bytes;
        }
    }

    private final String name;
    private final List<Shard> shards;
    private final int vocabulary;
    private final long tokens;
    private final long sourceBytes;

    private TokenDataset(String name, List<Shard> shards, int vocabulary) {
        this.name = name;
        this.shards = shards;
        this.vocabulary = vocabulary;
        tokens = shards.stream().mapToLong(s -> s.header.tokens()).sum();
        sourceBytes = shards.stream().mapToLong(s -> s.header.sourceBytes()).sum();
    }

    /** Whether a folder holds prepared data, as opposed to text. */
    public static boolean isPrepared(Path folder) {
        return Files.isRegularFile(folder.resolve(DatasetSummary.FILE));
    }

    /**
     * Opens the split {@link #TRAIN} or {@link #VALID} of a prepared folder.
     *
     * @param vocabulary the model's vocabulary, which every token read is checked against
     * @throws UserException when the folder is not complete, a shard is damaged, or the shards are of different tokenizers
     */
    public static TokenDataset open(Path folder, String split, int vocabulary) {
        return open(folder, split, vocabulary, folder.toString());
    }

    /**
     * Opens a folder that the user has not named.
     *
     * @param texts what errors call the text instead
     */
    public static TokenDataset open(Path folder, String split, int vocabulary, String texts) {
        return open(DatasetSummary.read(folder), folder, split, vocabulary, texts);
    }

    /** Opens a folder whose summary may not have been written yet. */
    static TokenDataset open(DatasetSummary summary, Path folder, String split, int vocabulary, String texts) {
        DatasetSummary.Split expected = split.equals(VALID) ? summary.valid() : summary.train();
        if (expected.tokens() == 0) {
            throw new UserException(texts + " has no " + split
                    + " tokens: prepare it again with more text or another held-out fraction");
        }
        List<Shard> shards = new ArrayList<>();
        long tokens = 0;
        for (int i = 0; i < expected.shards(); i++) {
            String checksum =
                    expected.checksums() == null ? null : expected.checksums().get(i);
            Shard shard = open(folder.resolve(ShardWriter.name(split, i)), checksum, tokens);
            requireSameTokenizer(shard, shards.isEmpty() ? shard : shards.getFirst());
            tokens += shard.header.tokens();
            shards.add(shard);
        }
        if (tokens != expected.tokens()) {
            throw new UserException(folder + " has " + tokens + " " + split + " tokens where " + DatasetSummary.FILE
                    + " says " + expected.tokens() + ": prepare the data again");
        }
        return new TokenDataset(texts + " (" + split + ")", shards, vocabulary);
    }

    /** Whether there is a whole shard with this checksum, as far as its length, header and table of checksums tell. */
    static boolean isShard(Path file, String checksum) {
        try {
            Shard shard = open(file, checksum, 0L);
            close(shard.channel, file);
            return true;
        } catch (UserException e) {
            return false;
        }
    }

    /** @param checksum what dataset.json says of it; null where it says nothing */
    private static Shard open(Path file, String checksum, long first) {
        FileChannel channel = null;
        boolean opened = false;
        try {
            if (!Files.isRegularFile(file)) {
                throw new NoSuchFileException(file.toString());
            }
            channel = FileChannel.open(file, StandardOpenOption.READ);
            long size = channel.size();
            ShardHeader header =
                    ShardHeader.decode(read(channel, file, 0, (int) Math.min(size, ShardHeader.BYTES)), size, file);
            ByteBuffer table =
                    read(channel, file, ShardHeader.BYTES + header.tokenBytes(), Integer.BYTES * header.blocks());
            // Only shards of version 1 may have none.
            String found = header.version() == 1 && checksum == null ? null : ShardWriter.checksum(header, table);
            if (!Objects.equals(checksum, found)) {
                throw new DamagedShard(
                        file,
                        "damaged, or of another preparation: its header and checksums are not those that "
                                + DatasetSummary.FILE + " tells of",
                        null);
            }
            opened = true;
            return new Shard(file, header, table.asIntBuffer(), channel, first);
        } catch (NoSuchFileException e) {
            throw new DamagedShard(file, "is missing", e);
        } catch (IOException e) {
            throw Reading.failure(file, e);
        } finally {
            if (!opened && channel != null) {
                close(channel, file);
            }
        }
    }

    private static void close(FileChannel channel, Path file) {
        try {
            channel.close();
        } catch (IOException e) {
            throw Reading.failure(file, e);
        }
    }

    /** So many bytes of a file, to be read as little-endian. */
    private static ByteBuffer read(FileChannel channel, Path file, long position, int length) {
        ByteBuffer bytes = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
        try {
            while (bytes.hasRemaining()) {
                if (channel.read(bytes, position + bytes.position()) < 0) {
                    throw new DamagedShard(
                            file, "was cut to " + channel.size() + " bytes while it was being read", null);
                }
            }
        } catch (IOException e) {
            throw new DamagedShard(file, "cannot be read (" + Reason.of(e) + ")", e);
        }
        return bytes.flip();
    }

    private static void requireSameTokenizer(Shard shard, Shard other) {
        if (!Arrays.equals(shard.header.fingerprint(), other.header.fingerprint())
                || shard.header.vocabulary() != other.header.vocabulary()) {
            throw new UserException(
                    shard.file + " and " + other.file + " were made with different tokenizers: prepare the data again");
        }
    }

    /**
     * What tells these tokens from all others, wherever they lie: SHA-256 of the tokenizer's hash and the shards' checksums.
     *
     * @throws UserException if there are no checksums
     */
    public byte[] identity() {
        if (!isChecked()) {
            throw new UserException(name + ": was prepared before shards had checksums; prepare it again");
        }
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (Shard shard : shards) {
                digest.update(shard.header.encode());
                digest.update(shard.checksumBytes());
            }
            return digest.digest();
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }

    /** Whether it was prepared with checksums, so that damage is noticed. */
    public boolean isChecked() {
        return shards.stream().allMatch(shard -> shard.header.version() > 1);
    }

    /** Throws a {@link UserException} when the tokens were made by another tokenizer than this one. */
    public void requireTokenizer(Tokenizer tokenizer) {
        Shard shard = shards.getFirst();
        if (!Arrays.equals(shard.header.fingerprint(), tokenizer.fingerprint())) {
            throw new UserException(shard.file + " was made with another tokenizer (vocabulary "
                    + shard.header.vocabulary() + ") than the model's (vocabulary " + tokenizer.vocabularySize()
                    + "): prepare the data again with the model's tokenizer");
        }
    }

    @Override
    public long tokens() {
        return tokens;
    }

    @Override
    public long sourceBytes() {
        return sourceBytes;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public int endOfText() {
        return shards.getFirst().header.endOfText();
    }

    @Override
    public void read(long from, int[] destination, int offset, int n) {
        if (from < 0 || n < 0 || from > tokens - n) {
            throw new IndexOutOfBoundsException("tokens " + from + " + " + n + " of " + tokens);
        }
        int shard = 0;
        while (n > 0) {
            Shard s = shards.get(shard++);
            long place = from - s.first;
            if (place >= s.header.tokens()) {
                continue;
            }
            int count = (int) Math.min(n, s.header.tokens() - place);
            read(s, place, destination, offset, count);
            from += count;
            offset += count;
            n -= count;
        }
    }

    private void read(Shard shard, long place, int[] destination, int offset, int n) {
        boolean wide = shard.header.bytesPerToken() == Integer.BYTES;
        int perBlock = ShardHeader.BLOCK / shard.header.bytesPerToken();
        int done = 0;
        while (done < n) {
            int inBlock = (int) ((place + done) % perBlock);
            int count = Math.min(n - done, perBlock - inBlock);
            ByteBuffer block = shard.block((place + done) / perBlock);
            for (int i = 0; i < count; i++) {
                int at = inBlock + i;
                int token =
                        wide ? block.getInt(Integer.BYTES * at) : Short.toUnsignedInt(block.getShort(Short.BYTES * at));
                TokensInMemory.requireInVocabulary(token, vocabulary, place + done + i, shard.file);
                destination[offset + done + i] = token;
            }
            done += count;
        }
    }
}
