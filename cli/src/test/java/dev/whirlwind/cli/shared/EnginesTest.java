package dev.whirlwind.cli.shared;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.whirlwind.cli.Cli;
import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.GoldenCases;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.safetensors.SafetensorsFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Whole training runs on one engine as on another. Those with tornado are skipped, by name, where there is no TornadoVM
 * with a device that works.
 */
public class EnginesTest {
    @TempDir
    Path temp;

    private static void assumeUsable(String engine) {
        String found = Engines.find().stream()
                .filter(f -> f.name().equals(engine))
                .map(f -> f.usable() ? "" : f.description())
                .findFirst()
                .orElseThrow();
        if (!found.isEmpty() && "required".equals(System.getenv("WHIRLWIND_DEVICE_TESTS"))) {
            throw new AssertionError("device tests are required here, but " + found);
        }
        assumeTrue(found.isEmpty(), "needs a TornadoVM SDK and an OpenCL device: " + found);
    }

    /** Dropout and accumulation on: the engines draw the same masks, or the losses would part at once. */
    @ParameterizedTest(name = "{0} on {1}")
    @CsvSource({"qwen3, loops", "gpt2, loops", "gpt2, tornado"})
    void fiftyStepsFollowTheCpuEngine(String model, String engine) {
        assumeUsable(engine);
        JsonNode json = Cli.run(
                        "compare",
                        "--engines",
                        "cpu," + engine,
                        "--model",
                        GoldenCases.folder(model),
                        "--batch",
                        2,
                        "--sequence",
                        17,
                        "--accumulation",
                        2,
                        "--steps",
                        50,
                        "--dropout",
                        0.2,
                        "--json")
                .succeeds()
                .json();
        assertThat(json.path("a").path("engine").stringValue()).isEqualTo("cpu");
        assertThat(json.path("b").path("engine").stringValue()).isEqualTo(engine);
        JsonNode losses = json.path("b").path("losses");
        assertThat(losses).hasSize(50);
        assertThat(losses.path(49).doubleValue()).isLessThan(losses.path(0).doubleValue() - 0.1);
        // Not 0: that would be the same engine twice.
        assertThat(json.path("max_loss_difference").doubleValue()).isBetween(1e-12, 1e-4);
        assertThat(json.path("b").path("tokens_per_second").doubleValue()).isPositive();
        assertThat(json.path("max_grad_norm_relative_difference").doubleValue()).isBetween(1e-12, 1e-3);
    }

    /** The second half of a run again, from the checkpoint in its middle, on another engine. */
    @ParameterizedTest(name = "{0} to {1}")
    @CsvSource({"cpu, loops", "loops, cpu", "cpu, tornado", "tornado, cpu"})
    void aRunBegunOnOneEngineGoesOnAsOnIt(String first, String second) throws IOException {
        assumeUsable(first);
        assumeUsable(second);
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        Path run = temp.resolve("run");
        Object[] train = {
            "train",
            "--model",
            model,
            "--data",
            texts,
            "--out",
            run,
            "--steps",
            6,
            "--batch",
            2,
            "--sequence",
            16,
            "--accumulation",
            2,
            "--dropout",
            0.1,
            "--lr",
            1e-3,
            "--save-every",
            3,
            "--engine",
            first
        };
        Cli.run(train).succeeds();
        List<Double> losses = losses(run);
        assertThat(losses).hasSize(6);
        Path weights = Files.move(run.resolve("final/model.safetensors"), temp.resolve("first.safetensors"));

        delete(run.resolve("final"));
        delete(run.resolve("checkpoints/step-00000006"));
        Cli.run("resume", run, "--engine", second).succeeds();
        List<Double> resumed = losses(run);
        assertThat(resumed).hasSize(6);
        for (int i = 0; i < 6; i++) {
            assertThat(resumed.get(i)).as("step " + (i + 1)).isCloseTo(losses.get(i), within(1e-4));
        }
        assertThat(Files.readString(run.resolve("config.yaml"))).contains(first);
        assertThat(largestDifference(model, weights, run.resolve("final/model.safetensors")))
                .isLessThan(1e-4);
    }

    private static List<Double> losses(Path run) throws IOException {
        return Files.readAllLines(run.resolve("metrics.jsonl")).stream()
                .map(line -> JsonMapper.shared().readTree(line))
                .filter(event -> event.path("event").stringValue().equals("step"))
                .map(event -> event.path("loss").doubleValue())
                .toList();
    }

    private static void delete(Path folder) throws IOException {
        try (var paths = Files.walk(folder)) {
            for (Path path : paths.sorted((a, b) -> b.compareTo(a)).toList()) {
                Files.delete(path);
            }
        }
    }

    private static double largestDifference(Path model, Path a, Path b) {
        double largest = 0;
        try (Arena arena = Arena.ofConfined();
                SafetensorsFile first = SafetensorsFile.open(a);
                SafetensorsFile second = SafetensorsFile.open(b)) {
            for (CheckpointTensor tensor : new ParameterLayout(ModelConfig.read(model)).checkpointTensors()) {
                MemorySegment x = arena.allocate(4 * tensor.size(), 4);
                MemorySegment y = arena.allocate(4 * tensor.size(), 4);
                first.readFloats(tensor.name(), x, 0);
                second.readFloats(tensor.name(), y, 0);
                for (long i = 0; i < tensor.size(); i++) {
                    double difference =
                            x.getAtIndex(ValueLayout.JAVA_FLOAT, i) - y.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                    largest = Math.max(largest, Math.abs(difference));
                }
            }
        }
        return largest;
    }

    @Test
    void aDeviceIsOfTheTornadoEngine() {
        Path model = Cli.model(temp.resolve("model"));
        String says = "--device 0:0 names a device of the tornado engine, but the engine is ";
        Cli.run("generate", "--model", model, "--prompt", "a", "--engine", "cpu", "--device", "0:0")
                .isWrongUsage(says + "cpu");
        Cli.run(
                        "train",
                        "--model",
                        model,
                        "--data",
                        Cli.texts(temp.resolve("texts")),
                        "--out",
                        temp.resolve("run"),
                        "--engine",
                        "loops",
                        "--device",
                        "0:0")
                .isWrongUsage(says + "loops");
    }
}
