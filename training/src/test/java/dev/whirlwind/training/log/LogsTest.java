package dev.whirlwind.training.log;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.training.metrics.Event;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Event files are read back by a reader that shares nothing with the writer, its CRC-32C bit by bit. */
class LogsTest {
    @TempDir
    Path temp;

    /** A field of a message: a long, or bytes. */
    private record Field(int number, int type, long value, ByteBuffer content) {
        String text() {
            return UTF_8.decode(content.duplicate()).toString();
        }

        List<Field> fields() {
            return message(content);
        }
    }

    private static List<Field> message(ByteBuffer message) {
        ByteBuffer in = message.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        List<Field> fields = new ArrayList<>();
        while (in.hasRemaining()) {
            long key = varint(in);
            int type = (int) key & 7;
            ByteBuffer content = ByteBuffer.allocate(0);
            long value = 0;
            switch (type) {
                case 0 -> value = varint(in);
                case 1 -> value = in.getLong();
                case 5 -> value = in.getInt();
                case 2 -> {
                    int length = (int) varint(in);
                    content = in.slice(in.position(), length);
                    in.position(in.position() + length);
                }
                default -> throw new AssertionError("wire type " + type);
            }
            fields.add(new Field((int) (key >>> 3), type, value, content));
        }
        return fields;
    }

    private static long varint(ByteBuffer in) {
        long value = 0;
        for (int shift = 0; ; shift += 7) {
            byte next = in.get();
            value |= (long) (next & 0x7f) << shift;
            if (next >= 0) {
                return value;
            }
        }
    }

    private static int crc(byte[] bytes) {
        int crc = -1;
        for (byte next : bytes) {
            crc ^= next & 0xff;
            for (int bit = 0; bit < 8; bit++) {
                crc = (crc >>> 1) ^ ((crc & 1) == 0 ? 0 : 0x82f63b78);
            }
        }
        crc = ~crc;
        return ((crc >>> 15) | (crc << 17)) + 0xa282ead8;
    }

    private static List<List<Field>> records(Path file) throws IOException {
        ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        List<List<Field>> records = new ArrayList<>();
        while (in.hasRemaining()) {
            byte[] length = new byte[8];
            in.get(length);
            assertThat(in.getInt()).isEqualTo(crc(length));
            byte[] record = new byte
                    [(int) ByteBuffer.wrap(length)
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .getLong()];
            in.get(record);
            assertThat(in.getInt()).isEqualTo(crc(record));
            records.add(message(ByteBuffer.wrap(record)));
        }
        return records;
    }

    private static Field field(List<Field> message, int number) {
        return message.stream()
                .filter(field -> field.number == number)
                .findFirst()
                .orElse(new Field(number, 0, 0, ByteBuffer.allocate(0)));
    }

    private static List<Path> files(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.sorted().toList();
        }
    }

    private static Event.Step step(long step, double loss) {
        return new Event.Step(step, 100 * step, loss, 1e-3, 0.5, 1000, step);
    }

    @Test
    void theChecksumIsThatOfRfc3720() {
        assertThat(crc(new byte[32])).isEqualTo(Integer.rotateRight(0x8a9136aa, 15) + 0xa282ead8);
    }

    @Test
    void eventFilesReadBack() throws IOException {
        long before = System.currentTimeMillis();
        try (TensorBoard log = new TensorBoard(temp.resolve("a/tensorboard"), 0, "lr: 0.1\nsteps: 3\n")) {
            log.on(new Event.Eval(0, "valid", 2.5, Math.exp(2.5)));
            log.on(step(1, 2.25));
            log.on(step(300, Double.NaN));
            log.on(new Event.Sample(300, "1", "Once", " upon\na <b>time</b>"));
            log.on(new Event.Saved(300, "best", 10, 0.1));
        }
        Path file = files(temp.resolve("a/tensorboard")).getFirst();
        assertThat(file.getFileName().toString()).matches("events\\.out\\.tfevents\\.\\d{10}\\.whirlwind");
        List<List<Field>> records = records(file);
        assertThat(records).hasSize(7);
        assertThat(field(records.get(0), 3).text()).isEqualTo("brain.Event:2");
        // Steps are 64-bit varints, wall-clock times doubles in seconds.
        assertThat(records)
                .extracting(record -> field(record, 2).value)
                .containsExactly(0L, 1L, 0L, 0L, 1L, 300L, 300L);
        assertThat(Double.longBitsToDouble(field(records.get(0), 1).value)).isCloseTo(before / 1e3, within(60.0));
        assertThat(field(field(records.get(1), 7).fields(), 1).value).isEqualTo(1);

        List<Field> value = field(field(records.get(4), 5).fields(), 1).fields();
        assertThat(field(value, 1).text()).isEqualTo("train/loss");
        assertThat(Float.intBitsToFloat((int) field(value, 2).value)).isEqualTo(2.25f);
        assertThat(field(value, 2).type).isEqualTo(5);
        value = field(field(records.get(5), 5).fields(), 1).fields();
        assertThat(Float.intBitsToFloat((int) field(value, 2).value)).isNaN();

        value = field(field(records.get(6), 5).fields(), 1).fields();
        assertThat(field(value, 1).text()).isEqualTo("sample/1");
        List<Field> tensor = field(value, 8).fields();
        assertThat(field(tensor, 1).value).isEqualTo(7);
        assertThat(field(tensor, 8).text()).isEqualTo("    Once upon\n    a <b>time</b>");
        assertThat(field(field(field(value, 9).fields(), 1).fields(), 1).text()).isEqualTo("text");
    }

    @Test
    void aResumedRunAddsAFileThatEndsTheOldOnes() throws IOException {
        Path folder = temp.resolve("tensorboard");
        // A clock that was put back by years must not let the new file come first.
        Files.createDirectories(folder);
        Files.createFile(folder.resolve("events.out.tfevents.4000000000.other"));
        new TensorBoard(folder, 0, "").close();
        new TensorBoard(folder, 7, "").close();
        List<Path> files = files(folder);
        assertThat(files)
                .extracting(file -> file.getFileName().toString())
                .containsExactly(
                        "events.out.tfevents.4000000000.other",
                        "events.out.tfevents.4000000001.whirlwind",
                        "events.out.tfevents.4000000002.whirlwind");
        List<Field> start = records(files.getLast()).get(1);
        assertThat(field(start, 2).value).isEqualTo(8);
        assertThat(field(field(start, 7).fields(), 1).value).isEqualTo(1);
    }

    @Test
    void rowsOfStepsThatAreDoneAgainAreDropped() throws IOException {
        Path file = temp.resolve("metrics.csv");
        try (CsvLog log = new CsvLog(file, 0)) {
            log.on(new Event.Eval(0, "a \"b\", c", 2, Math.exp(2)));
            log.on(step(1, 2));
            log.on(step(2, Double.NaN));
            log.on(step(3, 1));
        }
        Files.writeString(file, Files.readString(file) + "2,train/lo");
        new CsvLog(file, 2).close();
        assertThat(Files.readAllLines(file))
                .hasSize(13)
                .startsWith("step,name,value", "0,\"eval/a \"\"b\"\", c/loss\",2.0")
                .contains("2,train/loss,NaN")
                .endsWith("2,train/tokens,200.0");
        new CsvLog(file, 0).close();
        assertThat(Files.readAllLines(file)).containsExactly("step,name,value");
    }
}
