package dev.whirlwind.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.GoldenCases;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** What commands print for scripts. */
class CommandsTest {
    @TempDir
    Path temp;

    @Test
    void everyCommandHasHelp() {
        // Picocli warns there of texts that it cannot format.
        ByteArrayOutputStream warnings = new ByteArrayOutputStream();
        PrintStream err = System.err;
        System.setErr(new PrintStream(warnings, true, StandardCharsets.UTF_8));
        try {
            for (String command : List.of(
                    "demo",
                    "init",
                    "prepare",
                    "train",
                    "resume",
                    "lr-find",
                    "fisher",
                    "teach",
                    "eval",
                    "generate",
                    "parity",
                    "compare",
                    "bench",
                    "devices")) {
                Cli.Result result = Cli.run(command, "--help").succeeds();
                assertThat(result.out()).startsWith("Usage: whirlwind " + command);
            }
        } finally {
            System.setErr(err);
        }
        assertThat(warnings.toString(StandardCharsets.UTF_8)).isEmpty();
        assertThat(Cli.run("train", "--help").out())
                .contains("--min-lr", "--replay-fraction", "--save-dtype")
                .contains("Default: 1e-4.")
                .containsSubsequence("Data\n", "--model", "Schedule\n", "--lr", "Engine\n", "--threads")
                .doesNotContain("eval-batches");
    }

    @Test
    void lrFind() {
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        Path page = temp.resolve("pages/rates.html");
        Object[] command = {
            "lr-find",
            "--model",
            model,
            "--data",
            texts,
            "--steps",
            40,
            "--batch",
            2,
            "--engine",
            "cpu",
            "--report",
            page
        };
        Object[] json = Arrays.copyOf(command, command.length + 1);
        json[command.length] = "--json";
        JsonNode result = Cli.run(json).succeeds().json();
        assertThat(result.propertyNames()).containsExactly("points", "steepest", "lowest", "suggested");
        assertThat(result.path("points").path(0).path("lr").doubleValue()).isEqualTo(1e-7);
        assertThat(result.path("points").path(0).path("loss").doubleValue()).isBetween(5.0, 6.0);
        assertThat(result.path("suggested").doubleValue()).isBetween(1e-5, 0.1);
        Cli.Result again = Cli.run(command).succeeds();
        assertThat(again.out()).contains("suggested: --lr ");
        assertThat(again.err()).contains("the curve is in " + page);
        assertThat(page)
                .content()
                .contains("<title>Learning rates</title>", "data-logarithmic", "suggested ", "class=\"mark\"");
        Cli.write(temp.resolve("notes.html"), "mine");
        Cli.run("lr-find", "--model", model, "--data", texts, "--report", temp.resolve("notes.html"))
                .fails("notes.html: is there, and no report; give --report another file");
        Cli.run("lr-find", "--model", model, "--data", texts, "--from", 1, "--to", 0.1)
                .isWrongUsage("--to is 0.1; it must be above --from");
    }

    @Test
    void parity() {
        JsonNode json = Cli.run("parity", GoldenCases.folder("llama"), "--engine", "cpu", "--json")
                .succeeds()
                .json();
        assertThat(json.propertyNames())
                .startsWith(
                        "case",
                        "engine",
                        "pass",
                        "loss",
                        "logits",
                        "gradients",
                        "trajectory",
                        "final_parameters",
                        "perplexity");
        assertThat(json.path("case").stringValue()).isEqualTo("llama");
        assertThat(json.path("pass").booleanValue()).isTrue();
        assertThat(json.path("loss").propertyNames()).containsExactly("expected", "actual", "relative_error");
        assertThat(json.path("logits").path("max_abs_error").doubleValue()).isBetween(1e-12, 1e-4);
        assertThat(json.path("gradients").propertyNames()).containsExactly("max_relative_error", "worst");
        assertThat(json.path("trajectory").propertyNames())
                .containsExactly("steps", "max_loss_error", "max_grad_norm_relative_error");
        assertThat(json.path("final_parameters").path("max_abs_error").doubleValue())
                .isLessThan(1e-5);
        assertThat(json.path("perplexity").propertyNames()).containsExactly("expected", "actual");
    }

    @Test
    void benchOfGeneration() {
        JsonNode json = Cli.run(
                        "bench",
                        "--generation",
                        "--model",
                        "byte-tiny",
                        "--sequence",
                        "3",
                        "--steps",
                        "4",
                        "--engine",
                        "cpu",
                        "--json")
                .succeeds()
                .json();
        double seconds = json.path("token_ms").path("median").doubleValue() * 1e-3;
        assertThat(json.path("tokens_per_second").doubleValue()).isCloseTo(1 / seconds, within(1e-6 / seconds));
        // The matrices of a tied model are all its parameters but 9 norms of 256; the cache holds 2 x 4 x 256 a token.
        double floats = 3_229_952 - 9 * 256 + 2 * 4 * 256 * 5;
        assertThat(json.path("gb_per_second").doubleValue() * seconds).isCloseTo(4e-9 * floats, within(1e-12));
        assertThat(json.path("read_share").doubleValue()
                        * json.path("memory").path("read").doubleValue())
                .isCloseTo(json.path("gb_per_second").doubleValue(), within(1e-9));
    }

