package dev.whirlwind.cli.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.cli.Cli;
import dev.whirlwind.cli.shared.Models;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Several sources of training text, with weights. */
class MixedDataTest {
    @TempDir
    Path folder;

    private Path model;

    @BeforeEach
    void files() {
        model = folder.resolve("model");
        Cli.model(model);
        Cli.texts(folder.resolve("code"));
        Cli.texts(folder.resolve("prose"));
    }

    private Cli.Result train(String out, Object... options) {
        List<Object> arguments = new ArrayList<>(List.of("train", "--model", model, "--out", folder.resolve(out)));
        arguments.addAll(List.of("--batch", 2, "--sequence", 16, "--eval-windows", 2, "--engine", "cpu"));
        arguments.addAll(List.of(options));
        return Cli.run(arguments.toArray());
    }

    private String source(String name, String weight) {
        return name + "=" + folder.resolve(name) + weight;
    }

    private JsonNode last(String run, String event) throws IOException {
        return Files.readAllLines(folder.resolve(run).resolve("metrics.jsonl")).stream()
                .map(JsonMapper.shared()::readTree)
                .filter(node -> node.path("event").asString("").equals(event))
                .toList()
                .getLast();
    }

    @Test
    void weightsAreKeptAndWhatWasReadIsTold() throws IOException {
        train("run", "--data", source("code", ":0.75"), "--data", source("prose", ":0.25"), "--steps", 20)
                .succeeds();
        JsonNode sources = last("run", "sources").path("sources");
        assertThat(sources.path("code").path("sequences").intValue()).isEqualTo(30);
        assertThat(sources.path("prose").path("sequences").intValue()).isEqualTo(10);
        List<String> evaluated = Files.readAllLines(folder.resolve("run/metrics.jsonl")).stream()
                .filter(line -> line.contains("\"event\":\"eval\""))
                .map(line -> line.replaceAll(".*\"name\":\"([^\"]+)\".*", "$1"))
                .distinct()
                .toList();
        assertThat(evaluated).containsExactly("code", "prose");
    }

    @Test
    void weightsChangeOverTheRunWhichGoesOnAsItWas() throws IOException {
        Object[] options = {
            "--data",
            source("code", ":1"),
            "--data",
            source("prose", ":0"),
            "--stage",
            "0.5:code=0.5,prose=0.5",
            "--steps",
            20,
            "--save-every",
            5,
            "--keep",
            0
        };
        train("whole", options).succeeds();
        JsonNode sources = last("whole", "sources").path("sources");
        assertThat(sources.path("prose").path("sequences").doubleValue()).isCloseTo(10, within(1.0));
        train("run", options).succeeds();
        for (String gone : List.of("step-00000020", "step-00000015")) {
            Models.delete(folder.resolve("run/checkpoints").resolve(gone));
        }
        Models.delete(folder.resolve("run/final"));
        Cli.run("resume", folder.resolve("run")).succeeds();
        assertThat(folder.resolve("run/final/model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("whole/final/model.safetensors"));
    }

    @Test
    void naturalProportionsAndRenormalisedWeightsReadEverythingOnce() throws IOException {
        train("natural", "--data", source("code", ""), "--data", source("prose", ""))
                .succeeds();
        train(
                        "weighted",
                        "--data",
                        source("code", ":0.9"),
                        "--data",
                        source("prose", ":0.1"),
                        "--exhausted",
                        "renormalise")
                .succeeds();
        for (String run : List.of("natural", "weighted")) {
            JsonNode sources = last(run, "sources").path("sources");
            assertThat(sources.path("code").path("passes").doubleValue()).isCloseTo(1, within(0.05));
            assertThat(sources.path("prose").path("passes").doubleValue()).isCloseTo(1, within(0.05));
        }
    }

    /** Documents that are packed whole; a run of them goes on as it was. */
    @ParameterizedTest
    @ValueSource(strings = {"bestFit", "single"})
    void documentsArePacked(String packing) throws IOException {
        Object[] options = {
            "--data", folder.resolve("code"), "--packing", packing, "--steps", 6, "--save-every", 3, "--keep", 0
        };
        train("whole", options).succeeds();
        assertThat(last("whole", "step").path("tokens").intValue()).isBetween(6, 6 * 2 * 16);
        train("run", options).succeeds();
        Models.delete(folder.resolve("run/checkpoints/step-00000006"));
        Models.delete(folder.resolve("run/final"));
        Cli.run("resume", folder.resolve("run")).succeeds();
        assertThat(folder.resolve("run/final/model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("whole/final/model.safetensors"));
    }

    @Test
    void whatCannotBeMixedIsToldInALine() {
        String code = source("code", ":0.5");
        train("x", "--data", code, "--data", folder.resolve("prose"), "--steps", 1)
                .isWrongUsage("data: code has a name, and " + folder.resolve("prose") + " has none");
        train("x", "--data", code, "--data", source("prose", ""), "--steps", 1)
                .isWrongUsage("data: prose has no weight, and others have");
        train("x", "--data", source("code", ":0"), "--data", source("prose", ":0"), "--steps", 1)
                .isWrongUsage("data: all weights are 0");
        train("x", "--data", source("code", ":-1"), "--data", source("prose", ":1"), "--steps", 1)
                .isWrongUsage("the weight is -1; it must be a number from 0 to 1e9");
        train("x", "--data", code, "--data", code, "--steps", 1).isWrongUsage("data: two sources have one name");
        train("x", "--data", "valid=" + folder.resolve("code"), "--steps", 1)
                .isWrongUsage("valid is what a text of the run is called already");
        train("x", "--data", code, "--data", source("prose", ":1"), "--stage", "2:code=1", "--steps", 1)
                .isWrongUsage("stage 2:code=1: must be SHARE:NAME=WEIGHT");
        train("x", "--data", code, "--data", source("prose", ":1"), "--stage", "0.5:code=1", "--steps", 1)
                .isWrongUsage("stage 0.5:code=1: must give each of code, prose a weight");
        train("x", "--data", code, "--data", source("prose", ":1"), "--stage", "0.5:text=1", "--steps", 1)
                .isWrongUsage("text=1 is no NAME=WEIGHT of a source; they are code, prose");
        train("x", "--data", folder.resolve("code"), "--stage", "0.5:code=1", "--steps", 1)
                .isWrongUsage("stage: data has no sources with names");
        train("x", "--data", folder.resolve("code"), "--exhausted", "stop", "--steps", 1)
                .isWrongUsage("exhausted: data has no sources with names");
        train("x", "--data", code, "--stage", "0.5:code=1", "--exhausted", "renormalise", "--steps", 1)
                .isWrongUsage("weights change by themselves with exhausted: renormalise");
        train("x", "--data", "code=" + folder.resolve("none") + ":1", "--steps", 1)
                .fails("none does not exist");
        assertThat(folder.resolve("x")).doesNotExist();
    }
}
