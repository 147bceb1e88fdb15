package dev.whirlwind.cli.run;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.cli.Child;
import dev.whirlwind.cli.Cli;
import dev.whirlwind.cli.shared.Models;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code kill -9} at random moments of the command {@code train}, while it prepares, steps, evaluates, saves and prunes:
 * whatever was done, going on ends with the bits of a run that nobody killed. {@code -Dwhirlwind.kills=200} kills as often,
 * {@code -Dwhirlwind.kills.engines=cpu,loops,tornado} chooses the engines, {@code -Dwhirlwind.kills.seed} the moments.
 */
@DisabledOnOs(OS.WINDOWS)
class KilledTest {
    private static final int KILLS = Integer.getInteger("whirlwind.kills", 2);
    private static final long SEED = Long.getLong("whirlwind.kills.seed", System.nanoTime());
    private static final List<String> ENGINES =
            Arrays.asList(System.getProperty("whirlwind.kills.engines", "loops").split(",", -1));

    @TempDir
    Path temp;

    private Path model;
    private Path texts;

    /** Steps are short, so most of the time goes to starting, preparing, evaluating, saving and pruning. */
    private List<String> command(Path run, String engine) {
        if (Files.exists(run.resolve("config.yaml"))) {
            return Child.program(flags(engine), "resume", run);
        }
        List<Object> train = new ArrayList<>(List.of("train", "--model", model, "--data", texts, "--out", run));
        train.addAll(List.of("--steps", 30, "--batch", 2, "--sequence", 16, "--lr", "1e-2", "--dropout", "0.1"));
        train.addAll(List.of("--replay", texts, "--replay-fraction", "0.25", "--accumulation", 2));
        train.addAll(List.of("--save-every", 1, "--eval-every", 2, "--eval-windows", 4, "--keep", 2));
        train.addAll(List.of("--engine", engine));
        return Child.program(flags(engine), train.toArray());
    }

    /** TornadoVM's are this process's own. */
    private static List<String> flags(String engine) {
        return engine.equals("tornado") ? ManagementFactory.getRuntimeMXBean().getInputArguments() : List.of();
    }

    @Test
    void atAnyMomentTheRunEndsWithTheSameBits() throws Exception {
        model = Cli.model(temp.resolve("model"));
        texts = Cli.texts(temp.resolve("texts"));
        Random random = new Random(SEED);
        int killed = 0;
        int finished = 0;
        for (int round = 0; killed < KILLS || finished < ENGINES.size(); round++) {
            String engine = ENGINES.get(round % ENGINES.size());
            Path whole = temp.resolve("whole-" + engine);
            if (!Files.exists(whole)) {
                finish(command(whole, engine));
            }
            Path run = temp.resolve("run-" + round);
            while (killed < KILLS && killedWithin(command(run, engine), run, random)) {
                killed++;
                assertThat(run.resolve("final/model.safetensors.partial")).doesNotExist();
            }
            // It ended before it was to be killed, or has been killed often enough.
            finish(command(run, engine));
            finished++;
            assertSameBits(run, whole);
            Models.delete(run);
        }
        if (KILLS > 10) {
            System.out.printf("%d kills, %d runs, seed %d: the same bits%n", killed, finished, SEED);
        }
    }

    private Path output() {
        return temp.resolve("output.txt");
    }

    private void finish(List<String> command) throws IOException, InterruptedException {
        Process process = Child.start(command, output());
        assertThat(process.waitFor())
                .as("seed %d: %s", SEED, Files.readString(output()))
                .isZero();
    }

    /** False when the process ended, well, before. */
    private boolean killedWithin(List<String> command, Path run, Random random) throws Exception {
        // Some kills come while it starts or prepares; most when it has begun to train, and then soon or late.
        boolean training = random.nextInt(4) > 0;
        FileTime before = changed(run);
        Process process = Child.start(command, output());
        while (training && process.isAlive() && changed(run).equals(before)) {
            Thread.sleep(2);
        }
        boolean ended = process.waitFor(random.nextInt(training ? 500 : 1500), TimeUnit.MILLISECONDS);
        assertNoSocket(process);
        process.destroyForcibly().waitFor();
        if (ended) {
            assertThat(process.exitValue())
                    .as("seed %d: %s", SEED, Files.readString(output()))
                    .isZero();
        }
        return !ended;
    }

    private static FileTime changed(Path run) throws IOException {
        Path metrics = run.resolve("metrics.jsonl");
        return Files.exists(metrics) ? Files.getLastModifiedTime(metrics) : FileTime.fromMillis(0);
    }

    /** Linux shows what a process has open; none of it is a connection to anywhere. */
    private static void assertNoSocket(Process process) throws IOException {
        Path handles = Path.of("/proc", String.valueOf(process.pid()), "fd");
        if (!Files.isDirectory(handles)) {
            return;
        }
        try (Stream<Path> open = Files.list(handles)) {
            for (Path handle : open.toList()) {
                if (Files.isSymbolicLink(handle)) {
                    assertThat(Files.readSymbolicLink(handle).toString()).doesNotStartWith("socket:");
                }
            }
        } catch (UncheckedIOException | NoSuchFileException e) {
            // The process has ended meanwhile.
        }
    }

    private static void assertSameBits(Path run, Path whole) {
        for (String file : List.of(
                "final/model.safetensors",
                "final/config.json",
                "best/model.safetensors",
                "checkpoints/step-00000030/model.safetensors",
                "checkpoints/step-00000030/optimizer.safetensors",
                "data/new/train-00000.tokens",
                "data/new/valid-00000.tokens")) {
            assertThat(run.resolve(file)).as("seed %d", SEED).hasSameBinaryContentAs(whole.resolve(file));
        }
    }
}