    @Test
    void bench() {
        JsonNode json = Cli.run(
                        "bench",
                        "--model",
                        "byte-tiny",
                        "--batch",
                        "1",
                        "--sequence",
                        "5",
                        "--steps",
                        "2",
                        "--engine",
                        "cpu",
                        "--json")
                .succeeds()
                .json();
        assertThat(json.propertyNames())
                .startsWith("engine", "device", "model", "parameters", "batch", "sequence", "step_ms")
                .contains("tokens_per_second", "gflops", "peak_gflops", "peak_rss_mib", "memory", "operations")
                .contains("first_step_seconds", "traffic");
        assertThat(json.path("first_step_seconds").doubleValue() * 1e3)
                .isGreaterThan(json.path("step_ms").path("min").doubleValue());
        assertThat(json.path("memory").propertyNames()).containsExactly("copy", "read");
        JsonNode step = json.path("step_ms");
        assertThat(step.path("median").doubleValue())
                .isBetween(step.path("min").doubleValue(), step.path("max").doubleValue());
        assertThat(json.path("tokens_per_second").doubleValue())
                .isCloseTo(5e3 / step.path("median").doubleValue(), within(1e-6));
        assertThat(json.path("peak_gflops").doubleValue())
                .isGreaterThan(json.path("gflops").doubleValue());
        assertThat(json.path("operations"))
                .anyMatch(row -> row.path("operation").stringValue().equals("headLossBackward"));
    }

    @Test
    void benchOfAConfigHasRandomWeights() throws IOException {
        Path config = Files.writeString(temp.resolve("shape.json"), Cli.TINY);
        JsonNode json = Cli.run(
                        "bench",
                        "--model",
                        config,
                        "--batch",
                        1,
                        "--sequence",
                        5,
                        "--steps",
                        1,
                        "--engine",
                        "cpu",
                        "--json")
                .succeeds()
                .json();
        assertThat(json.path("parameters").intValue()).isBetween(8000, 20000);
    }

    @Test
    void benchOfProducts() {
        JsonNode json = Cli.run("bench", "--products", "8,33", "--steps", "2", "--engine", "cpu", "--json")
                .succeeds()
                .json();
        assertThat(json.path("products")).hasSize(6);
        JsonNode last = json.path("products").path(5);
        assertThat(last.path("size").intValue()).isEqualTo(33);
        assertThat(last.path("operation").stringValue()).isEqualTo("linearBackwardWeight");
        double gflops = last.path("gflops").doubleValue();
        assertThat(gflops * last.path("ms").doubleValue()).isCloseTo(2e-6 * 33 * 33 * 33, within(1e-12));
        assertThat(last.path("peak_share").doubleValue()
                        * json.path("peak_gflops").doubleValue())
                .isCloseTo(gflops, within(1e-9));
        Cli.run("bench", "--products", "0").isWrongUsage("--products is 0");
    }

    @Test
    void evaluatesModelsSideBySide() {
        Path a = Cli.model(temp.resolve("a"));
        Path b = temp.resolve("b");
        Cli.run("init", "--config", temp.resolve("tiny.json"), "--out", b, "--seed", "99")
                .succeeds();
        Path texts = Cli.texts(temp.resolve("texts"));
        Cli.Result result =
                Cli.run("eval", "--model", a, b, "--data", texts, "--json").succeeds();
        assertThat(result.json().propertyNames()).containsExactly("results", "comparisons");
        JsonNode first = result.json().path("results").path(0);
        assertThat(first.propertyNames())
                .containsExactly("model", "data", "tokens", "predicted", "mean_nll", "perplexity", "bits_per_byte");
        assertThat(first.path("predicted").longValue())
                .isEqualTo(first.path("tokens").longValue() - 1);
        double nll = first.path("mean_nll").doubleValue();
        assertThat(nll).isCloseTo(Math.log(256), within(0.3));
        assertThat(first.path("perplexity").doubleValue()).isCloseTo(Math.exp(nll), within(1e-9));
        assertThat(result.json().path("results")).hasSize(2);
        assertThat(result.json().path("comparisons")).hasSize(1);
        JsonNode comparison = result.json().path("comparisons").path(0);
        assertThat(comparison.path("unit").stringValue()).isEqualTo("documents");
        assertThat(comparison.path("parts").intValue()).isEqualTo(10);
        assertThat(comparison.path("p_value").doubleValue()).isBetween(0.0, 1.0);
        // Bytes are tokens here; the first byte, and the ends of the ten documents, are not counted.
        assertThat(first.path("bits_per_byte").doubleValue())
                .isCloseTo(
                        nll
                                / Math.log(2)
                                * first.path("predicted").doubleValue()
                                / (first.path("predicted").doubleValue() - 10),
                        within(1e-9));
        assertThat(Cli.run("eval", "--model", a, "--data", texts).succeeds().out())
                .startsWith("model")
                .contains("perplexity");
    }

