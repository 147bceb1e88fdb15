package dev.whirlwind.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.metrics.Event;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TeachersTest {
    @TempDir
    Path folder;

    private List<Event.Step> steps(Path model, String out, Map<String, ?> changes) {
        TinyRun.Recorder recorder = new TinyRun.Recorder();
        try (Engine engine = TinyRun.engine();
                Trainer trainer = TinyRun.trainer(
                        engine, TinyRun.config(model, folder.resolve(out), changes), TinyRun.corpus(), recorder)) {
            trainer.run();
        }
        return recorder.events.stream()
                .filter(Event.Step.class::isInstance)
                .map(Event.Step.class::cast)
                .toList();
    }

    /** A model that is its own teacher has nothing to learn, but the text to unlearn nothing for. */
    @Test
    void whoTeachesItselfLearnsNothing() throws IOException {
        Path model = TinyRun.gpt2(folder.resolve("model"), DType.F32);
        Map<String, ?> alone = Map.of("dropout", 0, "steps", 1);
        Map<String, ?> taught =
                Map.of("dropout", 0, "steps", 1, "teacher", model.toString(), "distill", 1, "temperature", 2);
        Event.Step plain = steps(model, "plain", alone).getFirst();
        Event.Step same = steps(model, "taught", taught).getFirst();
        assertThat(same.loss()).isEqualTo(plain.loss());
        assertThat(same.gradNorm()).isLessThan(1e-5 * plain.gradNorm());
    }

    @Test
    void anotherTeacherPullsElsewhere() throws IOException {
        Path model = TinyRun.gpt2(folder.resolve("model"), DType.F32);
        Path other = TinyRun.llama(folder.resolve("other"), weights -> {});
        List<Event.Step> plain = steps(model, "plain", Map.of());
        List<Event.Step> taught = steps(model, "taught", Map.of("teacher", other.toString()));
        assertThat(taught.getFirst().loss()).isEqualTo(plain.getFirst().loss());
        assertThat(taught.getFirst().gradNorm()).isNotEqualTo(plain.getFirst().gradNorm());
        assertThat(taught.getLast().loss()).isNotEqualTo(plain.getLast().loss());
    }

    @Test
    void aTeacherOfAnotherVocabularyIsRefused() throws IOException {
        Path model = TinyRun.gpt2(folder.resolve("model"), DType.F32);
        ModelConfig pupil = ModelConfig.preset("gpt2");
        assertThatThrownBy(() -> Teachers.config(model, pupil, 8))
                .isInstanceOf(UserException.class)
                .hasMessage(
                        "the teacher in " + model + " has a vocabulary of 256, the model one of 50257; take a teacher"
                                + " with the model's tokenizer");
        assertThatThrownBy(() -> Teachers.config(model, ModelConfig.preset("byte-tiny"), 17))
                .hasMessageContaining("the teacher in " + model + " has 16 positions");
    }
}
