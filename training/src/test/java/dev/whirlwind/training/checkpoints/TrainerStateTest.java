package dev.whirlwind.training.checkpoints;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.data.ShuffledSequences;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.TinyRun;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.metrics.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

class TrainerStateTest {
    @TempDir
    Path folder;

    private static TrainConfig config() {
        return TinyRun.config(Path.of("model"), Path.of("run"), Map.of());
    }

    /** After 4 steps of 6 sequences, one of which was left out. */
    private static TrainerState state() {
        TrainerState state = TrainerState.start(config(), TinyRun.corpus().training());
        state.step = 4;
        state.updates = 3;
        state.tokens = 216;
        state.position = 24;
        state.elapsedSeconds = 1.5;
        state.evaluatedStep = 3;
        state.bestLoss = -0.0;
        state.bestStep = 3;
        state.evaluationsSinceBest = 1;
        state.lossGuard.add(5);
        return state;
    }

    private TrainerState read(String field, String value) throws IOException {
        ObjectNode json = (ObjectNode) Json.MAPPER.valueToTree(state());
        ObjectNode holder = field.startsWith("loss_guard.") ? (ObjectNode) json.get("loss_guard") : json;
        String name = field.substring(field.indexOf('.') + 1);
        assertThat(holder.has(name)).isTrue();
        holder.put(name, "HERE");
        Files.writeString(
                folder.resolve(TrainerState.NAME),
                Json.MAPPER.writeValueAsString(json).replace("\"HERE\"", value));
        return TrainerState.read(folder);
    }

    @ParameterizedTest
    @CsvSource({
        "step, 0",
        "step, -1",
        "updates, -1",
        "updates, 5",
        "tokens, -1",
        "position, -1",
        "position, 25",
        "elapsed_seconds, -0.1",
        "elapsed_seconds, 1e999",
        "evaluated_step, -2",
        "evaluated_step, 5",
        "best_loss, 1e999",
        "best_step, -1",
        "best_step, 5",
        "evaluations_since_best, -1",
        "loss_guard, null",
        "loss_guard.mean, 1e999",
        "loss_guard.variance, -0.1",
        "loss_guard.variance, 1e999",
        "loss_guard.count, -1",
        "total_steps, -1"
    })
    void whatNoRunCanHaveIsRefused(String field, String value) {
        assertThatThrownBy(() -> read(field, value))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("trainer_state.json", "damaged");
    }

    @ParameterizedTest
    @CsvSource({
        "step, 9",
        "updates, 0",
        "updates, 4",
        "tokens, 0",
        "position, 0",
        "position, 24",
        "elapsed_seconds, 0",
        "evaluated_step, -1",
        "evaluated_step, 4",
        "best_loss, null",
        "best_step, 0",
        "best_step, 4",
        "evaluations_since_best, 0",
        "loss_guard.variance, 0",
        "loss_guard.count, 0",
        "total_steps, 0",
        "options, null"
    })
    void whatAnyRunMayHaveIsRead(String field, String value) throws IOException {
        assertThat(read(field, value)).isNotNull();
    }

    @Test
    void isReadAsItWasWritten() throws IOException {
        state().write(folder);
        TrainerState read = TrainerState.read(folder);
        assertThat(read).usingRecursiveComparison().isEqualTo(state());
        assertThat(read.changes(config())).isEmpty();
        read.requireSameData(folder, state());
        assertThat(Json.pretty(read)).isEqualTo(Json.pretty(state()));
    }

    /** Each of them moves a run to another place in its data. */
    @ParameterizedTest
    @ValueSource(strings = {"seed", "batch", "sequence", "accumulation", "sequences_per_epoch", "data_checksum"})
    void anotherPlaceInTheDataIsRefused(String field) throws IOException {
        assertThatThrownBy(() -> read(field, "5").requireSameData(folder, state()))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("the run so far had ", " 5, and is now given ", "start a new run");
    }

    @Test
    void changedOptionsAreNamed() throws IOException {
        state().write(folder);
        TrainConfig changed = config().with(Map.of("lr", 0.25, "weight_decay", 0, "save_every", 7), "test");
        assertThat(TrainerState.read(folder).changes(changed))
                .containsExactlyInAnyOrder("lr was 0.02 and is 0.25", "weight_decay was 0.1 and is 0.0");
        assertThat(read("options", "null").changes(changed)).isEmpty();
    }

    @Test
    void otherTextHasAnotherChecksum() {
        Set<Long> checksums = new HashSet<>();
        for (int text = 0; text < 10; text++) {
            ShuffledSequences data = new ShuffledSequences(TinyRun.text("domain", text / 2, 400), TinyRun.SEQUENCE, 3);
            checksums.add(TrainerState.start(config(), data).dataChecksum);
        }
        assertThat(checksums).hasSize(5);
    }
}