    @Test
    void aPartOfATextIsTheSamePartForEveryBatch() {
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        Object[] eval = {"eval", "--model", model, "--data", texts, "--sequence", "16", "--json"};
        JsonNode one = row(eval, "--max-windows", "16", "--batch", "1");
        JsonNode seven = row(eval, "--max-windows", "16", "--batch", "7");
        assertThat(one.path("predicted").longValue()).isEqualTo(16 * 16);
        assertThat(seven.path("predicted").longValue()).isEqualTo(16 * 16);
        assertThat(seven.path("tokens")).isEqualTo(one.path("tokens"));
        assertThat(seven.path("mean_nll").doubleValue())
                .isCloseTo(one.path("mean_nll").doubleValue(), within(1e-6));
        assertThat(row(eval, "--batches", "2")).isEqualTo(row(eval, "--max-windows", "16"));
        assertThat(one.path("mean_nll")).isNotEqualTo(row(eval).path("mean_nll"));
    }

    private static JsonNode row(Object[] command, Object... more) {
        Object[] all = Arrays.copyOf(command, command.length + more.length);
        System.arraycopy(more, 0, all, command.length, more.length);
        return Cli.run(all).succeeds().json().path("results").path(0);
    }

    @Test
    void tooLittleTextTellsNothing() {
        Path a = Cli.model(temp.resolve("a"));
        Path text = Cli.write(temp.resolve("one.txt"), "A single short text.");
        Cli.Result result = Cli.run("eval", "--model", a, a, "--data", text).succeeds();
        assertThat(result.out()).contains("no significant difference");
        Path b = temp.resolve("b");
        Cli.run("init", "--config", temp.resolve("tiny.json"), "--out", b, "--seed", "99")
                .succeeds();
        result = Cli.run("eval", "--model", a, b, "--data", text).succeeds();
        assertThat(result.out()).contains("p unknown", "evaluate on more text");
        JsonNode comparison = Cli.run("eval", "--model", a, b, "--data", text, "--json")
                .json()
                .path("comparisons")
                .path(0);
        assertThat(comparison.path("p_value").isNull()).isTrue();
        assertThat(comparison.path("low").isNull()).isTrue();
        assertThat(comparison.path("significant").booleanValue()).isFalse();
    }

    @Test
    void preparedTextIsTheSameText() {
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        Path prepared = temp.resolve("prepared");
        JsonNode summary = Cli.run(
                        "prepare", "--model", model, "--data", texts, "--out", prepared, "--held-out", "0", "--json")
                .succeeds()
                .json();
        JsonNode raw =
                Cli.run("eval", "--model", model, "--data", texts, "--json").json();
        JsonNode shards = Cli.run("eval", "--model", model, "--data", prepared, "--split", "train", "--json")
                .json();
        assertThat(summary.path("train").path("documents").intValue()).isEqualTo(10);
        assertThat(shards.path("results").path(0).path("mean_nll"))
                .isEqualTo(raw.path("results").path(0).path("mean_nll"));
    }

    @Test
    void generatesTheSameTextForTheSameSeed() {
        Path model = Cli.model(temp.resolve("model"));
        Object[] args = {"generate", "--model", model, "--prompt", "Ab", "--max-tokens", "20", "--json"};
        JsonNode one = Cli.run(args).succeeds().json();
        assertThat(Cli.run(args).json().path("text")).isEqualTo(one.path("text"));
        assertThat(one.path("tokens").intValue()).isBetween(1, 20);
        assertThat(Cli.run("generate", "--model", model, "--prompt", "Ab", "--max-tokens", "20")
                        .out())
                .isEqualTo(one.path("text").stringValue() + System.lineSeparator());
    }

    @Test
    void tokenizerOfAModelFolder() {
        Path tokenizer = Path.of("../data/src/test/resources/tokenizers/qwen2");
        Path model = temp.resolve("model");
        Cli.run(
                        "init",
                        "--config",
                        Cli.write(
                                temp.resolve("c.json"),
                                Cli.TINY.replace("\"vocab_size\": 256", "\"vocab_size\": 2048")),
                        "--tokenizer",
                        tokenizer,
                        "--out",
                        model)
                .succeeds();
        assertThat(model.resolve("tokenizer.json")).hasSameBinaryContentAs(tokenizer.resolve("tokenizer.json"));
        Path texts = Cli.texts(temp.resolve("texts"));
        Cli.Result result = Cli.run("eval", "--model", model, "--data", texts, "--engine", "cpu", "--json");
        JsonNode row = result.succeeds().json().path("results").path(0);
        assertThat(row.path("mean_nll").doubleValue()).isCloseTo(Math.log(2048), within(0.5));
        assertThat(row.path("tokens").longValue())
                .isLessThan(texts.resolve("text-1.txt").toFile().length() * 10);
    }

    @Test
    void devices() {
        JsonNode json = Cli.run("devices", "--json").succeeds().json();
        assertThat(json.path("engines").path(0).path("name").stringValue()).isEqualTo("cpu");
        assertThat(json.path("engines").path(0).path("usable").booleanValue()).isTrue();
    }
}
