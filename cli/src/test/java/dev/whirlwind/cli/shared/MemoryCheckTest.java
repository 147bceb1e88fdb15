package dev.whirlwind.cli.shared;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.cli.Child;
import dev.whirlwind.cli.Cli;
import dev.whirlwind.cpu.MemoryBenchmark;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.WeightFormat;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.memory.MemoryNeeds;
import dev.whirlwind.training.memory.MemoryPlan;
import dev.whirlwind.training.memory.MemoryUse;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
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
        return training(MODEL, batch, sequence, recompute);
    }

    private static long training(ModelConfig model, int batch, int sequence, boolean recompute) {
        Map<String, ?> options = Map.of("batch", batch, "sequence", sequence, "recompute", recompute);
        return MemoryNeeds.training(model, TrainConfig.of(options, "test"), MemoryNeeds.Beside.NOTHING)
                .total();
    }

    private static void refuses(ThrowingCallable check, String... says) {
        assertThatThrownBy(check)
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll(says)
                .hasMessageContaining("; --no-plan tries it all the same")
                .message()
                .hasLineCount(1);
    }

    private static final Set<String> ALL =
            Set.of("batch", "accumulation", "recompute", "sequence", "optimizer", "lora", "ema");

    private static ThrowingCallable train(long available, Set<String> changeable, Object... options) {
        Map<String, Object> given = new LinkedHashMap<>(Map.of("model", "none"));
        for (int i = 0; i < options.length; i += 2) {
            given.put((String) options[i], options[i + 1]);
        }
        return () -> new MemoryCheck(available).requireTraining(MODEL, given, changeable, 0);
    }

    @Test
    void whatFitsExactlyIsNotRefused() {
        long bytes = training(4, 512, false);
        assertThatCode(train(bytes, ALL, "batch", 4, "sequence", 512)).doesNotThrowAnyException();
        refuses(train(bytes - 1, ALL, "batch", 4, "sequence", 512), "training needs ", " GiB of memory, and ");
        refuses(
                () -> new MemoryCheck(bytes).requireTraining(MODEL, Map.of("batch", 4, "sequence", 512), ALL, 1),
                "training needs ");
    }

    @Test
    void aPartOfTheBatchWithWhichTheStepStaysTheSameComesFirst() {
        refuses(
                train(training(5, 512, true), ALL, "batch", 8, "sequence", 512, "accumulation", 2, "recompute", true),
                "with --batch 4 --accumulation 4 it needs ");
        refuses(
                train(training(5, 512, false), Set.of("batch"), "batch", 8, "sequence", 512),
                "with --batch 4 it needs ");
    }

    @Test
    void thenRecomputationAndThenBoth() {
        long less = training(1, 1024, false) - 1;
        assertThat(training(3, 1024, true)).isLessThan(less);
        refuses(
                train(training(1, 1024, false) - 1, ALL, "batch", 1, "sequence", 1024, "accumulation", 2),
                "with --recompute it needs ");
        refuses(
                train(training(2, 1024, true), ALL, "batch", 8, "sequence", 1024, "accumulation", 2),
                "with --recompute --batch 2 --accumulation 8 it needs ");
    }

    @Test
    void thenAShorterSequence() {
        refuses(
                train(training(1, 100, true), ALL, "batch", 8, "sequence", 512),
                "with --sequence 64 --recompute --batch 1 --accumulation 8 it needs ");
    }

    @Test
    void thenWhatIsTrainedInAnotherWay() {
        long weights = MemoryNeeds.weights(MODEL);
        long parameters = 4 * new ParameterLayout(MODEL).length();
        Object[] options = {"batch", 1, "sequence", 16, "recompute", true, "ema", 0.9};
        refuses(train(weights + 7 * parameters / 2, ALL, options), "; without --ema it needs ");
        refuses(
                train(weights + 5 * parameters / 2, ALL, "batch", 1, "sequence", 16, "recompute", true),
                "with --optimizer lion it needs ");
        refuses(
                train(weights + 3 * parameters / 2, ALL, "batch", 1, "sequence", 16, "recompute", true),
                "with --optimizer adafactor it needs ");
        refuses(
                train(weights + parameters / 2, ALL, "batch", 1, "sequence", 16, "recompute", true),
                "with --lora 16 it needs ");
    }

    @Test
    void orTheModelItselfDoesNotFit() {
        refuses(
                train(MemoryNeeds.weights(MODEL), ALL, "batch", 8, "sequence", 512),
                "training needs ",
                "the model itself does not fit: take a smaller one");
        refuses(
                () -> new MemoryCheck(1 << 20).requireWeights(MODEL, WeightFormat.FP32),
                "this model needs ",
                " and 1 MiB can be had");
    }

    @Test
    void aDeviceMayBeFull() {
        MemoryUse use = MemoryNeeds.training(
                MODEL, TrainConfig.of(Map.of("batch", 2, "sequence", 64), "test"), MemoryNeeds.Beside.NOTHING);
        MemoryPlan plan = MemoryPlan.onDevice(use, false);
        MemoryCheck room = new MemoryCheck(Long.MAX_VALUE - 1);
        assertThat(room.onDevice(plan.device().total()).fits(plan)).isTrue();
        assertThat(room.onDevice(plan.device().total() - 1).fits(plan)).isFalse();
        assertThat(MemoryCheck.now(true).onDevice(1).fits(plan)).isTrue();
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
        MemoryCheck check = new MemoryCheck(MemoryNeeds.generation(MODEL, 517, 1));
        refuses(
                () -> check.requireGeneration(
                        "max_tokens", 1_000, tokens -> MemoryNeeds.generation(MODEL, 7 + tokens, 1)),
                "generation needs ",
                "with --max-tokens 510 it needs ");
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
            long predicted = training(ModelConfig.preset(preset).withDropout(0), 4, sequence, false);
            System.out.printf(
                    "%s, 4 x %d: predicted %.0f MiB, measured %.0f%n",
                    preset, sequence, predicted / 0x1p20, measured / 0x1p20);
            assertThat(predicted / measured).isBetween(0.75, 1.25);
            assertThat(predicted + MemoryBenchmark.BYTES).isGreaterThan((long) measured);
        }
    }
}
