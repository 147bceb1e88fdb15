package dev.whirlwind.cli.run;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.cli.Cli;
import dev.whirlwind.cli.shared.Models;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A run whose arenas take several arrays leaves the files that it leaves otherwise, bit by bit, and goes on as it would. */
class DividedArraysTest {
    private static final String LIMIT = "whirlwind.largest-array";

    /** Some 31,000 floats. */
    private static final String MODEL = Cli.TINY
            .replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 4")
            .replace("true", "false");

    @TempDir
    Path folder;

    @BeforeEach
    void make() {
        Path config = Cli.write(folder.resolve("config.json"), MODEL);
        Cli.run("init", "--config", config, "--out", folder.resolve("model")).succeeds();
        Cli.texts(folder.resolve("texts"));
    }

    @AfterEach
    void anySize() {
        System.clearProperty(LIMIT);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--ema 0.5 --anchor 0.1 --clip 0.1",
                "--optimizer lion --freeze layers.[0-1].* --lr-for embed*=0.1 --update-in-backward",
                "--optimizer apollo --apollo-rank 2 --recompute --recompute-every 2",
                "--optimizer muon --freeze embed*",
                "--optimizer adafactor --layer-decay 0.9",
                "--lora 2 --dora --lora-target q_proj --lora-target down_proj",
                "--ewc fisher --recompute --dropout 0.1"
            })
    void filesAreTheSame(String options) throws IOException {
        List<String> given = new ArrayList<>(List.of(options.split(" ")));
        if (given.remove("fisher")) {
            given.add(given.indexOf("--ewc") + 1, fisher("fisher.safetensors").toString());
        }
        Path whole = train("whole", given);
        System.setProperty(LIMIT, "8192");
        if (given.contains("--ewc")) {
            assertThat(fisher("divided.safetensors")).hasSameBinaryContentAs(folder.resolve("fisher.safetensors"));
        }
        Path divided = train("divided", given);
        assertSameFiles(divided, whole);

        Models.delete(divided.resolve("final"));
        Models.delete(divided.resolve("checkpoints/step-00000004"));
        Cli.run("resume", divided).succeeds();
        assertSameFiles(divided, whole);
    }

    private Path fisher(String name) {
        Path file = folder.resolve(name);
        Cli.run(
                        "fisher",
                        "--model",
                        folder.resolve("model"),
                        "--data",
                        folder.resolve("texts"),
                        "--out",
                        file,
                        "--sequences",
                        2,
                        "--sequence",
                        8,
                        "--engine",
                        "loops")
                .succeeds();
        return file;
    }

    private Path train(String name, List<String> options) {
        Path run = folder.resolve(name);
        List<Object> command = new ArrayList<>(List.of("train", "--model", folder.resolve("model")));
        command.addAll(List.of("--data", folder.resolve("texts"), "--out", run, "--engine", "loops"));
        command.addAll(List.of("--steps", 4, "--batch", 1, "--sequence", 8, "--lr", "1e-2", "--save-every", 2));
        command.addAll(List.of("--eval-windows", 1));
        command.addAll(options);
        Cli.run(command.toArray()).succeeds();
        return run;
    }

    /** Of the last checkpoint and what the run ends with. */
    private static void assertSameFiles(Path run, Path whole) throws IOException {
        int files = 0;
        for (String part : List.of("final", "checkpoints/step-00000004")) {
            try (Stream<Path> all = Files.walk(whole.resolve(part))) {
                for (Path file :
                        all.filter(f -> f.toString().endsWith(".safetensors")).toList()) {
                    assertThat(run.resolve(whole.relativize(file))).hasSameBinaryContentAs(file);
                    files++;
                }
            }
        }
        assertThat(files).isGreaterThanOrEqualTo(3);
    }
}
