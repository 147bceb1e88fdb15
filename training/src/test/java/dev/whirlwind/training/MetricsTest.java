package dev.whirlwind.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

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
        assertThat(Files.readAllLines(file))
                .containsExactly(
                        "{\"event\":\"step\",\"step\":1,\"tokens\":64,\"loss\":2.5,\"lr\":1.0E-4,\"grad_norm\":0.75,"
                                + "\"tokens_per_second\":1000.0,\"elapsed_seconds\":0.5}",
                        "{\"event\":\"eval\",\"step\":1,\"name\":\"general\",\"loss\":2.0,\"perplexity\":7.5}",
                        "{\"event\":\"checkpoint\",\"step\":1,\"path\":\"checkpoints/step-00000001\",\"bytes\":10,"
                                + "\"seconds\":0.25}",
                        "{\"event\":\"anomaly\",\"step\":2,\"loss\":\"NaN\",\"grad_norm\":3.0,\"reason\":\"the loss is NaN\",\"action\":\"skip\"}");
        assertThat(Metrics.read(file)).hasSize(4).startsWith(step(1));
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
