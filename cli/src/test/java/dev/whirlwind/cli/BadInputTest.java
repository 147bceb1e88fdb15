package dev.whirlwind.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.model.GoldenCases;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever is wrong with what a user gives: one line that names file, place and remedy, and nothing lost. */
class BadInputTest {
    @TempDir
    Path temp;

    private Path model;
    private Path texts;
    private Path run;

    @BeforeEach
    void make() {
        model = Cli.model(temp.resolve("model"));
        texts = Cli.texts(temp.resolve("texts"));
        run = temp.resolve("run");
    }

    private Cli.Result train(Object... more) {
        Object[] args = new Object[9 + more.length];
        System.arraycopy(
                new Object[] {"train", "--model", model, "--data", texts, "--out", run, "--steps", "2"}, 0, args, 0, 9);
        System.arraycopy(more, 0, args, 9, more.length);
        return Cli.run(args);
    }

    @ParameterizedTest
    @ValueSource(strings = {"train", "eval", "generate", "prepare", "bench"})
    void noSuchModelFolder(String command) {
        Path missing = temp.resolve("missing");
        Object[] args = switch (command) {
            case "train", "prepare" -> new Object[] {command, "--model", missing, "--data", texts, "--out", run};
            case "eval" -> new Object[] {command, "--model", missing, "--data", texts};
            case "generate" -> new Object[] {command, "--model", missing, "--prompt", "x"};
            default -> new Object[] {command, "--model", missing};
        };
        Cli.run(args).fails(missing.toString(), "folder");
        assertThat(run).doesNotExist();
    }

    @Test
    void theLastOfSeveralModelsIsMissing() {
        Path missing = temp.resolve("missing");
        Cli.run("eval", "--model", model, missing, "--data", texts).fails(missing.toString(), "folder");
    }

    @Test
    void configMissing() throws IOException {
        Files.delete(model.resolve("config.json"));
        train().fails(model.toString(), "config.json is missing");
    }

    @Test
    void configBroken() {
        Cli.write(model.resolve("config.json"), "{\"model_type\": \"llama\",");
        train().fails("config.json", "not valid JSON", "line 1", "download");
    }

    @Test
    void architectureUnknown() {
        Cli.write(model.resolve("config.json"), Cli.TINY.replace("llama", "mamba"));
        train().fails("config.json", "mamba", "not supported", "qwen3");
    }

