package dev.whirlwind.cli.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.cli.Cli;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Optimizers on the command line, on one engine as on another. */
class OptimizersTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "lion",
                "muon",
                "adafactor",
                "apollo",
                "adamw --moments int8",
                "lion --moments int8",
                "muon --moments int8"
            })
    void enginesAgree(String optimizer) throws IOException {
        List<JsonNode> cpu = train(optimizer, "cpu");
        List<JsonNode> loops = train(optimizer, "loops");
        assertThat(cpu).hasSameSizeAs(loops);
        assertThat(cpu).anyMatch(event -> event.path("name").asString("").equals("valid (ema)"));
        for (int i = 0; i < cpu.size(); i++) {
            assertThat(loops.get(i).get("name")).isEqualTo(cpu.get(i).get("name"));
            assertThat(loops.get(i).get("loss").doubleValue())
                    .as("%s", cpu.get(i))
                    .isCloseTo(cpu.get(i).get("loss").doubleValue(), within(1e-4));
        }
    }

    /** Steps and evaluations. */
    private List<JsonNode> train(String optimizer, String engine) throws IOException {
        Path model = folder.resolve("model");
        Path texts = folder.resolve("texts");
        if (!Files.exists(model)) {
            Cli.model(model);
            Cli.texts(texts);
        }
        Path run = folder.resolve(engine);
        List<Object> arguments = new ArrayList<>(List.of("train", "--model", model, "--data", texts, "--out", run));
        arguments.addAll(List.of("--steps", 6, "--batch", 2, "--sequence", 16, "--lr", 3e-3, "--engine", engine));
        arguments.addAll(List.of("--ema", 0.5, "--anchor", 0.1, "--eval-windows", 4, "--optim"));
        arguments.addAll(List.of(optimizer.split(" ")));
        Cli.run(arguments.toArray()).succeeds();
        assertThat(run.resolve("ema/model.safetensors")).exists();
        return Files.readAllLines(run.resolve("metrics.jsonl")).stream()
                .map(JsonMapper.shared()::readTree)
                .filter(event -> event.has("loss"))
                .toList();
    }

    @Test
    void aRunGoesOnWithItsOptimizer() throws IOException {
        train("lion", "cpu");
        Cli.run("resume", folder.resolve("cpu"), "--optimizer", "muon", "--change")
                .fails("had optimizer lion, and is now given muon", "start a new run");
    }

    @Test
    void whatNoOptimizerIsIsAnsweredWithThoseThatAre() {
        Cli.run("train", "--model", "a", "--data", "b", "--out", "c", "--optimizer", "sgd")
                .isWrongUsage("optimizer is \"sgd\"; it must be adamw, lion, muon, adafactor or apollo");
    }
}
