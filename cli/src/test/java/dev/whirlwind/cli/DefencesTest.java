package dev.whirlwind.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.model.safetensors.SafetensorsFile;
import java.nio.file.Path;
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
        Object[] common = {
            "train",
            "--model",
            model,
            "--data",
            texts,
            "--out",
            folder.resolve(out),
            "--steps",
            3,
            "--batch",
            2,
            "--sequence",
            16,
            "--engine",
            "cpu",
            "--threads",
            1
        };
        Object[] all = new Object[common.length + options.length];
        System.arraycopy(common, 0, all, 0, common.length);
        System.arraycopy(options, 0, all, common.length, options.length);
        return Cli.run(all);
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
        train("none", "--ewc-weight", 2).isWrongUsage("ewc_weight is 2.0; it must be left out where there is no ewc");
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
}
