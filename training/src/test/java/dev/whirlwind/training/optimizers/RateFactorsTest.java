package dev.whirlwind.training.optimizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.UserException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RateFactorsTest {
    private static final ParameterLayout LLAMA = layout("""
            {"model_type": "llama", "vocab_size": 20, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 12,
             "num_attention_heads": 2, "max_position_embeddings": 16, "tie_word_embeddings": false}""");

    private static final ParameterLayout GPT2 = layout("""
            {"model_type": "gpt2", "vocab_size": 20, "n_embd": 8, "n_layer": 3, "n_head": 2, "n_positions": 16}""");

    private static ParameterLayout layout(String json) {
        return new ParameterLayout(ModelConfig.parse(json.getBytes(StandardCharsets.UTF_8), "test"));
    }

    @ParameterizedTest
    @CsvSource({
        "embed*, model.embed_tokens.weight, true",
        "embed*, model.layers.0.mlp.up_proj.weight, false",
        "embed, model.embed_tokens.weight, false",
        "q_proj, model.layers.0.self_attn.q_proj.weight, true",
        "layers.[0-3].*, model.layers.3.mlp.up_proj.weight, true",
        "layers.[0-3].*, model.layers.4.mlp.up_proj.weight, false",
        "layers.1, model.layers.1.mlp.up_proj.weight, true",
        "layers.1, model.layers.11.mlp.up_proj.weight, false",
        "'{q,k}_proj', model.layers.1.self_attn.k_proj.weight, true",
        "'{q,k}_proj', model.layers.1.self_attn.v_proj.weight, false",
        "*, lm_head.weight, true",
        "model.layers.7.mlp.up_proj.weight, model.layers.7.mlp.up_proj.weight, true",
        "h.?.attn, transformer.h.2.attn.c_attn.bias, true",
        "*norm*, model.layers.7.post_attention_layernorm.weight, true",
    })
    void patternsFitPartsOfNames(String pattern, String name, boolean fits) {
        assertThat(RateFactors.pattern("freeze", pattern).test(name)).isEqualTo(fits);
    }

    @Test
    void theLastFactorCountsAndFrozenIsFrozen() {
        RateFactors factors =
                RateFactors.of(LLAMA, List.of("layers.[0-3]"), List.of("layers.*=0.5", "mlp=0.25", "lm_head=3"), 1, 1);
        assertThat(factors.of("model.layers.2.mlp.up_proj.weight")).isZero();
        assertThat(factors.trains("model.layers.2.mlp.up_proj.weight")).isFalse();
        assertThat(factors.of("model.layers.10.mlp.up_proj.weight")).isEqualTo(0.25);
        assertThat(factors.of("model.layers.10.self_attn.q_proj.weight")).isEqualTo(0.5);
        assertThat(factors.of("lm_head.weight")).isEqualTo(3);
        assertThat(factors.of("model.norm.weight")).isEqualTo(1);
        assertThat(factors.trains("model.norm.weight")).isTrue();
    }

    /** ELECTRA's: embeddings are layer 0, blocks 1 to L, what comes after L + 1. */
    @Test
    void ratesFallFromTheHeadDown() {
        RateFactors factors = RateFactors.of(LLAMA, List.of(), List.of("embed*=2"), 0.9, 1);
        assertThat(factors.of("lm_head.weight")).isEqualTo(1);
        assertThat(factors.of("model.norm.weight")).isEqualTo(1);
        assertThat(factors.of("model.layers.11.mlp.up_proj.weight")).isCloseTo(0.9, within(1e-12));
        assertThat(factors.of("model.layers.0.mlp.up_proj.weight")).isCloseTo(Math.pow(0.9, 12), within(1e-12));
        assertThat(factors.of("model.embed_tokens.weight")).isCloseTo(2 * Math.pow(0.9, 13), within(1e-12));
        RateFactors gpt2 = RateFactors.of(GPT2, List.of(), List.of(), 0.9, 1);
        assertThat(gpt2.of("transformer.wpe.weight")).isCloseTo(Math.pow(0.9, 4), within(1e-12));
        assertThat(gpt2.of("transformer.h.2.ln_1.bias")).isCloseTo(0.9, within(1e-12));
        assertThat(gpt2.of("transformer.ln_f.bias")).isEqualTo(1);
    }

    @Test
    void whatCannotBeMeant() {
        assertThatThrownBy(() -> RateFactors.of(LLAMA, List.of("layer.1"), List.of(), 1, 1))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("freeze: layer.1 fits no parameter", "model.layers.N.mlp.up_proj.weight")
                .message()
                .hasLineCount(1);
        assertThatThrownBy(() -> RateFactors.of(GPT2, List.of(), List.of("lm_head=0.1"), 1, 1))
                .hasMessageContainingAll("lm_for: lm_head".replace("lm_for", "lr_for"), "transformer.wte.weight");
        assertThatThrownBy(() -> RateFactors.of(LLAMA, List.of("*"), List.of(), 1, 1))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("freeze leaves nothing to train");
        assertThatThrownBy(() -> RateFactors.of(LLAMA, List.of("[a"), List.of(), 1, 1))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("[a, which is no pattern");
        for (String rate : List.of("embed*", "=0.1", "embed*=", "embed*=x", "embed*=-1", "embed*=NaN", "embed*=1e9")) {
            assertThatThrownBy(() -> RateFactors.of(LLAMA, List.of(), List.of(rate), 1, 1))
                    .isInstanceOf(UserException.class)
                    .hasMessageContaining(rate);
        }
    }

    @Test
    void allOfASmallLayoutAreInOrder() {
        ParameterLayout some = LLAMA.only(name -> name.contains("layers.3.") || name.contains("layers.5.mlp"));
        assertThat(some.checkpointTensors())
                .extracting(CheckpointTensor::name)
                .allMatch(name -> name.contains("layers.3.") || name.contains("layers.5.mlp"))
                .hasSize(9 + 3);
        assertThat(some.lowestLayer()).isEqualTo(3);
        // Layer 4 lies between, of the matrices that both have.
        assertThat(some.length()).isEqualTo(3 * (2 * 12 * 8 + 8 * 12) + (3 * 8 + 8) * 8 + 2 * 16);
    }
}
