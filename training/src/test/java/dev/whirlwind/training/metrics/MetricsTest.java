package dev.whirlwind.training.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.WatchedDisk;
import dev.whirlwind.training.checkpoints.Checkpoints;
import dev.whirlwind.training.memory.ProcessMemory;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MetricsTest {
    @TempDir
    Path folder;

    private static Event step(long step) {
        return new Event.Step(step, 64 * step, 2.5, 1e-4, 0.75, 1000, 0.5 * step);
    }

    private Path write(Event... events) {
        Path file = folder.resolve("metrics.jsonl");
        try (Metrics metrics = Metrics.rewind(file, null, note -> {})) {
            for (Event event : events) {
                metrics.append(event);
            }
        }
        return file;
    }

    @Test
    void linesAreWhatScriptsRelyOn() throws IOException {
        Path file = write(
                step(1),
                new Event.Eval(1, "general", 2, 7.5),
                new Event.Saved(1, "checkpoints/step-00000001", 10, 0.25),
                new Event.Anomaly(2, Double.NaN, 3, "the loss is NaN", "skip"));
        assertThat(Files.readAllLines(file)).allMatch(line -> line.matches(".*,\"time\":\"20..-.*T.*Z\"}"));
        String step = Files.readAllLines(file).getFirst();
        assertThat(step.contains("\"memory_mib\":"))
                .isEqualTo(ProcessMemory.mib().isPresent());
        assertThat(Files.readAllLines(file))
                .map(line -> line.replaceAll(",\"memory_mib\":[^,]+|,\"time\":\"[^\"]+\"", ""))
                .containsExactly(
                        "{\"event\":\"step\",\"step\":1,\"tokens\":64,\"loss\":2.5,\"lr\":1.0E-4,\"grad_norm\":0.75,"
                                + "\"tokens_per_second\":1000.0,\"elapsed_seconds\":0.5}",
                        "{\"event\":\"eval\",\"step\":1,\"name\":\"general\",\"loss\":2.0,\"perplexity\":7.5}",
                        "{\"event\":\"checkpoint\",\"step\":1,\"path\":\"checkpoints/step-00000001\",\"bytes\":10,"
                                + "\"seconds\":0.25}",
                        "{\"event\":\"anomaly\",\"step\":2,\"loss\":\"NaN\",\"grad_norm\":3.0,\"reason\":\"the loss is NaN\",\"action\":\"skip\"}");
        assertThat(Metrics.read(file)).hasSize(4).startsWith(step(1));
    }

    @Test
    void everyFieldIsDocumented() {
        for (Class<?> kind : Event.class.getPermittedSubclasses()) {
            for (RecordComponent field : kind.getRecordComponents()) {
                assertThat(Path.of("../docs/metrics.md"))
                        .content()
                        .contains("`"
                                + field.getName().replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT) + "`");
            }
        }
        for (JsonSubTypes.Type kind :
                Event.class.getAnnotation(JsonSubTypes.class).value()) {
            assertThat(Path.of("../docs/metrics.md")).content().contains("| `" + kind.name() + "` | |");
        }
    }

    private static Event.Saved saved(long step) {
        return new Event.Saved(step, "checkpoints/" + Checkpoints.name(step), 10, 0);
    }

    @Test
    void rewindKeepsWhatLedToTheCheckpointOnly() throws IOException {
        Event eval = new Event.Eval(2, "general", 2, 7.5);
        Path file = write(step(1), step(2), eval, saved(2), eval, step(3));
        Files.writeString(file, "{\"event\":\"step\",\"st", StandardOpenOption.APPEND);
        try (Metrics metrics = Metrics.rewind(file, saved(2), note -> {})) {
            metrics.append(step(3));
            metrics.append(step(4));
        }
        assertThat(Metrics.read(file)).containsExactly(step(1), step(2), eval, saved(2), step(3), step(4));
    }

    @Test
    void rewindAddsTheCheckpointsLineWhereAKilledProcessDidNot() {
        Event best = new Event.Saved(2, "best", 5, 1);
        Path file = write(step(1), step(2), best);
        Metrics.rewind(file, saved(2), note -> {}).close();
        assertThat(Metrics.read(file)).containsExactly(step(1), step(2), best, saved(2));
    }

    @Test
    void rewindAfterEverythingDropsOnlyATornLine() throws IOException {
        Path file = write(step(1), step(2));
        byte[] whole = Files.readAllBytes(file);
        for (int length = whole.length; length > 0; length -= 7) {
            Files.write(file, Arrays.copyOf(whole, length));
            Metrics.rewind(file, saved(2), note -> {}).close();
            List<Event> expected = new ArrayList<>(List.of(step(1), step(2), saved(2)));
            if (length < whole.length) {
                expected.remove(step(2));
            }
            if (length < whole.length / 2) {
                expected.remove(step(1));
            }
            assertThat(Metrics.read(file)).isEqualTo(expected);
        }
    }

    /** What a killed process was writing after its checkpoint is dropped like whole lines there, and is no damage. */
    @Test
    void rewindSaysNothingOfATornLineAfterTheCheckpoint() throws IOException {
        Path file = write(step(1), step(2), saved(2));
        Files.writeString(file, "{\"event\":\"step\",\"st\n", StandardOpenOption.APPEND);
        Metrics.rewind(file, saved(2), notes::add).close();
        assertThat(notes).isEmpty();
        assertThat(folder.resolve("metrics.damaged")).doesNotExist();
        assertThat(Metrics.read(file)).containsExactly(step(1), step(2), saved(2));
    }

    /** The lines of a run of ten steps with a checkpoint at the eighth. */
    private List<Event> tenSteps() {
        List<Event> events = new ArrayList<>();
        for (int i = 1; i <= 10; i++) {
            events.add(step(i));
            if (i % 4 == 0) {
                events.add(new Event.Eval(i, "general", 2, 7.5));
                events.add(saved(i));
            }
        }
        return events;
    }

    private final List<String> notes = new ArrayList<>();

    private List<Event> rewound(Path file) {
        notes.clear();
        Metrics.rewind(file, saved(8), notes::add).close();
        return Metrics.read(file);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "no JSON",
                "null",
                "[]",
                "{}",
                "{\"event\":\"step\"",
                "{\"event\":\"stfp\",\"step\":3}",
                "{\"event\":\"step\",\"stdp\":3,\"loss\":1}",
                "{\"event\":\"step\",\"step\":-3}",
                "{\"event\":\"sources\",\"step\":3}",
                "{\"event\":\"sources\",\"step\":3,\"sources\":{\"data\":null}}",
                "{\"event\":\"session\",\"step\":3,\"total_steps\":9,\"environment\":{}}",
                "{\"event\":\"sample\",\"step\":3,\"name\":\"a\",\"prompt\":\"b\"}",
                "{\"event\":\"change\",\"step\":3,\"changes\":[null]}",
                "{\"event\":\"checkpoint\",\"step\":3,\"path\":null,\"bytes\":3,\"seconds\":1}",
                "{\"event\":\"step\",\"step\":93}",
                "{\"event\":\"step\",\"step\":1e99}",
                "{\"event\":\"step\",\"step\":3} {}",
                "\0\0\0\0",
                "{\"event\":\"step\",\"step\":3,\"loss\":[[[[[[[[[[[[",
                "LONG",
                "DEEP"
            })
    void aDamagedLineIsSetAsideAndTheGoodOnesStay(String damage) throws IOException {
        String text = damage.replace("LONG", "x".repeat(1_100_000)).replace("DEEP", "[".repeat(60_000));
        List<Event> events = tenSteps();
        Path file = write(events.toArray(Event[]::new));
        List<String> lines = new ArrayList<>(Files.readAllLines(file));
        lines.set(2, text);
        Files.write(file, lines);
        List<Event> expected = new ArrayList<>(events.subList(0, 12));
        expected.remove(2);
        try (WatchedDisk disk = new WatchedDisk()) {
            assertThat(rewound(file)).isEqualTo(expected);
            assertThat(disk.unsynced(folder)).isEmpty();
        }
        assertThat(notes).singleElement().asString().contains("metrics.jsonl: line 3 is damaged; set aside");
        assertThat(Files.readString(folder.resolve("metrics.damaged")))
                .isEqualTo((text.length() > 1 << 20 ? text.substring(0, 1 << 20) : text) + "\n");
        // Once only.
        assertThat(rewound(file)).isEqualTo(expected);
        assertThat(notes).isEmpty();
    }

    @Test
    void aCheckpointsOwnLineThatIsDamagedIsWrittenAgain() throws IOException {
        Path file = write(tenSteps().toArray(Event[]::new));
        List<String> lines = new ArrayList<>(Files.readAllLines(file));
        lines.set(11, lines.get(11).replace("step-00000008", "step-0000\u00008"));
        Files.write(file, lines);
        assertThat(rewound(file)).isEqualTo(tenSteps().subList(0, 12));
        lines.set(11, "?");
        Files.write(file, lines);
        assertThat(rewound(file)).isEqualTo(tenSteps().subList(0, 12));
        assertThat(notes).hasSize(1);
    }

    /** Whatever byte is changed, all lines that do not hold it stay, in their order and to the byte. */
    @Test
    void anyChangedByteCostsItsOwnLineAtMost() throws IOException {
        List<Event> events = tenSteps();
        Path file = write(events.toArray(Event[]::new));
        byte[] whole = Files.readAllBytes(file);
        List<String> written = Files.readAllLines(file).subList(0, 12);
        int end = String.join("\n", written).length() + 1;
        Random random = new Random(9);
        for (int i = 0; i < end; i += 1 + random.nextInt(20)) {
            byte[] changed = whole.clone();
            changed[i] ^= (byte) (1 << random.nextInt(8));
            Files.write(file, changed);
            Metrics.rewind(file, saved(8), note -> {}).close();
            List<String> untouched = new ArrayList<>(written);
            int line = (int) new String(whole, 0, i, StandardCharsets.ISO_8859_1)
                    .chars()
                    .filter(c -> c == '\n')
                    .count();
            if (whole[i] == '\n' && line + 1 < untouched.size()) {
                untouched.remove(line + 1);
            }
            untouched.remove(line);
            assertThat(new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1).split("\n"))
                    .as("byte %d", i)
                    .containsSubsequence(untouched);
        }
    }

    @Test
    void aLinkedFileStaysALink() throws IOException {
        Path file = write(tenSteps().toArray(Event[]::new));
        Path elsewhere = Files.createDirectory(folder.resolve("disk")).resolve("metrics");
        Files.move(file, elsewhere);
        Files.createSymbolicLink(file, elsewhere);
        assertThat(rewound(file)).hasSize(12);
        assertThat(file).isSymbolicLink();
        assertThat(Metrics.read(elsewhere)).hasSize(12);
    }

    @Test
    void withoutACheckpointTheRunStartsAgain() {
        Path file = write(step(1), step(2));
        Metrics.rewind(file, null, note -> {}).close();
        assertThat(Metrics.read(file)).isEmpty();
    }

    @Test
    void anythingElseInTheFileIsNamed() throws IOException {
        Path file = write(step(1));
        Files.writeString(file, "no JSON\n", StandardOpenOption.APPEND);
        assertThatThrownBy(() -> Metrics.read(file))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("line 2");
    }
}
