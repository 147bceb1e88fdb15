package dev.whirlwind.data;

import dev.whirlwind.data.sources.Reading;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** One split of a prepared folder: its shards, memory-mapped. May be read by many threads at once. */
public final class TokenDataset implements TokenSource {
    /** The splits of a prepared folder. */
    public static final String TRAIN = "train";

    public static final String VALID = "valid";

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** @param first place of its first token in the split */
    private record Shard(Path file, ShardHeader header, MemorySegment ids, long first) {}

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
        DatasetSummary summary = DatasetSummary.read(folder);
        DatasetSummary.Split expected = split.equals(VALID) ? summary.valid() : summary.train();
        if (expected.tokens() == 0) {
            throw new UserException(texts + " has no " + split
                    + " tokens: prepare it again with more text or another held-out fraction");
        }
        List<Shard> shards = new ArrayList<>();
        long tokens = 0;
        for (int i = 0; i < expected.shards(); i++) {
            Shard shard = map(folder.resolve(ShardWriter.name(split, i)), tokens);
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

    private static Shard map(Path file, long first) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            long size = channel.size();
            MemorySegment all = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, Arena.ofAuto());
            ShardHeader header = ShardHeader.decode(
                    all.asSlice(0, Math.min(size, ShardHeader.BYTES)).asByteBuffer(), size, file);
            return new Shard(file, header, all.asSlice(ShardHeader.BYTES), first);
        } catch (NoSuchFileException e) {
            throw new UserException(file + " is missing: prepare the data again", e);
        } catch (IOException e) {
            throw Reading.failure(file, e);
        }
    }

    private static void requireSameTokenizer(Shard shard, Shard other) {
        if (!Arrays.equals(shard.header.fingerprint(), other.header.fingerprint())
                || shard.header.vocabulary() != other.header.vocabulary()) {
            throw new UserException(
                    shard.file + " and " + other.file + " were made with different tokenizers: prepare the data again");
        }
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
            try {
                read(s, place, destination, offset, count);
            } catch (InternalError e) { // what the JVM makes of a mapped page that cannot be read
                throw new UserException(
                        s.file + " cannot be read: it was cut short while in use, or the disk fails: check both, or"
                                + " prepare the data again",
                        e);
            }
            from += count;
            offset += count;
            n -= count;
        }
    }

    private void read(Shard shard, long place, int[] destination, int offset, int n) {
        boolean wide = shard.header.bytesPerToken() == Integer.BYTES;
        for (int i = 0; i < n; i++) {
            int token = wide
                    ? shard.ids.getAtIndex(INT, place + i)
                    : Short.toUnsignedInt(shard.ids.getAtIndex(SHORT, place + i));
            TokensInMemory.requireInVocabulary(token, vocabulary, place + i, shard.file);
            destination[offset + i] = token;
        }
    }
}
