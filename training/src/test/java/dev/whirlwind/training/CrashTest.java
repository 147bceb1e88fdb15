package dev.whirlwind.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.ReferenceEngine;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.checkpoints.Checkpoints;
import dev.whirlwind.training.checkpoints.Manifest;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.metrics.Listener;
import dev.whirlwind.training.metrics.Metrics;
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
        return shell == null ? start(model, out) : start("sh", "-c", shell + "; exec \"$@\"", "sh", model, out);
    }

    /** Starts the other process; its model and folder come last, and what starts it first. */
    private static Process start(Object... arguments) throws IOException {
        int starters = arguments.length - 2;
        List<String> command = new ArrayList<>();
        for (int i = 0; i < starters; i++) {
            command.add(arguments[i].toString());
        }
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "--add-modules",
                "jdk.incubator.vector",
                "-cp",
                System.getProperty("java.class.path"),
                Training.class.getName(),
                arguments[starters].toString(),
                arguments[starters + 1].toString()));
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

    /**
     * A file system of limited size, which only this test's processes see, and which then may no longer be written to.
     * Sizes from hardly a checkpoint to almost a whole run; many of them with -Dwhirlwind.long=true.
     */
    @Test
    void aSmallFileSystemThatFillsUp() throws Exception {
        assumeTrue(hasOwnFileSystems(), "this system lets nobody mount a file system of his own");
        Path model = TinyRun.gpt2(folder.resolve("model"), DType.F32);
        Path whole = folder.resolve("whole");
        TrainConfig config = config(model, whole);
        TinyRun.train(new ReferenceEngine(), config);
        Path disk = Files.createDirectory(folder.resolve("disk"));
        Path copy = folder.resolve("copy");
        boolean many = Boolean.getBoolean("whirlwind.long");
        for (int kilobytes = many ? 80 : 200; kilobytes <= 440; kilobytes += many ? 8 : 300) {
            Process process = start(
                    "unshare",
                    "-Urm",
                    "sh",
                    "-c",
                    """
                    mount -t tmpfs -o size=%dk disk %s || exit 3
                    "$@"; code=$?
                    cp -R %s/run %s
                    mount -o remount,ro %s
                    "$@" && exit 4
                    exit $code
                    """.formatted(kilobytes, disk, disk, copy, disk),
                    "sh",
                    model,
                    disk.resolve("run"));
            assertThat(output(process, 1)
                            .lines()
                            .filter(line -> !line.matches("(Step|Eval|Compared|Sources|Saved|going on|WARNING).*")))
                    .hasSize(2)
                    .first()
                    .asString()
                    .contains("No space left on device");
            // What the checkpoints know can be read, and the run goes on elsewhere as if nothing had been.
            Checkpoints checkpoints = new Checkpoints(copy, note -> {});
            assertThat(checkpoints.list()).as("%d kB", kilobytes).allSatisfy(Manifest::verify);
            TinyRun.train(new ReferenceEngine(), config(model, copy));
            assertThat(copy.resolve("final/model.safetensors"))
                    .hasSameBinaryContentAs(whole.resolve("final/model.safetensors"));
            Storage.delete(copy);
        }
    }

    private static boolean hasOwnFileSystems() throws InterruptedException {
        try {
            return new ProcessBuilder("unshare", "-Urm", "true").start().waitFor() == 0;
        } catch (IOException e) {
            return false;
        }
    }

    /** Trains as far as a step, and saves. */
    private static void trainUntil(long step, TrainConfig config) {
        Trainer[] self = new Trainer[1];
        TinyRun.Recorder stopper = new TinyRun.Recorder() {
            @Override
            public void on(Event event) {
                if (event.step() == step) {
                    self[0].stop();
                }
            }
        };
        try (Engine engine = new ReferenceEngine();
                Trainer trainer = TinyRun.trainer(engine, config, TinyRun.corpus(), stopper)) {
            self[0] = trainer;
            assertThat(trainer.run().interrupted()).isTrue();
        }
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
        trainUntil(5, config(model, run).with(Map.of("keep", 0), "test"));
        assertThat(output(start("ulimit -f 90", model, run), 1))
                .contains("step-00000006: not saved: ", "step-00000005, is untouched");
        for (Path checkpoint : new Checkpoints(run, note -> {}).list()) {
            Manifest.verify(checkpoint);
        }
        assertThat(new Checkpoints(run, note -> {}).list()).hasSize(3);
    }
}
