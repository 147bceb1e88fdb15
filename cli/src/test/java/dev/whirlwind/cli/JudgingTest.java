package dev.whirlwind.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

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
        // What models after the first are told is the same.
        JsonNode against = Cli.run(
                        "eval", "--model", model, other, "--data", "all=" + texts, "--max-windows", 12, "--json")
                .succeeds()
                .json()
                .get("comparisons")
                .get(0);
        for (String figure : List.of("low", "high", "p_value", "significant", "unit")) {
            assertThat(against.get(figure)).as(figure).isEqualTo(all.get(figure));
        }
        assertThat(against.get("difference")).isEqualTo(all.get("change"));
        // One document of 12 windows makes three blocks, by which nothing can be told.
        assertThat(report.get("changes").get(1).get("p_value").isNull()).isTrue();
        assertThat(Cli.run("eval", "--before", model, "--after", model, "--data", "all=" + texts)
                        .succeeds()
                        .out())
                .contains("95 % interval", "+0.00 % to +0.00 %", "documents");
    }

    /** A text whose one byte nothing comes before, and which its end follows. */
    @Test
    void aSingleByteIsNothingToPredict() {
        Path one = Cli.write(temp.resolve("one.txt"), "a");
        String[] says = {"one.txt holds 1 token of text, and no token to predict", "add text"};
        Cli.run("eval", "--model", model, "--data", one).fails(says);
        Cli.run("eval", "--model", model, "--data", one, "--stride", 8).fails(says);
        Cli.run("merge", "--base", model, "--tuned", model, "--sweep", "0,1", "--data", one)
                .fails(says);
        Path run = temp.resolve("run");
        Cli.Result train =
                Cli.run("train", "--model", model, "--data", texts, "--eval", "x=" + one, "--steps", 1, "--out", run);
        assertThat(train.code()).isEqualTo(1);
        assertThat(train.err().lines().filter(line -> line.startsWith("whirlwind: ")))
                .singleElement()
                .asString()
                .contains("no token to predict");
        assertThat(run).doesNotExist();
        // Windows of two tokens that hold a letter and the document's end each.
        Path letters = Cli.write(temp.resolve("letters.jsonl"), "{\"text\":\"a\"}\n".repeat(8));
        Cli.Result separate =
                Cli.run("eval", "--model", model, "--data", letters, "--sequence", 2, "--windows", "separate");
        assertThat(separate.code()).isEqualTo(1);
        assertThat(separate.err()).contains("letters.jsonl has no byte to predict in these windows");
        Cli.run("eval", "--model", model, "--data", letters).succeeds();
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

    @Test
    void runsAreMeasuredOnNamedTexts() throws IOException {
        Path run = temp.resolve("run");
        Path prepared = temp.resolve("prepared");
        Cli.run("prepare", "--model", model, "--data", texts, "--out", prepared, "--held-out", 0.3)
                .succeeds();
        Cli.run(
                        "train",
                        "--model",
                        model,
                        "--data",
                        texts,
                        "--out",
                        run,
                        "--steps",
                        4,
                        "--batch",
                        2,
                        "--eval-every",
                        2,
                        "--eval",
                        "one=" + texts.resolve("text-0.txt"),
                        "--eval",
                        "kept=" + prepared,
                        "--best-by",
                        "one",
                        "--eval-windows",
                        5)
                .succeeds();
        List<JsonNode> evaluations = Files.readAllLines(run.resolve("metrics.jsonl")).stream()
                .map(JsonMapper.shared()::readTree)
                .filter(event -> event.get("event").asString().equals("eval"))
                .toList();
        assertThat(evaluations.stream()
                        .map(e -> e.get("step").asInt() + e.get("name").asString()))
                .containsExactly("0valid", "0one", "0kept", "2valid", "2one", "2kept", "4valid", "4one", "4kept");
        double best = evaluations.stream()
                .filter(e ->
                        e.get("name").asString().equals("one") && e.get("step").asInt() > 0)
                .mapToDouble(e -> e.get("loss").asDouble())
                .min()
                .orElseThrow();
        JsonNode state = JsonMapper.shared()
                .readTree(Files.readString(run.resolve("checkpoints/step-00000004/trainer_state.json")));
        assertThat(state.get("best_loss").asDouble()).isEqualTo(best);
        assertThat(Files.readString(run.resolve("config.yaml")))
                .contains("one=" + texts.resolve("text-0.txt").toAbsolutePath(), "best_by: \"one\"");
        Cli.run("resume", run).succeeds();
    }

    @Test
    void namesOfTextsThatCannotBe() {
        train("--eval", texts).isWrongUsage("--eval", "NAME=PATH");
        train("--eval", "a/b=" + texts).isWrongUsage("--eval", "NAME=PATH");
        train("--eval", "valid=" + texts).isWrongUsage("--eval", "valid", "another name");
        train("--eval", "a=" + texts, "a=" + texts).isWrongUsage("two texts", "a");
        train("--eval", "a=").isWrongUsage("--eval a=", "empty");
        train("--eval", "a=" + texts, "--best-by", "b").isWrongUsage("best_by is b", "valid, a");
        train("--best-by", "a", "--held-out", 0).isWrongUsage("best_by is a", "--eval");
        train("--eval", "a=" + temp.resolve("missing")).fails("missing", "does not exist");
        train("--eval", "a=" + Cli.write(temp.resolve("empty.txt"), "")).fails("empty.txt", "no text");
        assertThat(temp.resolve("run")).doesNotExist();
    }

    private Cli.Result train(Object... more) {
        Object[] args = new Object[9 + more.length];
        System.arraycopy(
                new Object[] {"train", "--model", model, "--data", texts, "--out", temp.resolve("run"), "--steps", "2"},
                0,
                args,
                0,
                9);
        System.arraycopy(more, 0, args, 9, more.length);
        return Cli.run(args);
    }
}
