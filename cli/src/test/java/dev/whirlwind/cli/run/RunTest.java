package dev.whirlwind.cli.run;

import static org.assertj.core.api.Assertions.as;
import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.cli.Child;
import dev.whirlwind.cli.Cli;
import dev.whirlwind.cli.shared.Models;
import dev.whirlwind.cli.terminal.Interruption;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
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
        List<String> command = Child.program(List.of(), train(model, texts, halved, steps));
        Path err = temp.resolve("err.txt");
        int code = interrupted(command, halved.resolve("metrics.jsonl"), err);
        for (int i = 0; code == 0 && i < 5; i++) {
            // On a machine so busy that the run was over before the signal came.
            Models.delete(halved);
            code = interrupted(command, halved.resolve("metrics.jsonl"), err);
        }
        assertThat(code).isEqualTo(Interruption.EXIT_CODE);
        assertThat(Files.readString(err))
                .contains("interrupted after step", "whirlwind resume " + halved)
                .doesNotContain("\u001B", "\r");
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
        Process process = Child.start(command, err);
        if (!Child.awaits(process, metrics, "\"event\":\"step\"")) {
            return process.waitFor();
        }
        process.destroy();
        return process.waitFor();
    }

    @Test
    @Timeout(value = 60, unit = TimeUnit.SECONDS)
    void ofTwoAtOnceInOneNewFolderOneIsTold() throws Exception {
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        Path run = temp.resolve("run");
        List<Process> processes = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            processes.add(Child.start(
                    Child.program(List.of(), train(model, texts, run, 20)), temp.resolve("out-" + i + ".txt")));
        }
        int winner = processes.get(0).waitFor() == 0 ? 0 : 1;
        assertThat(processes.get(winner).waitFor()).isZero();
        assertThat(processes.get(1 - winner).waitFor()).isEqualTo(1);
        assertThat(Files.readAllLines(temp.resolve("out-" + (1 - winner) + ".txt")))
                .filteredOn(line -> !line.startsWith("WARNING"))
                .singleElement(as(InstanceOfAssertFactories.STRING))
                .startsWith("whirlwind: " + run)
                // Its number may not be written yet.
                .containsPattern(
                        "another process( \\(\\d+\\))? is at work in this folder|is not empty but holds a run");
        assertThat(run.resolve("final/model.safetensors")).exists();
    }

    /** A signal while texts are prepared, by train or by prepare, and then again. */
    @Test
    @DisabledOnOs(OS.WINDOWS)
    @Timeout(value = 60, unit = TimeUnit.SECONDS)
    void interruptedWhileTextsArePrepared() throws Exception {
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        Path large = Cli.write(temp.resolve("texts/large.txt"), "Words and words. ".repeat(2_000_000));
        Path out = temp.resolve("out.txt");
        Path prepared = temp.resolve("prepared");
        Object[] prepare = {"prepare", "--model", model, "--data", texts, "--held-out", "0", "--out", prepared};
        Process process = Child.start(Child.program(List.of(), prepare), out);
        assertThat(Child.awaits(process, prepared.resolve("train-00000.tokens.partial"), ""))
                .isTrue();
        Child.signal(process, "TERM");
        assertThat(process.waitFor()).isEqualTo(Interruption.EXIT_CODE);
        assertThat(out)
                .content()
                .endsWith("interrupted; shards that are whole stay, and the same command goes on behind them in "
                        + prepared + "\n");

        Path run = temp.resolve("run");
        process = Child.start(Child.program(List.of(), train(model, texts, run, 2)), out);
        assertThat(Child.awaits(process, run.resolve("data/new/train-00000.tokens.partial"), ""))
                .isTrue();
        Child.signal(process, "INT");
        assertThat(process.waitFor()).isEqualTo(Interruption.EXIT_CODE);
        assertThat(out)
                .content()
                .endsWith("interrupted while texts were prepared, which goes on with: whirlwind" + " resume " + run
                        + "\n");

        Files.delete(large);
        Cli.run(prepare).succeeds();
        assertThat(Cli.run("resume", run).succeeds().err()).contains("beginning again");
        assertThat(run.resolve("final/model.safetensors")).exists();
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

    /** A run of four steps that is to be resumed after its third, and the same to its end in the folder {@code whole}. */
    private Path threeSteps() throws IOException {
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        List<Object> args = new ArrayList<>(List.of(train(model, texts, temp.resolve("run"), 4)));
        args.set(args.indexOf("--save-every") + 1, "1");
        args.addAll(List.of("--keep", "3"));
        Cli.run(args.toArray()).succeeds();
        Models.delete(temp.resolve("run/final"));
        Models.delete(temp.resolve("run/checkpoints/step-00000004"));
        args.set(args.indexOf("--out") + 1, temp.resolve("whole"));
        Cli.run(args.toArray()).succeeds();
        return temp.resolve("run");
    }

    /** Wherever commands look for a checkpoint, they look for the newest whole one. */
    @Test
    void aDamagedTokenizerOrConfigurationMeansTheOlderCheckpoint() throws IOException {
        Path run = threeSteps();
        for (String name : List.of("tokenizer.json", "config.json", "manifest.json")) {
            Path last = run.resolve("checkpoints/step-00000004");
            Path file = (Files.exists(last) ? last : run.resolve("checkpoints/step-00000003")).resolve(name);
            byte[] bytes = Files.readAllBytes(file);
            bytes[bytes.length / 3] ^= 2;
            Files.write(file, bytes);
            Cli.Result result = Cli.run("resume", run).succeeds();
            assertThat(result.err())
                    .contains(file + ": damaged, it ", "; going on from the older step-0000000")
                    .containsOnlyOnce("damaged");
            assertThat(run.resolve("final/model.safetensors"))
                    .hasSameBinaryContentAs(temp.resolve("whole/final/model.safetensors"));
        }
    }

    @Test
    void anEditOfTheConfigurationIsRefusedOrMeant() throws IOException {
        Path run = threeSteps();
        Path config = run.resolve("config.yaml");
        String written = Files.readString(config);
        Files.writeString(config, written.replace("lr: 0.001", "lr: 0.002"));
        Cli.run("resume", run).fails(run.toString(), "lr was 0.001 and is 0.002;", "--accept-config");
        assertThat(Cli.run("resume", run, "--accept-config").succeeds().err())
                .contains("from step 3 on: lr was 0.001 and is 0.002");
        assertThat(ConfigFile.checksum(config)).isEqualTo(ConfigFile.Checksum.FITS);
        assertThat(Cli.run("resume", run).succeeds().err()).doesNotContain("lr", "edited");

        // What does not decide the result may be edited as it pleases.
        Files.writeString(config, Files.readString(config).replace("keep: 3", "keep: 4"));
        assertThat(Cli.run("resume", run).succeeds().err()).contains("was edited or damaged");

        // Before the first checkpoint only the checksum can tell.
        Models.delete(run.resolve("checkpoints"));
        Cli.run("resume", run).fails("config.yaml", "edited or damaged", "--accept-config");
        assertThat(Cli.run("resume", run, "--accept-config").succeeds().err()).doesNotContain("damaged");
    }

    /** Where the learning rate goes on without a jump; other changes must be meant, and are logged. */
    @Test
    void aRunIsLengthened() throws IOException {
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        Path run = temp.resolve("run");
        Path whole = temp.resolve("whole");
        Object[] constant = {"--schedule", "constant", "--warmup", 2};
        Cli.run(more(train(model, texts, run, 3), constant)).succeeds();
        assertThat(Cli.run("resume", run, "--steps", 5).succeeds().err())
                .contains("from step 3 on: the length in steps was 3 and is 5");
        Cli.run(more(train(model, texts, whole, 5), constant)).succeeds();
        assertThat(run.resolve("final/model.safetensors"))
                .hasSameBinaryContentAs(whole.resolve("final/model.safetensors"));
        assertThat(ConfigFile.read(run.resolve("config.yaml")).toString()).contains("steps=5", "engine=\"cpu\"");
        assertThat(run.resolve("metrics.jsonl"))
                .content()
                .contains("{\"event\":\"change\",\"step\":3,\"changes\":[\"the length in steps was 3 and is 5\"],");
        Cli.run("resume", run, "--steps", 4).fails("steps was 5 and is 4", "--change");

        Cli.run("resume", run, "--epochs", 1, "--lr", 2e-3)
                .fails(
                        ": lr was 0.001 and is 0.002; the learning rate would jump from 0.00100 to 0.00200; put them back");
        Cli.run("resume", run, "--steps", 6, "--lr", "2e-3", "--change", "--threads", 1)
                .succeeds();
        assertThat(Cli.run("resume", run).succeeds().err()).contains("going on after step 6 of 6");
    }

    @Test
    void aRunWhoseLearningRateHasFallenIsNotLengthened() {
        Path run = temp.resolve("run");
        Cli.run(train(Cli.model(temp.resolve("model")), Cli.texts(temp.resolve("texts")), run, 3))
                .succeeds();
        Cli.run("resume", run, "--steps", 6)
                .fails("steps was 3 and is 6; the learning rate would jump from 0.000100 to 0.000550", "--change");
        assertThat(Cli.run("resume", run, "--steps", 6, "--change").succeeds().err())
                .contains("from step 3 on: steps was 3 and is 6");
    }

    /** As if it had been longer from the beginning: the same data, moments and learning rates. */
    @Test
    void aRunIsExtendedFromItsPlateau() {
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        Path run = temp.resolve("run");
        Path whole = temp.resolve("whole");
        Object[] wsd = {"--schedule", "wsd", "--warmup", 2, "--decay", 2, "--fall", "sqrt", "--dropout", 0};
        Cli.run(more(train(model, texts, run, 6), wsd)).succeeds();
        Cli.run(more(train(model, texts, whole, 8), wsd)).succeeds();
        Path longer = temp.resolve("longer");
        // From step 4 on.
        assertThat(Cli.run("train", "--extend", run, "--tokens", 4 * 2 * 16, "--out", longer)
                        .succeeds()
                        .err())
                .contains("going on from the plateau of " + run + ", after its step 4");
        assertThat(longer.resolve("final/model.safetensors"))
                .hasSameBinaryContentAs(whole.resolve("final/model.safetensors"));
        assertThat(Cli.run("resume", longer).succeeds().err()).contains("going on after step 4 of 4");
        Cli.run("train", "--extend", run, "--out", temp.resolve("x"))
                .isWrongUsage("--extend needs --tokens or --steps");
        Cli.run("train", "--extend", run, "--steps", 6, "--optimizer", "lion", "--out", temp.resolve("x"))
                .isWrongUsage("the run so far had optimizer adamw, and is now given lion");
        Cli.run("train", "--extend", model, "--steps", 3, "--out", temp.resolve("x"))
                .isWrongUsage(model + ": is not the folder of a run");
        Cli.run(more(train(model, texts, temp.resolve("x"), 6), "--warmup", 7))
                .fails("the schedule needs 7 steps (warmup 7), but the run has 6");

        assertThat(Cli.run(train(run.resolve("final"), texts, temp.resolve("anew"), 1))
                        .succeeds()
                        .err())
                .contains("this begins a new run: the learning rate of " + run
                        + " peaked at 0.00100 and came to 0.000100, and"
                        + " now rises again to 0.00100, 1.00 times its old peak");
    }

    @Test
    void aRunSaysWhatItWillDoAndWhatItHasComeTo() throws IOException {
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        Path run = temp.resolve("run");
        Path log = temp.resolve("log.txt");
        Cli.Result result = Cli.run(more(train(model, texts, run, 3), "--held-out", 0.01, "--log", log))
                .succeeds();
        assertThat(result.err())
                .contains(
                        "train: model of 15,480 parameters",
                        "train: data: 9 documents, ",
                        "; held out: 1 documents, ",
                        "train: warning: 1.00 % was to be held out, and ",
                        "train: replay: 9 documents, ",
                        "train: 3 steps of 2 sequences of 16 tokens: 96 tokens, ",
                        "train: memory: about ",
                        "3 steps, 96 tokens in ",
                        "change: of the perplexity; best is step 3, after step 3",
                        "next: whirlwind generate --model " + run.resolve("final"))
                .containsPattern("step 3: valid perplexity [\\d.]+ \\(loss [\\d.]+, [\\d.]+ bits per byte\\)")
                .containsPattern(
                        "\nvalid( +[\\d.]+){3} +-[\\d.]+ %  -[\\d.]+ % to -[\\d.]+ %  0.0002\\d  6 blocks( +[\\d.]+){3}\n")
                .containsPattern("\nreplay( +[\\d.]+){3} +-[\\d.]+ %  -");
        assertThat(log)
                .content()
                .contains("Z train: step 3 of 3  loss ", "best is step 3", "Z next: ")
                .doesNotContain("\u001B");
        JsonNode json =
                Cli.run("resume", run, "--json", "--log", log).succeeds().json();
        assertThat(json.path("held_out").path(0).path("after").path("step").intValue())
                .isEqualTo(3);
        JsonNode valid = json.path("held_out").path(0);
        assertThat(valid.path("name").stringValue()).isEqualTo("valid");
        assertThat(valid.path("change").doubleValue())
                .isBetween(valid.path("low").doubleValue(), valid.path("high").doubleValue());
        assertThat(valid.path("high").doubleValue()).isNegative();
        assertThat(valid.path("parts").intValue()).isEqualTo(6);
        assertThat(valid.path("unit").stringValue()).isEqualTo("blocks");
        assertThat(log).content().contains("going on after step 3 of 3");
        Cli.run(more(train(model, texts, temp.resolve("other"), 3), "--log", temp.resolve("none/log")))
                .fails("none/log: cannot be written", "--log");
    }

    private static Object[] more(Object[] args, Object... more) {
        return Stream.concat(Arrays.stream(args), Arrays.stream(more)).toArray();
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
