package dev.whirlwind.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Training from the command line, from beginning to end. */
class RunTest {
    @TempDir
    Path temp;

    private static final List<Object> OPTIONS =
            List.of("--batch", "2", "--sequence", "16", "--lr", "1e-3", "--save-every", "0", "--engine", "cpu");

    private Object[] train(Path model, Path texts, Path run, int steps) {
        List<Object> args = new ArrayList<>(List.of("train", "--model", model, "--data", texts, "--out", run));
        args.addAll(List.of("--steps", steps, "--replay", texts, "--replay-fraction", "0.25", "--dropout", "0.1"));
        args.addAll(OPTIONS);
        return args.toArray();
    }

    @Test
    @Timeout(value = 120, unit = TimeUnit.SECONDS)
    void interruptedAndResumedEndsWithTheSameBits() throws Exception {
        int steps = 300;
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        Path whole = temp.resolve("whole");
        Cli.run(train(model, texts, whole, steps)).succeeds();

        Path halved = temp.resolve("halved");
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules=jdk.incubator.vector",
                "-Djdk.incubator.vector.VECTOR_ACCESS_OOB_CHECK=0",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName()));
        for (Object arg : train(model, texts, halved, steps)) {
            command.add(arg.toString());
        }
        Path err = temp.resolve("err.txt");
        int code = interrupted(command, halved.resolve("metrics.jsonl"), err);
        for (int i = 0; code == 0 && i < 5; i++) {
            // On a machine so busy that the run was over before the signal came.
            Models.delete(halved);
            code = interrupted(command, halved.resolve("metrics.jsonl"), err);
        }
        assertThat(code).isEqualTo(Main.INTERRUPTED);
        assertThat(Files.readString(err)).contains("interrupted after step", "whirlwind resume " + halved);
        assertThat(halved.resolve("final")).doesNotExist();

        // Another place and name, and without the model it began with.
        Path moved = Files.move(halved, temp.resolve("moved"));
        Files.move(model, temp.resolve("elsewhere"));
        Cli.run("resume", moved).succeeds();
        assertThat(moved.resolve("final/model.safetensors"))
                .hasSameBinaryContentAs(whole.resolve("final/model.safetensors"));

        JsonNode results = Cli.run(
                        "eval", "--model", temp.resolve("elsewhere"), moved.resolve("final"), "--data", texts, "--json")
                .succeeds()
                .json();
        assertThat(results.path("results").path(1).path("perplexity").doubleValue())
                .isLessThan(
                        0.7 * results.path("results").path(0).path("perplexity").doubleValue());
        assertThat(results.path("comparisons").path(0).path("significant").booleanValue())
                .isTrue();
        Cli.run("generate", "--model", moved.resolve("final"), "--prompt", "Line ", "--max-tokens", "8")
                .succeeds();
    }

    /** The exit code of a process that gets a signal after its first step. */
    private static int interrupted(List<String> command, Path metrics, Path err) throws Exception {
        Process process = new ProcessBuilder(command)
                .redirectError(err.toFile())
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        while (process.isAlive()
                && !(Files.exists(metrics) && Files.readString(metrics).contains("\"event\":\"step\""))) {
            Thread.sleep(2);
        }
        process.destroy();
        return process.waitFor();
    }

    /** As a run that was killed while it prepared its texts is found. */
    @Test
    void resumePreparesTextsThatAreNotYet() throws IOException {
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        Path whole = temp.resolve("whole");
        Cli.run(train(model, texts, whole, 3)).succeeds();
        Path killed = Files.createDirectories(temp.resolve("killed"));
        Files.copy(whole.resolve("config.yaml"), killed.resolve("config.yaml"));
        Cli.write(killed.resolve("data/new/train-00000.tokens.partial"), "half of a shard");
        Cli.run("resume", killed).succeeds();
        assertThat(killed.resolve("final/model.safetensors"))
                .hasSameBinaryContentAs(whole.resolve("final/model.safetensors"));
    }

    @Test
    void commandLineWinsOverTheFileAndBothAreKept() throws IOException {
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        Path yaml = Cli.write(temp.resolve("options.yaml"), """
                model: %s
                data: %s
                valid: %s
                steps: 3
                batch: 3
                min-lr: 1e-5
                schedule: wsd
                """.formatted(model, texts, texts.resolve("text-3.txt")));
        Path run = temp.resolve("run");
        JsonNode json = Cli.run("train", "--config", yaml, "--out", run, "--batch", "2", "--json")
                .succeeds()
                .json();
        assertThat(json.path("step").intValue()).isEqualTo(3);
        assertThat(json.path("interrupted").booleanValue()).isFalse();
        assertThat(ConfigFile.read(run.resolve("config.yaml")).toString())
                .contains("batch=2", "steps=3", "min_lr=1.0E-5", "schedule=\"wsd\"", "sequence=0");
        assertThat(Files.readAllLines(run.resolve("metrics.jsonl")))
                .filteredOn(line -> line.contains("\"event\":\"step\""))
                .hasSize(3);
        assertThat(run.resolve("final/tokenizer.json")).exists();
    }
}
