package dev.whirlwind.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.model.GoldenCases;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

class CompareTest {
    /** Dropout and accumulation on: the engines draw the same masks, or the losses would part at once. */
    @Test
    void enginesAgree() {
        JsonNode json = Cli.run(
                        "compare",
                        "--engines",
                        "cpu,loops",
                        "--model",
                        GoldenCases.folder("qwen3"),
                        "--batch",
                        2,
                        "--sequence",
                        17,
                        "--steps",
                        12,
                        "--dropout",
                        0.2,
                        "--json")
                .succeeds()
                .json();
        assertThat(json.path("a").path("engine").stringValue()).isEqualTo("cpu");
        assertThat(json.path("b").path("losses")).hasSize(12);
        assertThat(json.path("max_loss_difference").doubleValue()).isBetween(1e-12, 1e-5);
        assertThat(json.path("max_grad_norm_relative_difference").doubleValue()).isBetween(1e-12, 1e-4);
        assertThat(json.path("a").path("tokens_per_second").doubleValue()).isPositive();
    }

    @Test
    void needsTwoEngines() {
        Cli.run("compare", "--engines", "cpu").fails("two engines");
    }
}
