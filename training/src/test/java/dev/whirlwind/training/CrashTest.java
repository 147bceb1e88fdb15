package dev.whirlwind.training;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.ReferenceEngine;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.safetensors.DType;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Processes that are killed, and disks that are full. The reference engine serves better here: on a JVM that has just
 * started, vector code is slow.
 */
class CrashTest {
    private static final int STEPS = 40;
    private static final int KILLS = 4;

    @TempDir
    Path folder;

    /** What the other process runs: MODEL OUT. It prints a line per event. */
    static final class Training {
        private Training() {}

        public static void main(String[] args) {
            Listener printer = new Listener() {
                @Override
                public void on(Event event) {
                    System.out.println(event);
                }

                @Override
                public void note(String sentence) {
                    System.out.println(sentence);
                }
            };
            try (Engine engine = new ReferenceEngine();
                    Trainer trainer = TinyRun.trainer(
                            engine, config(Path.of(args[0]), Path.of(args[1])), TinyRun.corpus(), printer)) {
                trainer.run();
            } catch (UserException e) {
                System.out.println(e.getMessage());
                System.exit(1);
            }
        }
    }

    private static TrainConfig config(Path model, Path out) {
        return TinyRun.config(model, out, Map.of("steps", STEPS, "save_every", 2, "eval_every", 2, "keep", 2));
    }

    /** Starts the other process, after a shell command where one is given. */
    private Process start(String shell, Path model, Path out) throws IOException {
        List<String> command = new ArrayList<>();
        if (shell != null) {
            command.addAll(List.of("sh", "-c", shell + "; exec \"$@\"", "sh"));
        }
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "--add-modules",
                "jdk.incubator.vector",
                "-cp",
                System.getProperty("java.class.path"),
                Training.class.getName(),
                model.toString(),
                out.toString()));
        return new ProcessBuilder(command).redirectErrorStream(true).start();
    }

    /** All that a process prints, until it ends as it should. */
    private static String output(Process process, int exit) throws Exception {
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isEqualTo(exit);
        return output;
    }

    @Test
    void killedAtAnyMomentTheRunEndsWithTheSameBits() throws Exception {
        Path model = TinyRun.gpt2(folder.resolve("model"), DType.F32);
        Path whole = folder.resolve("whole");
        TinyRun.train(new ReferenceEngine(), config(model, whole));

        long seed = System.nanoTime();
        Random random = new Random(seed);
        Path run = folder.resolve("run");
        for (int kill = 0; kill < KILLS; kill++) {
            Process process = start(null, model, run);
            BufferedReader output = process.inputReader();
            String line = output.readLine();
            while (line != null && !line.startsWith("Step")) {
                line = output.readLine();
            }
            Thread.sleep(random.nextInt(500));
            process.destroyForcibly().waitFor();
            assertThat(new Checkpoints(run, note -> {}).list())
                    .as("seed %d", seed)
                    .allSatisfy(Manifest::verify);
        }
        output(start(null, model, run), 0);
        for (String file : List.of(
                "final/model.safetensors",
                "best/model.safetensors",
                "checkpoints/step-00000040/model.safetensors",
                "checkpoints/step-00000040/optimizer.safetensors")) {
            assertThat(run.resolve(file)).as("seed %d", seed).hasSameBinaryContentAs(whole.resolve(file));
        }
        assertThat(Metrics.read(run.resolve("metrics.jsonl")))
                .filteredOn(Event.Step.class::isInstance)
                .extracting(Event::step)
                .doesNotHaveDuplicates()
                .hasSize(STEPS);
    }

    /** A limit on the size of files makes the system refuse a write as a full disk does. */
    @Test
    void aFullDiskIsToldAndHarmsNothing() throws Exception {
        Path model = TinyRun.gpt2(folder.resolve("model"), DType.F32);
        Path run = folder.resolve("run");
        assertThat(output(start("ulimit -f 90", model, run), 1))
                .contains("step-00000002: not saved: ", "optimizer.safetensors", "there is no checkpoint yet");
        assertThat(new Checkpoints(run, note -> {}).list()).isEmpty();
        try (var paths = Files.walk(run)) {
            assertThat(paths).noneMatch(path -> path.toString().contains(".partial"));
        }

        // With room again the run goes on, and a disk that fills later leaves what is there.
        TinyRun.train(new ReferenceEngine(), config(model, run).with(Map.of("steps", 4, "keep", 0), "test"));
        assertThat(output(start("ulimit -f 90", model, run), 1))
                .contains("step-00000006: not saved: ", "step-00000004, is untouched");
        for (Path checkpoint : new Checkpoints(run, note -> {}).list()) {
            Manifest.verify(checkpoint);
        }
        assertThat(new Checkpoints(run, note -> {}).list()).hasSize(2);
    }
}
