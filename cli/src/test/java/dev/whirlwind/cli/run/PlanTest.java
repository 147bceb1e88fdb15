package dev.whirlwind.cli.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.whirlwind.cli.Child;
import dev.whirlwind.cli.Cli;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.weights.WeightFiles;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** What a run will take is known before it begins. */
class PlanTest {
    private static final Pattern PEAK = Pattern.compile("VmHWM:\\s+(\\d+) kB");

    /** Of 13 million parameters, so that tensors are more than Java. */
    private static final String SMALL = """
            {"model_type": "llama", "vocab_size": 256, "hidden_size": 512, "intermediate_size": 1376,
             "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 4, "max_position_embeddings": 256,
             "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true, "eos_token_id": 255}
            """;

    @TempDir
    private static Path folder;

    @BeforeAll
    static void files() {
        Cli.texts(folder.resolve("texts"));
        Path config = folder.resolve("small.json");
        Cli.write(config, SMALL);
        Cli.run("init", "--config", config, "--out", folder.resolve("small")).succeeds();
        Cli.model(folder.resolve("tiny"));
    }

    private static JsonNode plan(Object... options) {
        List<Object> command = new ArrayList<>(List.of("plan", "--json"));
        command.addAll(List.of(options));
        return Cli.run(command.toArray()).succeeds().json();
    }

    /** Real runs of their own processes; larger ones are in docs/performance.md. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "--batch 2 --sequence 64",
                "--batch 4 --sequence 128 --recompute --recompute-every 2 --update-in-backward",
                "--batch 2 --sequence 64 --lora 8",
                "--batch 2 --sequence 64 --optimizer adafactor --ema 0.9",
                "--batch 8 --sequence 128 --optimizer lion --sample-every 1 --sample-tokens 8",
                "--batch 2 --sequence 64 --lora 16 --teacher SMALL",
            })
    void aPeakIsPredictedToFivePercent(String options) throws IOException, InterruptedException {
        Path status = Path.of("/proc/self/status");
        assumeThat(status).exists();
        Path small = folder.resolve("small");
        List<Object> arguments = new ArrayList<>(List.of("--model", small, "--engine", "cpu"));
        arguments.addAll(List.of(options.replace("SMALL", small.toString()).split(" ")));
        double predicted = plan(arguments.toArray()).path("predicted_bytes").doubleValue();
        Path run = Files.createTempDirectory(folder, "run").resolve("run");
        arguments.addFirst("train");
        arguments.addAll(List.of("--data", folder.resolve("texts"), "--out", run, "--steps", 1));
        arguments.addAll(List.of("--held-out", 0.2, "--eval-windows", 4));
        Process process = Child.start(Child.program(List.of(), arguments.toArray()), run.resolveSibling("output"));
        double peak = 0;
        while (process.isAlive()) {
            peak = Math.max(peak, peak(Path.of("/proc", String.valueOf(process.pid()), "status")));
            Thread.sleep(2);
        }
        assertThat(process.exitValue())
                .as(Files.readString(run.resolveSibling("output")))
                .isZero();
        assertThat(predicted / peak)
                .as("%s: %.0f of %.0f", options, predicted, peak)
                .isBetween(0.95, 1.05);
    }

    /** 0 where it has just ended. */
    private static double peak(Path status) {
        try {
            Matcher matcher = PEAK.matcher(Files.readString(status));
            return matcher.find() ? 1024 * Double.parseDouble(matcher.group(1)) : 0;
        } catch (IOException e) {
            return 0;
        }
    }

    @Test
    void theParts() {
        JsonNode plan = plan("--model", folder.resolve("tiny"), "--engine", "cpu", "--batch", 2);
        assertThat(plan.path("fits").booleanValue()).isTrue();
        assertThat(plan.path("parts").propertyNames())
                .containsExactly("weights", "gradients", "moments", "activations", "logits", "scratch", "java");
        long sum = 0;
        for (JsonNode part : plan.path("parts")) {
            sum += part.longValue();
        }
        assertThat(plan.path("predicted_bytes").longValue()).isEqualTo(sum);
        assertThat(plan.path("available_bytes").longValue()).isGreaterThan(sum);
        assertThat(plan.path("advice").size()).isGreaterThan(3);
        assertThat(plan.path("disk").path("predicted_bytes").longValue())
                .isGreaterThan(plan.path("disk").path("checkpoint_bytes").longValue());
        assertThat(Cli.run("plan", "--model", folder.resolve("small"), "--engine", "cpu")
                        .out())
                .contains("weights", "together", "can be had", "it fits", "--lora 16");
    }

