package dev.whirlwind.training.distillation;

import dev.whirlwind.data.TokenDataset;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

/**
 * What was kept of a teacher for the sequences of one text, each found by its number, whatever the order in which a run reads
 * them. Records are read by position and compared with their checksums, as tokens are.
 */
public final class TeacherCache {
    /** In its folder. */
    static final String FILE = "teacher.topk";

    private final Path file;
    private final CacheHeader header;
    private final FileChannel channel;

    private TeacherCache(Path file) {
        this.file = file;
        if (!Files.isRegularFile(file)) {
            throw new UserException(
                    file.getParent() + ": holds no kept teacher (no " + FILE + "); make it with whirlwind teach");
        }
        try {
            channel = FileChannel.open(file, StandardOpenOption.READ);
            header = CacheHeader.decode(
                    bytes(0, (int) Math.min(channel.size(), CacheHeader.BYTES)), channel.size(), file);
        } catch (IOException e) {
            throw new UserException(file + ": cannot be read (" + Reason.of(e) + ")", e);
        }
    }

    /**
     * Opens a folder for a run.
     *
     * @throws UserException if it was made for another vocabulary, length or temperature
     */
    public static TeacherCache open(Path folder, int vocabulary, int sequence, double temperature) {
        TeacherCache cache = new TeacherCache(folder.resolve(FILE));
        cache.require("vocabulary", cache.header.vocabulary(), vocabulary, "take a teacher with the model's tokenizer");
        cache.require("sequence", cache.header.sequence(), sequence, "give --sequence " + cache.header.sequence());
        cache.require(
                "temperature",
                cache.header.temperature(),
                temperature,
                "give --temperature " + cache.header.temperature()
                        + " (the rest's probability at another cannot be known)");
        return cache;
    }

    private void require(String what, Number made, Number wanted, String remedy) {
        if (!made.equals(wanted)) {
            throw new UserException(file.getParent() + ": was made with a " + what + " of " + made + ", the run has "
                    + wanted + "; " + remedy + ", or teach again");
        }
    }

    /** The one that was made for those tokens. */
    public static TeacherCache of(TokenDataset text, List<TeacherCache> caches) {
        int top = caches.getFirst().top();
        TeacherCache found = caches.stream()
                .filter(cache -> Arrays.equals(cache.header.text(), text.identity()))
                .findFirst()
                .orElseThrow(() -> new UserException(text.name() + ": " + caches.getFirst()
                        + (caches.size() == 1 ? " was" : " and the others were")
                        + " made for other tokens; whirlwind teach --data keeps a teacher for these, once they are"
                        + " prepared"));
        if (found.top() != top) {
            throw new UserException(found + ": keeps " + found.top() + " tokens, " + caches.getFirst() + " keeps " + top
                    + "; make both with one --top-k");
        }
        return found;
    }

    /** What tells a folder's content from any other. */
    public static String identity(Path folder) {
        TeacherCache cache = new TeacherCache(folder.resolve(FILE));
        try (cache.channel) {
            return HexFormat.of().formatHex(cache.header.encode().array());
        } catch (IOException e) {
            throw new UserException(cache.file + ": cannot be read (" + Reason.of(e) + ")", e);
        }
    }

    /** Tokens that are kept of each place. */
    public int top() {
        return header.top();
    }

    /**
     * Puts what was kept for a sequence into a row of the inputs.
     *
     * @throws UserException if it is damaged
     */
    public void read(long sequence, int row, Inputs inputs) {
        int length = header.recordBytes();
        ByteBuffer bytes = bytes(header.offset(sequence), length + Integer.BYTES);
        if (CacheHeader.checksum(bytes.slice(0, length)) != bytes.getInt(length)) {
            throw CacheHeader.damaged(file, "the record of sequence " + sequence + " is not the one that was written");
        }
        int ids = header.sequence() * header.top();
        for (int i = 0; i < ids; i++) {
            int id = header.idBytes() == Short.BYTES ? Short.toUnsignedInt(bytes.getShort()) : bytes.getInt();
            boolean first = i % header.top() == 0;
            int before = first ? -1 : inputs.taughtTokens[row * ids + i - 1];
            if (id <= before || id >= header.vocabulary()) {
                throw CacheHeader.damaged(file, "sequence " + sequence + " has a token " + id + " after " + before);
            }
            inputs.taughtTokens[row * ids + i] = id;
        }
        int probabilities = header.sequence() * (header.top() + 1);
        bytes.asFloatBuffer().get(inputs.taughtProbabilities, row * probabilities, probabilities);
    }

    private ByteBuffer bytes(long position, int length) {
        ByteBuffer bytes = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
        try {
            while (bytes.hasRemaining()) {
                if (channel.read(bytes, position + bytes.position()) < 0) {
                    throw CacheHeader.damaged(file, "it was cut while it was being read");
                }
            }
        } catch (IOException e) {
            throw new UserException(file + ": cannot be read (" + Reason.of(e) + ")", e);
        }
        return bytes.flip();
    }

    @Override
    public String toString() {
        return file.getParent().toString();
    }
}
