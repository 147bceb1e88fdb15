package dev.whirlwind.cli.shared;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.cli.Child;
import dev.whirlwind.cli.Cli;
import dev.whirlwind.cli.shared.MemoryCheck.Training;
import dev.whirlwind.cpu.MemoryBenchmark;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.memory.MemoryNeeds;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.json.JsonMapper;

/** What does not fit is refused in a line that says what would. */
class MemoryCheckTest {
    private static final ModelConfig MODEL = ModelConfig.preset("gpt2");

    @TempDir
    private static Path folder;

    @BeforeAll
    static void files() {
        Cli.model(folder.resolve("model"));
        Cli.texts(folder.resolve("texts"));
    }

    private static long training(int batch, int sequence, boolean recompute) {
        return MemoryNeeds.training(MODEL, batch, sequence, recompute);
    }

    private static void refuses(ThrowingCallable check, String... says) {
        assertThatThrownBy(check)
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll(says)
                .hasMessageContaining("; WHIRLWIND_IGNORE_MEMORY=1 tries it all the same")
                .message()
                .hasLineCount(1);
    }

    private static ThrowingCallable train(long available, Training training) {
        return () -> new MemoryCheck(available).require(training, MemoryCheck::asOptions);
    }

    @Test
    void whatFitsExactlyIsNotRefused() {
        long bytes = training(4, 512, false);
        assertThatCode(train(bytes, new Training(MODEL, 4, 512, 1, false, 0))).doesNotThrowAnyException();
        refuses(train(bytes - 1, new Training(MODEL, 4, 512, 1, false, 0)), "training needs ", " GiB of memory, and ");
        refuses(train(bytes, new Training(MODEL, 4, 512, 1, false, 1)), "training needs ");
    }

    @Test
    void recomputationComesFirst() {
        refuses(train(training(8, 512, true), new Training(MODEL, 8, 512, 2, false, 0)), "with --recompute it needs ");
    }

    @Test
    void thenAPartOfTheBatchWithWhichTheStepStaysTheSame() {
        refuses(
                train(training(5, 512, true), new Training(MODEL, 8, 512, 2, true, 0)),
                "with --batch 4 --accumulation 4 it needs ");
        refuses(train(training(5, 512, false), new Training(MODEL, 8, 512, 0, null, 0)), "with --batch 4 it needs ");
        long recomputed = training(2, 1024, true);
        assertThat(recomputed).isLessThan(training(1, 1024, false));
        refuses(
                train(recomputed, new Training(MODEL, 8, 1024, 2, false, 0)),
                "with --batch 2 --accumulation 8 --recompute it needs ");
    }

    @Test
    void thenAShorterSequence() {
        refuses(
                train(training(1, 100, true), new Training(MODEL, 8, 512, 1, false, 0)),
                "with --batch 1 --accumulation 8 --sequence 64 --recompute it needs ");
    }

    @Test
    void orTheModelItselfDoesNotFit() {
        refuses(
                train(MemoryNeeds.weights(MODEL), new Training(MODEL, 8, 512, 1, false, 0)),
                "training needs ",
                "the model itself does not fit: take a smaller one");
        refuses(() -> new MemoryCheck(1 << 20).requireWeights(MODEL), "this model needs ", " and 1 MiB can be had");
    }

    @Test
    void evaluation() {
        MemoryCheck check = new MemoryCheck(MemoryNeeds.evaluation(MODEL, 3, 512));
        assertThatCode(() -> check.requireEvaluation(MODEL, 3, 512)).doesNotThrowAnyException();
        refuses(() -> check.requireEvaluation(MODEL, 4000, 512), "with --batch 3 it needs ");
        MemoryCheck small = new MemoryCheck(MemoryNeeds.evaluation(MODEL, 1, 40));
        refuses(() -> small.requireEvaluation(MODEL, 8, 64), "with --batch 1 --sequence 32 it needs ");
    }

