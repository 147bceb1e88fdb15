package dev.whirlwind.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ContextExtensionTest {
    private static ModelConfig llama(String more) {
        String json = "{\"model_type\": \"llama\", \"vocab_size\": 61, \"hidden_size\": 24, \"intermediate_size\": 40,"
                + "\"num_hidden_layers\": 1, \"num_attention_heads\": 2, \"max_position_embeddings\": 100" + more + "}";
        return ModelConfig.parse(json.getBytes(StandardCharsets.UTF_8), "test");
    }

    @Test
    void positionsGrowAndRotationsAreScaled() {
        ModelConfig yarn = ContextExtension.of(llama(", \"rope_theta\": 500.0"), "yarn:4");
        assertThat(yarn.maxPositions()).isEqualTo(400);
        assertThat(yarn.rope().theta()).isEqualTo(500);
        assertThat(yarn.rope().scaling()).isEqualTo(new RopeScaling.Yarn(4, 100, 32, 1, true, 0.1 * Math.log(4) + 1));
        assertThat(yarn.json().path("rope_scaling").toString())
                .isEqualTo("{\"rope_type\":\"yarn\",\"factor\":4.0,\"original_max_position_embeddings\":100}");
        assertThat(ContextExtension.of(llama(""), "linear:2.5").rope().scaling())
                .isEqualTo(new RopeScaling.Linear(2.5));
        assertThat(ContextExtension.of(llama(""), "linear:2.5").maxPositions()).isEqualTo(250);
        assertThat(ContextExtension.of(llama(""), "llama3:8").rope().scaling())
                .isEqualTo(new RopeScaling.Llama3(8, 1, 4, 100));
    }

    /** Dynamic scaling begins at the positions that the configuration has. */
    @Test
    void dynamicScalingKeepsThePositions() {
        ModelConfig dynamic = ContextExtension.of(llama(""), "dynamic:2");
        assertThat(dynamic.maxPositions()).isEqualTo(100);
        assertThat(dynamic.rope().scaling()).isEqualTo(new RopeScaling.Dynamic(2, 100));
        dynamic.requirePositions(5000);
    }

    /** The newer form of config.json, with the base among the parameters. */
    @Test
    void theNewFormIsKept() {
        ModelConfig yarn = ContextExtension.of(
                llama(", \"rope_parameters\": {\"rope_theta\": 700.0, \"rope_type\": \"default\"}"), "yarn:2");
        assertThat(yarn.rope().theta()).isEqualTo(700);
        assertThat(yarn.rope().scaling()).isInstanceOf(RopeScaling.Yarn.class);
        assertThat(yarn.json().has("rope_scaling")).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"yarn", "yarn:", "yarn:1", "yarn:x", "yarn:NaN", "longrope:4", "spin:2", "yarn:1e12", ":4"})
    void whatIsNoScalingIsRefused(String scaling) {
        assertThatThrownBy(() -> ContextExtension.of(llama(""), scaling))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("rope_scaling is \"" + scaling + "\"")
                .message()
                .hasLineCount(1);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                ", \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 2} | scaled already",
                ", \"model_type\": \"gpt2\", \"n_embd\": 12, \"n_layer\": 1, \"n_head\": 2, \"n_positions\": 8 | are learned"
            })
    void modelsThatCannotBeAreRefused(String more, String said) {
        assertThatThrownBy(() -> ContextExtension.of(llama(more), "yarn:4"))
                .isInstanceOf(UserException.class)
                .hasMessageContaining(said);
    }
}
