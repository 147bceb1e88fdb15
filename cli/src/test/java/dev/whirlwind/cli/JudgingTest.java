package dev.whirlwind.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** {@code eval} of named texts, before and after, by heart, and in the training text. */
class JudgingTest {
    @TempDir
    Path temp;

    private Path model;
    private Path texts;

    @BeforeEach
    void make() {
        model = Cli.model(temp.resolve("model"));
        texts = Cli.texts(temp.resolve("texts"));
    }

    @Test
    void textsHaveNames() {
        JsonNode results = Cli.run(
                        "eval",
                        "--model",
                        model,
                        "--data",
                        "code=" + texts,
                        "--data",
                        "prose=" + texts.resolve("text-0.txt"),
                        "--json")
                .succeeds()
                .json()
                .get("results");
        assertThat(results.valueStream().map(r -> r.get("data").asString())).containsExactly("code", "prose");
        Cli.run("eval", "--model", model, "--data", "a=" + texts, "a=" + texts).isWrongUsage("--data", "one name");
        Cli.run("eval", "--model", model, "--data", "a=").isWrongUsage("--data a=", "empty");
        Path single = Cli.write(temp.resolve("single.txt"), "");
        Cli.run("eval", "--model", model, "--data", "a=" + single).fails("single.txt", "no text");
    }

    @Test
    void beforeAndAfterByDocuments() {
        Path other = temp.resolve("other");
        Cli.run("init", "--config", temp.resolve("tiny.json"), "--seed", 9, "--out", other)
                .succeeds();
        JsonNode report = Cli.run(
                        "eval",
                        "--before",
                        model,
                        "--after",
                        other,
                        "--data",
                        "all=" + texts,
                        "one=" + texts.resolve("text-0.txt"),
                        "--max-windows",
                        12,
                        "--json")
                .succeeds()
                .json();
        JsonNode all = report.get("changes").get(0);
        double difference = report.get("results").get(2).get("mean_nll").asDouble()
                - report.get("results").get(0).get("mean_nll").asDouble();
        assertThat(all.get("data").asString()).isEqualTo("all");
        assertThat(all.get("change").asDouble()).isCloseTo(difference, within(1e-9));
        assertThat(all.get("low").asDouble()).isLessThanOrEqualTo(difference);
        assertThat(all.get("high").asDouble()).isGreaterThanOrEqualTo(difference);
        assertThat(all.get("unit").asString()).isEqualTo("documents");
        assertThat(all.get("before").get("perplexity").asDouble())
                .isEqualTo(report.get("results").get(0).get("perplexity").asDouble());
        // One document of 12 windows makes three blocks, by which nothing can be told.
        assertThat(report.get("changes").get(1).get("p_value").isNull()).isTrue();
        assertThat(Cli.run("eval", "--before", model, "--after", model, "--data", "all=" + texts)
                        .succeeds()
                        .out())
                .contains("95 % interval", "+0.00 % to +0.00 %", "documents");
    }

    @Test
    void knownByHeart() {
        Path folder = Path.of(JudgingTest.class.getResource("/tasks/model").getPath());
        String prompt = "the cat sat of stone under the c";
        JsonNode went = Cli.run(
                        "generate",
                        "--model",
                        folder,
                        "--prompt",
                        prompt,
                        "--temperature",
                        0,
                        "--max-tokens",
                        32,
                        "--json")
                .succeeds()
                .json();
        String known = prompt + went.get("text").asString();
        assertThat(known).hasSize(64);
        Path text = Cli.write(temp.resolve("known/a.txt"), known);
        Cli.write(temp.resolve("known/b.txt"), known.substring(0, 63) + "#");
        Cli.write(temp.resolve("known/c.txt"), known + known.substring(0, 40));
        JsonNode found = Cli.run("eval", "--model", folder, "--memorised", text.getParent(), "--json")
                .succeeds()
                .json()
                .get("memorised")
                .get(0);
        assertThat(found.get("passages").asInt()).isEqualTo(3);
        assertThat(found.get("exact").asInt()).isEqualTo(2);
        assertThat(found.get("mean_tokens").asDouble()).isCloseTo((32 + 31 + 32) / 3.0, within(1e-9));
        Path brief = Cli.write(temp.resolve("brief.txt"), "too short");
        Cli.run("eval", "--model", folder, "--memorised", brief).fails("brief.txt", "64 tokens");
        Cli.run("eval", "--model", model, "--memorised", text).fails("32 positions");
    }

    @Test
    void foundInTheTrainingText() {
        JsonNode found = Cli.run(
                        "eval",
                        "--model",
                        model,
                        "--data",
                        "seen=" + texts.resolve("text-0.txt"),
                        "--max-windows",
                        2,
                        "--contamination",
                        texts,
                        "--json")
                .succeeds()
                .json()
                .get("contamination")
                .get(0);
        assertThat(found.get("data").asString()).isEqualTo("seen");
        assertThat(found.get("duplicates").asInt()).isEqualTo(1);
        assertThat(found.get("share").asDouble()).isEqualTo(1);
        Path empty = Cli.write(temp.resolve("empty.txt"), "");
        Cli.run("eval", "--model", model, "--data", texts, "--contamination", empty)
                .fails("empty.txt", "no text");
        Cli.run("eval", "--model", model, "--contamination", texts).isWrongUsage("--data");
    }
}
