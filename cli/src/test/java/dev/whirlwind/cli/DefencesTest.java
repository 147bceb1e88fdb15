package dev.whirlwind.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.safetensors.SafetensorsFile;
import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.metrics.Metrics;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** What a model is held to against forgetting, from the command line. */
class DefencesTest {
    @TempDir
    private static Path folder;

    private static Path model;
    private static Path texts;

    @BeforeAll
    static void model() {
        model = Cli.model(folder.resolve("model"));
        texts = Cli.texts(folder.resolve("texts"));
    }

    private static Cli.Result train(String out, Object... options) {
        Object[] common = {"train", "--model", model, "--out", folder.resolve(out), "--steps", 3, "--batch", 2};
        Object[] small = with(common, "--sequence", 16, "--engine", "cpu", "--threads", 1);
        Object[] data = Arrays.asList(options).contains("--data") ? new Object[0] : new Object[] {"--data", texts};
        return Cli.run(with(with(small, data), options));
    }

    @Test
    void fisherAndElasticWeights() {
        Path file = folder.resolve("f.safetensors");
        JsonNode result = Cli.run(
                        "fisher",
                        "--model",
                        model,
                        "--data",
                        texts,
                        "--out",
                        file,
                        "--sequences",
                        5,
                        "--sequence",
                        16,
                        "--json")
                .succeeds()
                .json();
        assertThat(result.path("sequences").intValue()).isEqualTo(5);
        assertThat(result.path("mean_nll").doubleValue()).isBetween(5.0, 7.0);
        try (SafetensorsFile fisher = SafetensorsFile.open(file)) {
            assertThat(fisher.metadata()).containsEntry("sequences", "5").containsEntry("tokens", "80");
        }
        Cli.run("fisher", "--model", model, "--data", texts, "--out", file).fails("f.safetensors exists already");

        assertThat(train("elastic", "--ewc", file, "--ewc-weight", 100)
                        .succeeds()
                        .err())
                .doesNotContain("estimated for other weights");
        Cli.run("resume", folder.resolve("elastic"), "--ewc-weight", 10)
                .fails("ewc_weight was 100.0 and is 10.0", "--change");
        train("none", "--ewc-weight", 2).isWrongUsage("ewc_weight only has an effect with ewc; give that, too");
        train("none", "--ewc", folder.resolve("gone")).fails("gone: ");
        train("none", "--ewc", model.resolve("model.safetensors")).fails("which no mean of squares is");
        assertThat(folder.resolve("none")).doesNotExist();
    }

    @Test
    void noiseByItsNameElsewhere() {
        assertThat(train("noise", "--neftune_noise_alpha", 5).succeeds().err())
                .contains("neftune_noise_alpha as neftune");
        Cli.run("resume", folder.resolve("noise"), "--neftune", 0).fails("neftune was 5.0 and is 0.0");
    }

    /** From the model itself at first; what was kept is found whatever the order, and goes with the run. */
    @Test
    void aKeptTeacher() {
        Path tokens = folder.resolve("tokens");
        Cli.run("prepare", "--model", model, "--data", texts, "--out", tokens).succeeds();
        Path cache = folder.resolve("cache");
        JsonNode result = Cli.run(
                        "teach",
                        "--model",
                        model,
                        "--data",
                        tokens,
                        "--out",
                        cache,
                        "--top-k",
                        7,
                        "--sequence",
                        16,
                        "--json")
                .succeeds()
                .json();
        assertThat(result.path("top_k").intValue()).isEqualTo(7);
        Cli.run("teach", "--model", model, "--data", texts, "--out", folder.resolve("t"))
                .fails("is not a prepared folder");
        Cli.run("teach", "--model", model, "--data", tokens, "--out", folder.resolve("t"), "--top-k", 256)
                .isWrongUsage("--top-k is 256; the model has 256 tokens");

        Object[] same = {"--data", tokens, "--distill", 0.5, "--dropout", 0, "--eval-every", 0};
        train("cached", with(same, "--teacher-cache", cache)).succeeds();
        train("live", with(same, "--teacher", model)).succeeds();
        // A teacher that the run starts from: the first gradients differ by what top-k leaves out only.
        assertThat(norm("cached")).isCloseTo(norm("live"), within(1e-3));
        Cli.run("resume", folder.resolve("cached"), "--steps", 4, "--change").succeeds();

        train("none", with(same, "--teacher-cache", cache, "--temperature", 1))
                .fails("was made with a temperature of 2.0, the run has 1.0");
        // The same tokens, made anew.
        train("anew", "--teacher-cache", cache).succeeds();
        Cli.Result other = train("none", "--teacher-cache", cache, "--held-out", 0.4);
        assertThat(other.code()).isEqualTo(1);
        assertThat(other.err()).contains("cache was made for other tokens");
        train("none", "--teacher-cache", cache, "--teacher", model)
                .isWrongUsage("it must be left out where there is a teacher");
        assertThat(folder.resolve("none")).doesNotExist();
    }

    private static Object[] with(Object[] options, Object... more) {
        return Stream.concat(Arrays.stream(options), Arrays.stream(more)).toArray();
    }

    private static double norm(String run) {
        return Metrics.story(folder.resolve(run).resolve("metrics.jsonl")).events().stream()
                .filter(Event.Step.class::isInstance)
                .map(Event.Step.class::cast)
                .findFirst()
                .orElseThrow()
                .gradNorm();
    }
}
