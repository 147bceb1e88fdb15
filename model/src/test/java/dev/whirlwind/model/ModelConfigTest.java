package dev.whirlwind.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a key that is left out means, as in the configuration classes of {@code transformers} 5. */
class ModelConfigTest {
    private static ModelConfig parse(String type, String more) {
        String sizes = type.equals("gpt2")
                ? ""
                : ", \"vocab_size\": 300, \"hidden_size\": 128, \"intermediate_size\": 64, \"num_hidden_layers\": 3,"
                        + " \"num_attention_heads\": 32";
        String json = "{\"model_type\": \"" + type + "\"" + sizes + (more.isEmpty() ? "" : ", " + more) + "}";
        return ModelConfig.parse(json.getBytes(StandardCharsets.UTF_8), "config.json");
    }

    @Test
    void gpt2() {
        ModelConfig config = parse("gpt2", "");
        assertThat(config.vocabularySize()).isEqualTo(50257);
        assertThat(config.maxPositions()).isEqualTo(1024);
        assertThat(config.hiddenSize()).isEqualTo(768);
        assertThat(config.intermediateSize()).isEqualTo(3072);
        assertThat(config.layers()).isEqualTo(12);
        assertThat(config.heads()).isEqualTo(12);
        assertThat(config.kvHeads()).isEqualTo(12);
        assertThat(config.headDim()).isEqualTo(64);
        assertThat(config.normEps()).isEqualTo(1e-5f);
        assertThat(config.initializerRange()).isEqualTo(0.02f);
        assertThat(List.of(config.embeddingDropout(), config.attentionDropout(), config.residualDropout()))
                .containsOnly(0.1f);
        assertThat(config.activation()).isEqualTo(Activation.BY_NAME.get("gelu_new"));
        assertThat(config.tied() && config.qkvBias() && config.outBias() && config.mlpBias())
                .isTrue();
        assertThat(config.rope()).isNull();
        assertThat(config.attentionLayers()).containsExactly(new AttentionLayer(0, 64));
        assertThat(parse("gpt2", "\"scale_attn_weights\": false").attentionLayers())
                .containsExactly(new AttentionLayer(0, 1));
        assertThat(parse("gpt2", "\"scale_attn_by_inverse_layer_idx\": true, \"n_layer\": 3")
                        .attentionLayers())
                .containsExactly(new AttentionLayer(0, 64), new AttentionLayer(0, 256), new AttentionLayer(0, 576));
    }

    @ParameterizedTest
    @CsvSource({
        "llama, 2048, 32, 4, false",
        "mistral, 131072, 8, 4, false",
        "qwen2, 32768, 32, 4, true",
        "qwen3, 32768, 32, 128, false"
    })
    void theOthers(String type, int positions, int kvHeads, int headDim, boolean qkvBias) {
        ModelConfig config = parse(type, "");
        assertThat(config.maxPositions()).isEqualTo(positions);
        assertThat(config.kvHeads()).isEqualTo(kvHeads);
        assertThat(config.headDim()).isEqualTo(headDim);
        assertThat(config.qkvBias()).isEqualTo(qkvBias);
        assertThat(config.outBias() || config.mlpBias() || config.tied()).isFalse();
        assertThat(config.queryKeyNorm()).isEqualTo(type.equals("qwen3"));
        assertThat(config.normEps()).isEqualTo(1e-6f);
        assertThat(config.initializerRange()).isEqualTo(0.02f);
        assertThat(List.of(config.embeddingDropout(), config.attentionDropout(), config.residualDropout()))
                .containsOnly(0f);
        assertThat(config.activation()).isEqualTo(Activation.BY_NAME.get("silu"));
        assertThat(config.rope().theta()).isEqualTo(10_000);
        int window = type.equals("mistral") ? 4096 : 0;
        assertThat(config.attentionLayers()).containsExactly(new AttentionLayer(window, headDim));
        assertThat(parse(type, "\"num_key_value_heads\": null").kvHeads()).isEqualTo(32);
    }

    @ParameterizedTest
    @CsvSource({"llama, true, true", "mistral, false, false", "qwen2, false, false", "qwen3, true, false"})
    void biasesOfThoseThatMayHaveThem(String type, boolean attention, boolean mlp) {
        ModelConfig config = parse(type, "\"attention_bias\": true, \"mlp_bias\": true");
        assertThat(config.qkvBias()).isEqualTo(attention || type.equals("qwen2"));
        assertThat(config.outBias()).isEqualTo(attention);
        assertThat(config.mlpBias()).isEqualTo(mlp);
    }

    @Test
    void headsThatDoNotDivideTheWidth() {
        String heads = "\"num_attention_heads\": 24, \"num_key_value_heads\": 24";
        for (String type : new String[] {"llama", "mistral", "qwen2"}) {
            assertThatThrownBy(() -> parse(type, heads))
                    .isInstanceOf(UserException.class)
                    .hasMessageContaining("hidden_size 128 is not a multiple of num_attention_heads 24");
            assertThat(parse(type, heads + ", \"head_dim\": 6").headDim()).isEqualTo(6);
        }
        assertThat(parse("qwen3", heads).headDim()).isEqualTo(128);
    }

    @Test
    void theFirstOfSeveralEnds() {
        ModelConfig config = parse("llama", "\"bos_token_id\": 3, \"eos_token_id\": [5, 6]");
        assertThat(config.bosToken()).isEqualTo(3);
        assertThat(config.eosToken()).isEqualTo(5);
        assertThat(parse("llama", "\"eos_token_id\": null").eosToken()).isEqualTo(-1);
    }

    @ParameterizedTest
    @CsvSource({"64, 1.224744871391589", "16, 1"})
    void longRope(int positions, double attentionFactor) {
        String rope =
                "\"max_position_embeddings\": " + positions + ", \"rope_parameters\": {\"rope_type\": \"longrope\","
                        + " \"original_max_position_embeddings\": 16, \"short_factor\": [1, 1], \"long_factor\": [2, 2]}";
        // sqrt(1 + ln 4 / ln 16) for four times as many positions.
        assertThat(parse("llama", rope).rope().scaling().attentionFactor()).isCloseTo(attentionFactor, within(1e-12));
        for (String bad : new String[] {"0", "-1"}) {
            assertThatThrownBy(() -> parse("llama", rope.replace("[2, 2]", "[2, " + bad + "]")))
                    .isInstanceOf(UserException.class)
                    .hasMessageContaining("long_factor");
        }
    }
}
