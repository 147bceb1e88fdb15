package dev.whirlwind.training.distillation;

import dev.whirlwind.model.UserException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.zip.CRC32C;

/**
 * The first 112 bytes of a kept teacher, little-endian. A record for each sequence of the text follows, in their order: for
 * each place the {@code top} likeliest tokens' ids, ascending, 2 bytes each (unsigned) when the vocabulary has at most 65536,
 * else 4; then for each place their probabilities and that of all others together, as floats; then the CRC-32C of both.
 *
 * <pre>
 *   0  8 bytes  "WHIRLTOP"
 *   8  int      version, 1
 *  12  int      vocabulary
 *  16  int      tokens of a sequence
 *  20  int      top
 *  24  double   temperature
 *  32  long     sequences
 *  40  32 bytes {@link dev.whirlwind.data.TokenDataset#identity} of the text
 *  72  32 bytes SHA-256 that tells the teacher
 * 104  int      CRC-32C of all records' CRC-32C
 * 108  int      CRC-32C of what stands before
 * </pre>
 */
@SuppressWarnings("ArrayRecordComponent")
record CacheHeader(
        int vocabulary,
        int sequence,
        int top,
        double temperature,
        long sequences,
        byte[] text,
        byte[] teacher,
        int records) {
    static final int BYTES = 112;

    private static final byte[] MAGIC = "WHIRLTOP".getBytes(StandardCharsets.US_ASCII);
    private static final int VERSION = 1;
    private static final int HASH = 32;

    int idBytes() {
        return vocabulary <= 0x10000 ? Short.BYTES : Integer.BYTES;
    }

    /** Of one sequence, without its checksum. */
    int recordBytes() {
        return Math.multiplyExact(sequence, top * idBytes() + (top + 1) * Float.BYTES);
    }

    /** Where a sequence's record begins. */
    long offset(long index) {
        return BYTES + index * (recordBytes() + (long) Integer.BYTES);
    }

    long fileBytes() {
        return offset(sequences);
    }

    CacheHeader withRecords(int checksum) {
        return new CacheHeader(vocabulary, sequence, top, temperature, sequences, text, teacher, checksum);
    }

    ByteBuffer encode() {
        ByteBuffer bytes = ByteBuffer.allocate(BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put(MAGIC)
                .putInt(VERSION)
                .putInt(vocabulary)
                .putInt(sequence)
                .putInt(top)
                .putDouble(temperature)
                .putLong(sequences)
                .put(text)
                .put(teacher)
                .putInt(records);
        return bytes.putInt(checksum(bytes.duplicate().flip())).flip();
    }

    static int checksum(ByteBuffer bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        return (int) crc.getValue();
    }

    /** Reads and checks a header against the size of its file. */
    static CacheHeader decode(ByteBuffer bytes, long fileBytes, Path file) {
        bytes.order(ByteOrder.LITTLE_ENDIAN);
        if (bytes.remaining() < BYTES || !bytes.slice(0, MAGIC.length).equals(ByteBuffer.wrap(MAGIC))) {
            throw new UserException(file + ": is not what whirlwind teach has made; give its --out folder");
        }
        if (bytes.getInt(BYTES - Integer.BYTES) != checksum(bytes.slice(0, BYTES - Integer.BYTES))) {
            throw damaged(file, "its header is not the one that was written");
        }
        bytes.position(MAGIC.length);
        int version = bytes.getInt();
        if (version != VERSION) {
            throw new UserException(
                    file + ": is of version " + version + ", not " + VERSION + "; make it again with whirlwind teach");
        }
        byte[] text = new byte[HASH];
        byte[] teacher = new byte[HASH];
        int vocabulary = bytes.getInt();
        int sequence = bytes.getInt();
        int top = bytes.getInt();
        double temperature = bytes.getDouble();
        long sequences = bytes.getLong();
        bytes.get(text).get(teacher);
        CacheHeader header =
                new CacheHeader(vocabulary, sequence, top, temperature, sequences, text, teacher, bytes.getInt());
        if (fileBytes != header.fileBytes()) {
            throw damaged(file, "it has " + fileBytes + " bytes where " + header.fileBytes() + " were written");
        }
        return header;
    }

    static UserException damaged(Path file, String how) {
        return new UserException(file + ": damaged, " + how + "; make it again with whirlwind teach");
    }
}
