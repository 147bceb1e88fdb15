package dev.whirlwind.data;

import dev.whirlwind.model.UserException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * The first 72 bytes of a token shard, little-endian. The token ids follow, 2 bytes each (unsigned) when the vocabulary
 * has at most 65536 ids, else 4; and then, since version 2, the CRC-32C of each {@value #BLOCK} bytes of them, 4 bytes each.
 * The CRC-32C of the header and those checksums is the shard's in {@code dataset.json}, so that every byte is covered and
 * any place can be checked without reading the rest.
 *
 * <pre>
 *  0  8 bytes  "WHIRLTOK"
 *  8  int      version, 1 or 2
 * 12  int      bytes per token, 2 or 4
 * 16  long     tokens
 * 24  long     bytes of UTF-8 text that the tokens were made from
 * 32  int      vocabulary
 * 36  int      end-of-text id
 * 40  32 bytes SHA-256 of the tokenizer's tokenizer.json
 * </pre>
 */
@SuppressWarnings("ArrayRecordComponent")
record ShardHeader(int version, long tokens, long sourceBytes, int vocabulary, int endOfText, byte[] fingerprint) {
    static final int BYTES = 72;

    /** Bytes of token ids that have a checksum of their own. */
    static final int BLOCK = 1 << 14;

    /** What is written. Version 1 has no checksums. */
    static final int VERSION = 2;

    /** As many as there can be checksums of. */
    private static final long MOST_TOKENS = (long) Integer.MAX_VALUE / 2 * BLOCK / Integer.BYTES;

    private static final byte[] MAGIC = "WHIRLTOK".getBytes(StandardCharsets.US_ASCII);

    static int bytesPerToken(int vocabulary) {
        return vocabulary <= 0x10000 ? Short.BYTES : Integer.BYTES;
    }

    int bytesPerToken() {
        return bytesPerToken(vocabulary);
    }

    long tokenBytes() {
        return tokens * bytesPerToken();
    }

    /** Number of checksums. */
    int blocks() {
        return version == 1 ? 0 : Math.toIntExact(Math.ceilDiv(tokenBytes(), (long) BLOCK));
    }

    long fileBytes() {
        return BYTES + tokenBytes() + (long) Integer.BYTES * blocks();
    }

    ByteBuffer encode() {
        return ByteBuffer.allocate(BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put(MAGIC)
                .putInt(version)
                .putInt(bytesPerToken())
                .putLong(tokens)
                .putLong(sourceBytes)
                .putInt(vocabulary)
                .putInt(endOfText)
                .put(fingerprint)
                .flip();
    }

    /** Reads and checks a header against the size of its file. */
    static ShardHeader decode(ByteBuffer bytes, long fileSize, Path file) {
        boolean ours =
                bytes.remaining() >= BYTES && bytes.slice(0, MAGIC.length).equals(ByteBuffer.wrap(MAGIC));
        if (!ours) {
            throw new DamagedShard(file, "damaged, as it does not begin as a token shard does", null);
        }
        bytes.order(ByteOrder.LITTLE_ENDIAN).position(MAGIC.length);
        int version = bytes.getInt();
        int bytesPerToken = bytes.getInt();
        byte[] fingerprint = new byte[32];
        ShardHeader header =
                new ShardHeader(version, bytes.getLong(), bytes.getLong(), bytes.getInt(), bytes.getInt(), fingerprint);
        bytes.get(fingerprint);
        if (version < 1 || version > VERSION) {
            throw new UserException(file + " is of shard version " + version + ", not 1 to " + VERSION
                    + ": prepare the data again with this program");
        }
        boolean sound = header.vocabulary > 0
                && bytesPerToken == header.bytesPerToken()
                && header.tokens >= 0
                && header.sourceBytes >= 0
                && header.tokens <= MOST_TOKENS;
        if (!sound) {
            throw new DamagedShard(
                    file,
                    "has a damaged header (" + header.tokens + " tokens of " + bytesPerToken + " bytes, vocabulary "
                            + header.vocabulary + ")",
                    null);
        }
        long expected = header.fileBytes();
        if (fileSize != expected) {
            throw new DamagedShard(
                    file,
                    "it is " + fileSize + " bytes long where its header says " + expected
                            + ", so it was cut or damaged",
                    null);
        }
        return header;
    }
}