    /** No weights yet: a folder with a configuration only, the configuration alone, a preset. */
    @Test
    void whatHasNoWeights() throws IOException {
        Path config = folder.resolve("bare/config.json");
        Files.createDirectories(config.getParent());
        Files.copy(folder.resolve("tiny/config.json"), config);
        long whole = plan("--model", folder.resolve("tiny"), "--engine", "cpu")
                .path("predicted_bytes")
                .longValue();
        for (Path bare : List.of(config, config.getParent())) {
            assertThat(plan("--model", bare, "--engine", "cpu")
                            .path("predicted_bytes")
                            .longValue())
                    .isEqualTo(whole);
        }
        assertThat(plan("--model", "gpt2", "--engine", "cpu")
                        .path("parts")
                        .path("weights")
                        .longValue())
                .isGreaterThan(4 * 124_000_000L);
        Cli.run("plan", "--model", folder.resolve("nowhere")).fails("nowhere", "no such model folder");
        Cli.run("plan")
                .isWrongUsage(
                        "plan needs --model", ModelConfig.PRESETS.iterator().next());
    }

    /** Sharded weights are looked at without being read; a broken one is told. */
    @Test
    void shards() throws IOException {
        Path sharded = folder.resolve("sharded");
        Cli.run(
                        "train",
                        "--model",
                        folder.resolve("tiny"),
                        "--data",
                        folder.resolve("texts"),
                        "--out",
                        sharded,
                        "--engine",
                        "cpu",
                        "--steps",
                        1,
                        "--shard-bytes",
                        20_000)
                .succeeds();
        Path last = sharded.resolve("final");
        assertThat(last.resolve(WeightFiles.INDEX)).exists();
        assertThat(plan("--model", last, "--engine", "cpu").path("fits").booleanValue())
                .isTrue();
        Path shard;
        try (DirectoryStream<Path> shards = Files.newDirectoryStream(last, "model-00002-of-*")) {
            shard = shards.iterator().next();
        }
        Files.write(shard, new byte[] {1, 2, 3});
        Cli.run("plan", "--model", last, "--engine", "cpu")
                .fails(shard.getFileName().toString());
    }

    @Test
    void whatDoesNotFitIsRefusedAndCanBeTriedAllTheSame() {
        Path run = folder.resolve("refused");
        Object[] huge = {"--model", folder.resolve("tiny"), "--engine", "cpu", "--batch", 10_000_000, "--sequence", 32};
        JsonNode plan = plan(huge);
        assertThat(plan.path("fits").booleanValue()).isFalse();
        assertThat(plan.path("advice").path(0).path("options").stringValue()).startsWith("--batch ");
        assertThat(plan.path("advice").path(0).path("predicted_bytes").longValue())
                .isLessThan(plan.path("available_bytes").longValue());
        List<Object> train = new ArrayList<>(List.of("train", "--data", folder.resolve("texts"), "--out", run));
        train.addAll(List.of(huge));
        Cli.run(train.toArray()).fails("training needs ", "with --batch ", "; --no-plan tries it all the same");
        assertThat(run).doesNotExist();
        train.addAll(List.of("--no-plan", "--steps", 1));
        assertThat(Cli.run(train.toArray()).err()).doesNotContain("training needs");
    }

    @Test
    void optionsAreThoseOfTrain() {
        Path file = folder.resolve("options.yaml");
        Cli.write(file, "batch: 2\noptimizer: adafactor\n");
        Path tiny = folder.resolve("tiny");
        JsonNode given = plan(
                "--model", tiny, "--engine", "cpu", "--per-device-train-batch-size", 2, "--optimizer", "adafactor");
        assertThat(plan("--config", file, "--model", tiny, "--engine", "cpu").path("parts"))
                .isEqualTo(given.path("parts"))
                .isNotEqualTo(plan("--model", tiny, "--engine", "cpu").path("parts"));
        Cli.run("plan", "--model", folder.resolve("tiny"), "--lora", 0).isWrongUsage("lora is 0");
    }
}
