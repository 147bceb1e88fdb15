package dev.whirlwind.training.checkpoints;

import dev.whirlwind.model.fuzz.Fuzz;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.TinyRun;
import dev.whirlwind.training.metrics.Metrics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files of a run's folder. */
class RunFilesFuzzTest {
    @TempDir
    static Path folder;

    private static Path run;

    private static Path checkpoint() throws IOException {
        if (run == null) {
            Path model = TinyRun.llama(folder.resolve("model"), weights -> {});
            TinyRun.train(TinyRun.config(model, folder.resolve("run"), Map.of("steps", 2, "save_dtype", DType.F16)));
            run = folder.resolve("run");
        }
        return run.resolve("checkpoints").resolve(Checkpoints.name(2));
    }

    private static void fuzz(Path file, Fuzz.Reader reader) throws IOException {
        byte[] whole = Files.readAllBytes(file);
        new Fuzz(file.getFileName().toString(), file, reader, whole).run();
        Files.write(file, whole);
    }

    @Test
    void manifest() throws IOException {
        fuzz(checkpoint().resolve(Manifest.NAME), file -> Manifest.verify(file.getParent()));
    }

    @Test
    void trainerState() throws IOException {
        fuzz(checkpoint().resolve(TrainerState.NAME), file -> TrainerState.read(file.getParent()));
    }

    @Test
    void metrics() throws IOException {
        checkpoint();
        fuzz(run.resolve("metrics.jsonl"), Metrics::read);
    }

    @Test
    void metricsOfAResumedRun() throws IOException {
        checkpoint();
        fuzz(
                run.resolve("metrics.jsonl"),
                file -> Metrics.rewind(file, null, note -> {}).close());
    }
}