    @Test
    void generation() {
        MemoryCheck check = new MemoryCheck(MemoryNeeds.generation(MODEL, 17, 1));
        refuses(
                () -> check.requireGeneration(
                        "max_tokens", 1_000, tokens -> MemoryNeeds.generation(MODEL, 7 + tokens, 1)),
                "generation needs ",
                "with --max-tokens 10 it needs ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"train", "bench", "compare", "eval"})
    void commandsRefuseWhatNoMachineHas(String command) {
        Path out = folder.resolve("never");
        List<Object> args = new ArrayList<>(
                List.of(command, "--model", folder.resolve("model"), "--batch", 10_000_000, "--sequence", 32));
        args.addAll(
                switch (command) {
                    case "train" -> List.of("--data", folder.resolve("texts"), "--out", out, "--engine", "cpu");
                    case "eval" -> List.of("--data", folder.resolve("texts"), "--engine", "cpu");
                    case "compare" -> List.of("--engines", "cpu,loops");
                    default -> List.of("--engine", "cpu");
                });
        Cli.run(args.toArray()).fails(" needs ", " GiB of memory, and ", "; with --batch ", " it needs ");
        assertThat(out).doesNotExist();
    }

    /** A model of two thousand million positions, whose cache would take 2 TB. */
    @Test
    void generationOfMoreTokensThanThereIsMemoryFor() throws IOException {
        Path config = folder.resolve("long.json");
        Cli.write(
                config,
                Cli.TINY
                        .replace("\"max_position_embeddings\": 32", "\"max_position_embeddings\": 2000000000")
                        .replace("\"hidden_size\": 24", "\"hidden_size\": 24, \"head_dim\": 64"));
        Path model = folder.resolve("long");
        Cli.run("init", "--config", config, "--out", model).succeeds();
        Cli.run("generate", "--model", model, "--prompt", "x", "--max-tokens", 1_000_000_000, "--engine", "cpu")
                .fails("generation needs ", " can be had; with --max-tokens ");
        Cli.run("generate", "--model", model, "--prompt", "x", "--max-tokens", 3, "--engine", "cpu")
                .succeeds();
    }

    @Test
    void aRunUnderWayIsToldWhereToChangeWhat() throws IOException {
        Path run = folder.resolve("run");
        Cli.run(
                        "train",
                        "--model",
                        folder.resolve("model"),
                        "--data",
                        folder.resolve("texts"),
                        "--out",
                        run,
                        "--steps",
                        1,
                        "--sequence",
                        32,
                        "--engine",
                        "cpu")
                .succeeds();
        Path config = run.resolve("config.yaml");
        Files.writeString(config, Files.readString(config).replace("batch: 8", "batch: 10000000"));
        Cli.run("resume", run, "--accept-config")
                .fails("with \"batch: ", " in " + config, "resume with --accept-config");
    }

    /** Predicted and measured: {@code -Dwhirlwind.memory=gpt2}, or another preset. */
    @Test
    @EnabledIfSystemProperty(named = "whirlwind.memory", matches = ".+")
    void thePredictionIsNear() throws Exception {
        String preset = System.getProperty("whirlwind.memory");
        for (int sequence : new int[] {64, 256}) {
            Path output = folder.resolve("bench.json");
            Process process = new ProcessBuilder(Child.program(
                            List.of(),
                            "bench",
                            "--model",
                            preset,
                            "--sequence",
                            sequence,
                            "--steps",
                            1,
                            "--engine",
                            "cpu",
                            "--json"))
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .redirectOutput(output.toFile())
                    .start();
            assertThat(process.waitFor()).isZero();
            double measured = 0x1p20
                    * JsonMapper.shared()
                            .readTree(output.toFile())
                            .path("peak_rss_mib")
                            .doubleValue();
            long predicted = MemoryNeeds.training(ModelConfig.preset(preset).withDropout(0), 4, sequence, false);
            System.out.printf(
                    "%s, 4 x %d: predicted %.0f MiB, measured %.0f%n",
                    preset, sequence, predicted / 0x1p20, measured / 0x1p20);
            assertThat(predicted / measured).isBetween(0.75, 1.25);
            assertThat(predicted + MemoryBenchmark.BYTES).isGreaterThan((long) measured);
        }
    }
}
