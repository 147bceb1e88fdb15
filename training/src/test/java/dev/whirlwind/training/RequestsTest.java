package dev.whirlwind.training;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.metrics.Event;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who asks for checkpoints and evaluations gets them, and changes nothing. */
class RequestsTest {
    @TempDir
    Path folder;

    private Trainer trainer;

    private Path run(String name) {
        return folder.resolve(name);
    }

    private TrainConfig config(String name) {
        Path model = folder.resolve("model");
        return TinyRun.config(model, run(name), Map.of("save_every", 0, "eval_every", 4, "patience", 2, "lr", 0.1));
    }

    /** Asks after some steps. */
    private final class Asking extends TinyRun.Recorder {
        private final Path run;
        private final boolean byFile;

        Asking(Path run, boolean byFile) {
            this.run = run;
            this.byFile = byFile;
        }

        @Override
        public void on(Event event) {
            super.on(event);
            if (event instanceof Event.Step step) {
                if (step.step() == 3) {
                    ask(Request.CHECKPOINT);
                }
                if (step.step() >= 3 && step.step() <= 5) {
                    ask(Request.EVALUATION);
                }
            }
        }

        private void ask(Request request) {
            if (!byFile) {
                trainer.ask(request);
                return;
            }
            try {
                Files.createFile(run.resolve(request.file()));
            } catch (IOException e) {
                throw new AssertionError("the one before was removed", e);
            }
        }
    }

    private TinyRun.Recorder train(String name, TinyRun.Recorder recorder) {
        try (var engine = TinyRun.engine();
                Trainer opened = TinyRun.trainer(engine, config(name), TinyRun.corpus(), recorder)) {
            trainer = opened;
            trainer.run();
        }
        return recorder;
    }

    private static List<Long> steps(TinyRun.Recorder recorder, String name) {
        return recorder.events.stream()
                .filter(event -> (event instanceof Event.Eval eval
                                && eval.name().equals(name))
                        || (event instanceof Event.Saved saved && saved.path().startsWith(name)))
                .map(Event::step)
                .toList();
    }

    @Test
    void whatIsAskedForIsDoneAndChangesNothing() throws IOException {
        TinyRun.gpt2(folder.resolve("model"), DType.F32);
        TinyRun.Recorder plain = train("plain", new TinyRun.Recorder());
        assertThat(steps(plain, "domain")).containsExactly(0L, 4L, 8L);
        for (boolean byFile : List.of(true, false)) {
            String name = byFile ? "by file" : "by call";
            TinyRun.Recorder asking = train(name, new Asking(run(name), byFile));
            assertThat(steps(asking, "domain")).containsExactly(0L, 3L, 4L, 5L, 8L);
            assertThat(steps(asking, "general")).containsExactly(0L, 3L, 4L, 5L, 8L);
            assertThat(steps(asking, "checkpoints/")).containsExactly(3L, 8L);
            assertThat(steps(asking, "best")).isEqualTo(steps(plain, "best"));
            assertThat(run(name).resolve("checkpoint-now")).doesNotExist();
            assertThat(run(name).resolve("evaluate-now")).doesNotExist();
            assertThat(run(name).resolve("final/model.safetensors"))
                    .hasSameBinaryContentAs(run("plain").resolve("final/model.safetensors"));
        }
    }
}
