package dev.whirlwind.training.distillation;

import dev.whirlwind.data.TokenDataset;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.files.Storage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.function.LongConsumer;
import java.util.zip.CRC32C;

/** Keeps a teacher's likeliest tokens for all sequences of a text, in a file whose name stands for a whole one only. */
public final class TeacherCacheWriter {
    private final Transformer teacher;
    private final TokenDataset text;
    private final CacheHeader header;
    private final TopTokens[] rows;

    /**
     * Of sequences as long as the teacher's.
     *
     * @param identity SHA-256 that tells the teacher, in hexadecimal
     */
    public TeacherCacheWriter(Transformer teacher, TokenDataset text, String identity, int top, double temperature) {
        this.teacher = teacher;
        this.text = text;
        int vocabulary = teacher.weights().config().vocabularySize();
        header = new CacheHeader(
                vocabulary,
                teacher.sequence(),
                top,
                temperature,
                (text.tokens() - 1) / teacher.sequence(),
                text.identity(),
                HexFormat.of().parseHex(identity),
                0);
        rows = new TopTokens[teacher.batch() * teacher.sequence()];
        Arrays.setAll(rows, _ -> new TopTokens(top, temperature));
    }

    public long sequences() {
        return header.sequences();
    }

    /** Of the file. */
    public long bytes() {
        return header.fileBytes();
    }

    /**
     * Does it.
     *
     * @param folder an empty one
     * @param done is told how many sequences are
     */
    public void write(Path folder, LongConsumer done) throws IOException {
        Path file = folder.resolve(TeacherCache.FILE);
        Path partial = Storage.partial(file);
        Storage.write(partial, channel -> write(channel, done));
        Storage.move(partial, file);
    }

    private void write(FileChannel channel, LongConsumer done) throws IOException {
        channel.position(CacheHeader.BYTES);
        CRC32C all = new CRC32C();
        ByteBuffer record =
                ByteBuffer.allocate(header.recordBytes() + Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        for (long first = 0; first < header.sequences(); first += teacher.batch()) {
            int count = (int) Math.min(teacher.batch(), header.sequences() - first);
            see(first, count);
            for (int row = 0; row < count; row++) {
                encode(row, record.clear());
                all.update(record.slice(header.recordBytes(), Integer.BYTES));
                Storage.writeFully(channel, record);
            }
            done.accept(first + count);
        }
        channel.position(0);
        Storage.writeFully(channel, header.withRecords((int) all.getValue()).encode());
    }

    private void see(long first, int count) {
        int sequence = header.sequence();
        int[] tokens = teacher.inputs().tokens;
        Arrays.fill(tokens, 0);
        for (int row = 0; row < count; row++) {
            text.read((first + row) * sequence, tokens, row * sequence, sequence);
        }
        teacher.visitLogits(
                (firstRow, rowCount, logits) -> TopTokens.all(rows, firstRow, rowCount, logits, header.vocabulary()));
    }

    private void encode(int row, ByteBuffer record) {
        int sequence = header.sequence();
        for (int place = row * sequence; place < (row + 1) * sequence; place++) {
            for (int id : rows[place].ids()) {
                if (header.idBytes() == Short.BYTES) {
                    record.putShort((short) id);
                } else {
                    record.putInt(id);
                }
            }
        }
        for (int place = row * sequence; place < (row + 1) * sequence; place++) {
            for (float probability : rows[place].probabilities()) {
                record.putFloat(probability);
            }
        }
        record.putInt(CacheHeader.checksum(record.slice(0, header.recordBytes())));
        record.flip();
    }
}
