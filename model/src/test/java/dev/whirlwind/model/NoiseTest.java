package dev.whirlwind.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** Noise on embeddings, as transformers' neftune_post_forward_hook adds it: alpha / sqrt(sequence * width), in training only. */
class NoiseTest {
    private static final String LLAMA = """
            {"model_type": "llama", "vocab_size": 16, "hidden_size": 8, "intermediate_size": 12,
             "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 16, "rms_norm_eps": 1e-5,
             "initializer_range": 0.2, "tie_word_embeddings": false}""";

    private static final int SEQUENCE = 7;
    private static final int WIDTH = 8;
    private static final double ALPHA = 5;

    private static Transformer transformer(Engine engine, boolean recompute) {
        ModelConfig config = ModelConfig.parse(LLAMA.getBytes(StandardCharsets.UTF_8), "test");
        Parameters weights = new Parameters(engine, new ParameterLayout(config), "weights");
        Initializer.initialize(weights, 3);
        Transformer transformer = Transformer.forTraining(engine, weights, 1, SEQUENCE, recompute);
        Inputs inputs = transformer.inputs();
        for (int i = 0; i < SEQUENCE; i++) {
            inputs.tokens[i] = 3 + i;
            inputs.targets[i] = 4 + i;
        }
        inputs.seed = 91;
        inputs.step = 5;
        inputs.microBatch = 2;
        return transformer;
    }

    /** Tokens occur once each, so that noise does what other embeddings would. */
    @Test
    void itIsLikeOtherEmbeddingsInTrainingOnly() {
        try (Engine engine = new ReferenceEngine()) {
            Transformer transformer = transformer(engine, false);
            double without = transformer.evaluate();
            transformer.addNoise(ALPHA);
            double with = transformer.forwardBackward();
            assertThat(transformer.evaluate()).isEqualTo(without);

            double[] noise = Reference.uniform(transformer.inputs(), 0, SEQUENCE * WIDTH);
            Tensor embedding = transformer.weights().tokenEmbedding;
            for (int i = 0; i < noise.length; i++) {
                long at = embedding.offset() + 3 * WIDTH + i;
                float value = embedding.buffer().segment().getAtIndex(ValueLayout.JAVA_FLOAT, at);
                double noisy = value + ALPHA / Math.sqrt(SEQUENCE * WIDTH) * noise[i];
                embedding.buffer().segment().setAtIndex(ValueLayout.JAVA_FLOAT, at, (float) noisy);
            }
            transformer.weights().upload();
            assertThat(transformer.evaluate()).isCloseTo(with, within(1e-5)).isNotCloseTo(without, within(1e-2));
        }
    }

    @Test
    void recomputationMeetsTheSame() {
        try (Engine engine = new ReferenceEngine()) {
            Transformer kept = transformer(engine, false);
            Transformer recomputed = transformer(engine, true);
            kept.addNoise(ALPHA);
            recomputed.addNoise(ALPHA);
            assertThat(recomputed.forwardBackward()).isEqualTo(kept.forwardBackward());
            assertThat(recomputed
                            .gradients()
                            .buffer()
                            .segment()
                            .mismatch(kept.gradients().buffer().segment()))
                    .isEqualTo(-1);
        }
    }
}
