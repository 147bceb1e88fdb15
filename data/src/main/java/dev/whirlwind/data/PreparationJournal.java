package dev.whirlwind.data;

import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.files.WholeFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * How far a preparation is whose process may end at any time: written after each shard, so that the next one goes on behind
 * it.
 *
 * @param of what is prepared and how: only the same goes on
 */
record PreparationJournal(String of, Side train, Side valid) {
    static final String FILE = "progress.json";

    private static final JsonMapper JSON = JsonMapper.shared();

    /**
     * A split at the end of its last shard.
     *
     * @param pieces of documents that are in its shards as a whole
     * @param tokens of the next piece that are
     * @param allTokens in all shards
     * @param bytes of text that they stand for
     * @param checksums of the shards
     */
    record Side(long pieces, int tokens, long allTokens, long bytes, List<String> checksums) {
        static final Side NOTHING = new Side(0, 0, 0, 0, List.of());
    }

    /** What tells one preparation from another: the tokenizer, the options, and what the corpus was found to hold. */
    static String identity(Tokenizer tokenizer, Preparation.Options options, long... corpus) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update(tokenizer.fingerprint());
            String words = options.heldOut() + " " + options.seed() + " " + options.shardTokens() + " "
                    + options.specialTokens() + " " + options.deduplication();
            digest.update(words.getBytes(java.nio.charset.StandardCharsets.UTF_8));
            ByteBuffer numbers = ByteBuffer.allocate(Long.BYTES * corpus.length);
            numbers.asLongBuffer().put(corpus);
            digest.update(numbers);
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }

    /** The journal of a folder if it is of the same preparation and its shards are there. */
    static Optional<PreparationJournal> read(Path folder, String of) throws IOException {
        Path file = folder.resolve(FILE);
        if (!Files.isRegularFile(file)) {
            return Optional.empty();
        }
        try {
            PreparationJournal journal =
                    JSON.readValue(WholeFile.read(file, WholeFile.SETTINGS), PreparationJournal.class);
            boolean sound = journal != null
                    && of.equals(journal.of)
                    && isThere(folder, TokenDataset.TRAIN, journal.train)
                    && isThere(folder, TokenDataset.VALID, journal.valid);
            return sound ? Optional.of(journal) : Optional.empty();
        } catch (JacksonException e) {
            return Optional.empty();
        }
    }

    private static boolean isThere(Path folder, String split, Side side) {
        if (side == null || side.checksums == null) {
            return false;
        }
        for (int shard = 0; shard < side.checksums.size(); shard++) {
            if (!TokenDataset.isShard(folder.resolve(ShardWriter.name(split, shard)), side.checksums.get(shard))) {
                return false;
            }
        }
        return true;
    }

    void write(Path folder) throws IOException {
        Storage.replace(folder.resolve(FILE), JSON.writeValueAsBytes(this));
    }

    /** Whether a file is one of a shard that is done. */
    boolean has(Path file) {
        String name = file.getFileName().toString();
        return name.equals(FILE)
                || isShardOf(name, TokenDataset.TRAIN, train)
                || isShardOf(name, TokenDataset.VALID, valid);
    }

    private static boolean isShardOf(String name, String split, Side side) {
        for (int shard = 0; shard < side.checksums.size(); shard++) {
            if (name.equals(ShardWriter.name(split, shard))) {
                return true;
            }
        }
        return false;
    }
}
