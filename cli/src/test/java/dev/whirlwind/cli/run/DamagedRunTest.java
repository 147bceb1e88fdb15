package dev.whirlwind.cli.run;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.cli.Cli;
import dev.whirlwind.cli.shared.Models;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A byte changed, or the end cut off, anywhere in the folder of a run that was stopped: going on ends with the same bits,
 * or, where that was in the texts' tokens or the options, says in one line why it cannot; never with another result in
 * silence. {@code -Dwhirlwind.flips=1000} and {@code -Dwhirlwind.cuts=200} try as many, {@code -Dwhirlwind.damage.seed}
 * others.
 */
class DamagedRunTest {
    private static final int FLIPS = Integer.getInteger("whirlwind.flips", 16);
    private static final int CUTS = Integer.getInteger("whirlwind.cuts", 6);
    private static final long SEED = Long.getLong("whirlwind.damage.seed", System.nanoTime());
    private static final String FINAL = "final/model.safetensors";

    @TempDir
    Path temp;

    private Map<Path, byte[]> stopped;
    private Path run;

    @Test
    void goesOnToTheSameBitsOrSaysWhyNot() throws IOException {
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        run = temp.resolve("run");
        List<Object> train = new ArrayList<>(List.of("train", "--model", model, "--data", texts, "--out", run));
        train.addAll(List.of("--steps", 4, "--batch", 2, "--sequence", 16, "--lr", "1e-2", "--dropout", "0.1"));
        train.addAll(List.of("--replay", texts, "--replay-fraction", "0.5", "--eval-windows", 4));
        train.addAll(List.of("--save-every", 1, "--eval-every", 1, "--keep", 3, "--engine", "cpu"));
        Cli.run(train.toArray()).succeeds();
        byte[] whole = Files.readAllBytes(run.resolve(FINAL));
        // As if it had been killed before its last save.
        Models.delete(run.resolve("final"));
        Models.delete(run.resolve("checkpoints/step-00000004"));
        stopped = content(run);
        assertThat(stopped).hasSizeGreaterThan(15);

        Random random = new Random(SEED);
        List<Path> files = List.copyOf(stopped.keySet());
        Map<String, Integer> outcomes = new TreeMap<>();
        for (int i = 0; i < FLIPS + CUTS; i++) {
            Path file = files.get(random.nextInt(files.size()));
            byte[] bytes = stopped.get(file).clone();
            if (bytes.length == 0) {
                continue;
            }
            int place = random.nextInt(bytes.length);
            int bits = 1 + random.nextInt(255);
            String what =
                    "seed %d: %s, byte %d %s".formatted(SEED, file, place, i < FLIPS ? "xor " + bits : "is the end");
            if (i < FLIPS) {
                bytes[place] ^= (byte) bits;
            } else {
                bytes = Arrays.copyOf(bytes, place);
            }
            restore();
            Files.write(file, bytes);
            Cli.Result result = Cli.run("resume", run);
            if (result.code() == 0) {
                assertThat(Files.readAllBytes(run.resolve(FINAL)))
                        .as("%s%n%s", what, result.err())
                        .isEqualTo(whole);
            } else {
                assertThat(result.code()).as(what).isIn(1, 2);
                // One checkpoint is left that was not touched.
                assertThat(run.relativize(file).toString())
                        .as("%s%n%s", what, result.err())
                        .matches("config\\.yaml|data/.*");
                assertThat(result.err().lines().toList().getLast())
                        .as("%s%n%s", what, result.err())
                        .startsWith("whirlwind: ")
                        .doesNotContain("whirlwind: unexpected");
                assertThat(run.resolve(FINAL)).doesNotExist();
            }
            outcomes.merge(result.code() == 0 ? "the same bits" : "stopped", 1, Integer::sum);
        }
        if (FLIPS > 100) {
            System.out.println(FLIPS + " flips, " + CUTS + " cuts, seed " + SEED + ": " + outcomes);
        }
    }

    private static Map<Path, byte[]> content(Path folder) throws IOException {
        Map<Path, byte[]> content = new TreeMap<>();
        try (Stream<Path> paths = Files.walk(folder)) {
            for (Path path : paths.filter(Files::isRegularFile).toList()) {
                content.put(path, Files.readAllBytes(path));
            }
        }
        return content;
    }

    private void restore() throws IOException {
        Models.delete(run);
        for (Map.Entry<Path, byte[]> file : stopped.entrySet()) {
            Files.createDirectories(file.getKey().getParent());
            Files.write(file.getKey(), file.getValue());
        }
    }
}