    @Test
    void sizesBeyondAnyMachine() {
        for (String size : new String[] {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers"}) {
            Cli.write(
                    model.resolve("config.json"),
                    Cli.TINY.replaceAll("\"" + size + "\": \\d+", "\"" + size + "\": 2000000000"));
            Cli.run("generate", "--model", model, "--prompt", "x").fails("model");
            train().fails("model");
        }
        Cli.write(model.resolve("config.json"), Cli.TINY.replace("\"hidden_size\": 24", "\"hidden_size\": 2000000000"));
        train().fails("config.json", "hidden_size", "larger than any machine");
    }

    @Test
    void weightsTruncated() throws IOException {
        Path file = model.resolve("model.safetensors");
        byte[] whole = Files.readAllBytes(file);
        for (int length : new int[] {0, 7, 100, whole.length / 2, whole.length - 1}) {
            Files.write(file, java.util.Arrays.copyOf(whole, length));
            Cli.run("generate", "--model", model, "--prompt", "x").fails("model.safetensors");
        }
    }

    @Test
    void weightsThatOverlapOrComeTwice() throws IOException {
        Path file = model.resolve("model.safetensors");
        String one = "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}";
        for (String header :
                new String[] {"{" + one + "," + one.replace("\"a\"", "\"b\"") + "}", "{" + one + "," + one + "}"}) {
            ByteBuffer bytes = ByteBuffer.allocate(8 + header.length() + 4).order(ByteOrder.LITTLE_ENDIAN);
            bytes.putLong(header.length()).put(header.getBytes(StandardCharsets.US_ASCII));
            Files.write(file, bytes.array());
            train().fails(
                            "model.safetensors",
                            header.contains("\"b\"") ? "'b' overlaps tensor 'a'" : "Duplicate",
                            "download");
        }
    }

    @Test
    void weightsOfAnotherShape() {
        Cli.write(
                model.resolve("config.json"),
                Cli.TINY.replace("\"intermediate_size\": 40", "\"intermediate_size\": 48"));
        Cli.run("eval", "--model", model, "--data", texts).fails("model.safetensors", "mlp", "shape", "config.json");
    }

    @Test
    void tensorMissing() {
        Cli.write(
                model.resolve("config.json"), Cli.TINY.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"));
        Cli.run("eval", "--model", model, "--data", texts).fails("model", "model.layers.2.");
    }

    @Test
    void tensorTooMany() {
        Cli.write(
                model.resolve("config.json"), Cli.TINY.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1"));
        Cli.run("eval", "--model", model, "--data", texts).fails("model", "model.layers.1.");
    }

    @Test
    void tokenizerBroken() {
        Cli.write(model.resolve("tokenizer.json"), "{\"version\": \"1.0\", ");
        train().fails("tokenizer.json", "line 1", "download");
        // What Jackson says of its own settings helps nobody.
        Cli.write(model.resolve("tokenizer.json"), "{\"version\": \"1.0\"");
        assertThat(train().err()).doesNotContain("REDACTED");
    }

    @Test
    void tokenizerLargerThanTheModel() {
        Cli.write(model.resolve("config.json"), Cli.TINY.replace("\"vocab_size\": 256", "\"vocab_size\": 200"));
        train().fails(model.toString(), "256", "200", "vocab_size");
    }

    @Test
    void tokenizerMissing() {
        Cli.run("eval", "--model", GoldenCases.folder("llama"), "--data", texts).fails("tokenizer.json", "missing");
    }

    @Test
    void corpusMissing() {
        Cli.run("train", "--model", model, "--data", temp.resolve("nothing"), "--out", run)
                .fails("nothing", "does not exist");
    }

    @Test
    void corpusEmpty() throws IOException {
        Path empty = Files.createDirectories(temp.resolve("empty"));
        Cli.run("train", "--model", model, "--data", empty, "--out", run).fails("empty", "no text");
        // Nothing is left that would stop the next attempt.
        train().succeeds();
    }

    @Test
    void corpusShorterThanOneSequence() {
        Path little = Cli.write(temp.resolve("little/a.txt"), "Too little.");
        Cli.run("train", "--model", model, "--data", little, "--held-out", "0", "--out", run)
                .fails(little.toString(), "12 tokens", "33", "shorter sequence");
        assertThat(run).doesNotExist();
    }

    @Test
    void filesThatAreNotTextAreReportedAndPassedOver() throws IOException {
        Files.write(texts.resolve("picture.bin"), new byte[] {1, 0, 2, 0});
        Files.write(texts.resolve("latin1.txt"), new byte[] {'c', 'a', 'f', (byte) 0xE9, '\n'});
        Cli.Result result = train().succeeds();
        assertThat(result.err()).contains("passed over 2 files").contains("latin1.txt");
    }

    @Test
    void outputNotEmpty() {
        Path file = Cli.write(run.resolve("precious.txt"), "mine");
        train().fails(run.toString(), "not empty");
        Cli.run("init", "--config", "byte-tiny", "--out", run).fails(run.toString(), "not empty");
        Cli.run("prepare", "--model", model, "--data", texts, "--out", run).fails(run.toString(), "not empty");
        assertThat(file).hasContent("mine");
        assertThat(run.toFile().list()).containsExactly("precious.txt");
    }

    /** Nothing of it can be resumed, so it must not be in the way. */
    @Test
    void aRunThatWasKilledBeforeItHadWrittenItsOptions() {
        Cli.write(run.resolve(".lock"), "123");
        Cli.write(run.resolve("config.yaml.partial"), "---\nmodel: ");
        train().succeeds();
        assertThat(run.toFile().list()).doesNotContain("config.yaml.partial", ".lock");
    }

    @Test
    void sequenceLongerThanThePositions() {
        train("--sequence", "33").fails("33", "32 positions", "shorter");
        Cli.run("eval", "--model", model, "--data", texts, "--sequence", "33").fails("33", "32 positions");
    }

    @Test
    void promptLongerThanThePositions() {
        Cli.run("generate", "--model", model, "--prompt", "x".repeat(33)).fails("33 tokens", "32");
    }

    @Test
    void unknownOptionInTheYaml() {
        Path yaml = Cli.write(temp.resolve("options.yaml"), "batch: 2\nlearning_rat: 1e-3\nmin_ir: 1e-5\n");
        train("--config", yaml).isWrongUsage("options.yaml", "learning_rat", "did you mean");
        Cli.write(yaml, "min_ir: 1e-5\n");
        train("--config", yaml).isWrongUsage("options.yaml", "min_ir", "did you mean \"min_lr\"");
    }

    @Test
    void wrongValueInTheYaml() {
        Path yaml = Cli.write(temp.resolve("options.yaml"), "batch: many\n");
        train("--config", yaml).isWrongUsage("options.yaml", "batch", "many");
        Cli.write(yaml, "lr: -1\n");
        train("--config", yaml).isWrongUsage("options.yaml", "lr", "-1");
    }

    @Test
    void brokenYaml() {
        Path yaml = Cli.write(temp.resolve("options.yaml"), "batch: 2\nlr: [1e-3\n");
        train("--config", yaml).isWrongUsage("options.yaml", "line", "YAML");
        Cli.write(yaml, "batch: 2\nbatch: 3\n");
        train("--config", yaml).isWrongUsage("options.yaml", "line 2", "Duplicate", "batch");
        Cli.write(yaml, "save-every: 2\nsave_every: 3\n");
        train("--config", yaml).isWrongUsage("options.yaml", "save_every twice");
        Cli.write(yaml, "batch: &two 2\ndevice: *two\n");
        train("--config", yaml).isWrongUsage("options.yaml", "line 2", "alias *two");
        Cli.write(yaml, "batch: 2\n---\nbatch: 3\n");
        train("--config", yaml).isWrongUsage("options.yaml", "(something follows after its end)");
        Cli.write(yaml, "just words");
        train("--config", yaml).isWrongUsage("options.yaml", "no options");
        train("--config", temp.resolve("none.yaml")).isWrongUsage("none.yaml", "no such file");
    }

    @Test
    void replayNeedsItsFraction() {
        train("--replay", texts).isWrongUsage("replay_fraction");
        train("--replay-fraction", "0.5").isWrongUsage("replay");
        train("--threads", "100000").isWrongUsage("threads", "1024");
        Cli.run("generate", "--model", model, "--prompt", "x", "--threads", "1025", "--engine", "cpu")
                .isWrongUsage("threads", "1024");
    }

    @Test
    void notARun() {
        Cli.run("resume", texts).fails(texts.toString(), "config.yaml", "train");
    }

    @Test
    void notACase() {
        Cli.run("parity", model).fails("expected.json");
    }

    @Test
    void noSuchEngine() {
        train("--engine", "quantum").isWrongUsage("quantum", "cpu");
        assertThat(run.resolve("data")).doesNotExist();
    }

    @Test
    void wrongUsageIsExitCodeTwoAndOneLine() {
        for (String[] args : new String[][] {
            {"tarin"},
            {"train", "--no-such-option"},
            {"train", "--batch", "many"},
            {"eval"},
            {"bench", "--steps"},
            {"bench", "--steps", "0"},
            {"train", "--model", "m", "--data", "d"},
            {"train", "--model", "m", "--data", "d", "--out", "o", "--steps", "2", "--epochs", "1"},
            {"train", "--model", "m", "--data", "d", "--out", "o", "--lr", "-1"},
            {"prepare", "--model", "m", "--data", "d", "--out", "o", "--held-out", "2"},
            {"generate", "--model", "m", "--prompt", "p", "--max-tokens", "0"},
            {"generate", "--model", "m", "--prompt", "p", "--temperature", "-1"},
            {"eval", "--model", "m", "--data", "d", "--split", "half"},
            {"compare", "--engines", "cpu"},
            {"init", "--config", "byte-tiny", "--out", "o", "--dtype", "I8"},
        }) {
            Cli.run((Object[]) args).isWrongUsage();
        }
    }

    /** All told before anything is created. */
    @Test
    void optionsThatContradictEachOther() {
        train("--engine", "cpu", "--precision", "bf16").isWrongUsage("--precision bf16", "tornado engine");
        train("--held-out", 0, "--patience", 3).isWrongUsage("patience is 3", "--eval NAME=PATH");
        train("--extend", run).isWrongUsage("extend", "leave model out");
        train("--optim", "sgd").isWrongUsage("optimizer is \"sgd\"; it must be adamw, lion, muon, adafactor or apollo");
        train("--gradient-checkpointing", "maybe").isWrongUsage("recompute is \"maybe\"; it must be true or false");
        assertThat(run).doesNotExist();
        Cli.run("eval", "--model", model, "--data", texts, "--batch", 0)
                .isWrongUsage("--batch is 0; it must be 1 or more");
        Cli.run("eval", "--model", model, "--data", texts, "--sequence", 1)
                .isWrongUsage("--sequence is 1; it must be 2 or more");
    }

    @Test
    void suggestionsAreSensibleOrAbsent() {
        Cli.run("trian").isWrongUsage("did you mean train?");
        Cli.run("banana").isWrongUsage("see whirlwind --help");
        Cli.run("train", "--min_lr", "1").isWrongUsage("did you mean --min-lr?");
        Cli.run("train", "--learning-rat", "1").isWrongUsage("did you mean --learning");
        Cli.run("train", "--banana", "1").isWrongUsage("see whirlwind train --help");
        Cli.run("train", "--logging_steps", "1").isWrongUsage("--logging_steps", "metrics.jsonl; leave it out");
        Cli.run("eval", "--model", "org/some-model", "--data", "x")
                .fails(
                        "org/some-model: no such model folder",
                        "hf download org/some-model --local-dir models/some-model");
        Path yaml = Cli.write(temp.resolve("options.yaml"), "learning_rat: 1e-3\n");
        train("--config", yaml).isWrongUsage("did you mean \"lr\"?");
        Cli.write(yaml, "per_device_train_batchsize: 3\n");
        train("--config", yaml).isWrongUsage("did you mean \"batch\"?");
        Cli.write(yaml, "banana: 3\n");
        train("--config", yaml).isWrongUsage("banana", "train --help lists them");
        assertThat(train("--config", yaml).err()).doesNotContain("did you mean");
    }

    /** Nothing that is cited moves the cursor or goes on for ever. */
    @Test
    void messagesAreSafeToPrint() {
        String long_ = "word ".repeat(1000);
        for (Cli.Result result : new Cli.Result[] {
            train("--batch", "\u001b[31mred\n" + long_),
            train("--config", Cli.write(temp.resolve("a.yaml"), "lr: \"\\e[31m" + long_ + "\"")),
            train("--config", Cli.write(temp.resolve("a.yaml"), "\"\\u009b31m" + long_ + "\": 1")),
            Cli.run("eval", "--model", temp.resolve("\u001b[31m\u202e"), "--data", texts),
            Cli.run("eval", "--model", "x".repeat(4000), "--data", texts),
            changed("\"llama\"", "\"\\u001b[31m" + long_ + "\""),
            changed("\"hidden_size\": 24", "\"hidden_size\": \"\\u001b[31m" + long_ + "\""),
        }) {
            assertThat(result.err().lines()).hasSize(1);
            assertThat(result.err().strip())
                    .doesNotContainPattern("[\\p{Cc}\\u202e]")
                    .hasSizeLessThan(700);
        }
    }

    private Cli.Result changed(String from, String to) {
        Cli.write(model.resolve("config.json"), Cli.TINY.replace(from, to));
        return Cli.run("eval", "--model", model, "--data", texts);
    }

    @Test
    void nestedTooDeeplyOrOfTooManyDigits() {
        Path yaml = Cli.write(temp.resolve("deep.yaml"), "lr: " + "[".repeat(600) + "]".repeat(600));
        train("--config", yaml).isWrongUsage("deep.yaml", "nesting", "500");
        Cli.write(yaml, "steps: " + "7".repeat(1001));
        train("--config", yaml).isWrongUsage("deep.yaml", "1001");
        Cli.write(yaml, "steps: 1e999999999");
        train("--config", yaml).isWrongUsage("deep.yaml", "steps");
        Cli.write(yaml, "batch: 99999999999");
        train("--config", yaml).isWrongUsage("deep.yaml", "batch");
        changed("24", "{\"a\":".repeat(600) + "1" + "}".repeat(600)).fails("config.json", "nesting");
        changed("24", "7".repeat(1001)).fails("config.json", "1001");
    }

    @Test
    void noFileCanBeCalledSo() {
        Path yaml = Cli.write(temp.resolve("nul.yaml"), "model: \"a\\0b\"\ndata: x\nout: y\n");
        Cli.run("train", "--config", yaml).isWrongUsage("nul.yaml", "model is \"a b\"", "Nul character");
        Cli.write(yaml, "data: [x, \"a\\0b\"]\n");
        train("--config", yaml).isWrongUsage("nul.yaml", "data is \"a b\"");
        Cli.write(yaml, "valid: [null]\n");
        train("--config", yaml).isWrongUsage("nul.yaml", "valid");
        Cli.run("eval", "--model", "a\0b", "--data", texts).isWrongUsage("a b");
    }

    /** As of a shell's variable that is not set: not the working folder. */
    @Test
    void anEmptyPathIsNone() {
        Cli.run("eval", "--model", model, "--data", "").isWrongUsage("--data", "empty");
        Cli.run("init", "--config", "byte-tiny", "--out", "").isWrongUsage("--out", "empty");
        Cli.run("resume", "").isWrongUsage("RUN", "empty");
        Cli.run("train", "--model", model, "--data", "", "--out", run).isWrongUsage("data", "a path");
        Cli.run("train", "--model", "", "--data", texts, "--out", run).isWrongUsage("model", "a path");
    }

    /** Prepared folders are read as such one at a time, and never as if their files were texts. */
    @Test
    void preparedFoldersAreNoTexts() {
        Path prepared = temp.resolve("prepared");
        Cli.run("prepare", "--model", model, "--data", texts, "--out", prepared).succeeds();
        train("--data", prepared, texts).fails(prepared.toString(), "prepared data");
        Cli.run("prepare", "--model", model, "--data", prepared, "--out", run).fails("prepared data");
        assertThat(run).doesNotExist();
    }

    /** As of a download's cache of which a part was deleted: not taken for a file that is not there. */
    @Test
    @DisabledOnOs(OS.WINDOWS)
    void linksThatLeadNowhere() throws IOException {
        for (String name : new String[] {"tokenizer_config.json", "generation_config.json", "tokenizer.json"}) {
            Path link = model.resolve(name);
            Files.deleteIfExists(link);
            Files.createSymbolicLink(link, temp.resolve("gone"));
            train().fails(link.toString(), "no such file");
            assertThat(run).doesNotExist();
            Files.delete(link);
        }
    }

    @Test
    void pointersOfGitLfs() {
        for (String file :
                new String[] {"config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"}) {
            Path folder = Cli.model(temp.resolve("of-" + file));
            Cli.write(
                    folder.resolve(file), "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1234567\n");
            Cli.run("eval", "--model", folder, "--data", texts).fails(file, "Git LFS pointer", "git lfs pull");
        }
    }

    @Test
    @DisabledOnOs(OS.WINDOWS)
    void devicesAndHugeFilesInPlaceOfSmallOnes() throws IOException {
        train("--config", "/dev/zero").isWrongUsage("/dev/zero", "device");
        for (String file : new String[] {"config.json", "tokenizer.json"}) {
            Path folder = Cli.model(temp.resolve("of-" + file));
            try (RandomAccessFile sparse =
                    new RandomAccessFile(folder.resolve(file).toFile(), "rw")) {
                sparse.setLength(5L << 30);
            }
            Cli.run("eval", "--model", folder, "--data", texts).fails(file, "more than", "MiB");
        }
    }
}
