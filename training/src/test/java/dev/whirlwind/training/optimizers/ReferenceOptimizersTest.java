package dev.whirlwind.training.optimizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.safetensors.SafetensorsFile;
import dev.whirlwind.training.TinyRun;
import dev.whirlwind.training.config.TrainConfig;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Weights after 20 updates are those of reference implementations in double: torch.optim's AdamW and Muon (2.13,
 * match_rms_adamw, without its rounding to bfloat16), {@code transformers}' Adafactor (5.18, neither scale_parameter nor
 * relative_step), Lion as in its paper's Program 1. Weights and gradients are a formula of tensor, element and update; the
 * gradient is clipped to a norm of 1, of about 10, and the learning rate varies.
 */
class ReferenceOptimizersTest {
    private static final String LLAMA = """
            {"model_type": "llama", "vocab_size": 16, "hidden_size": 8, "intermediate_size": 12,
             "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 16,
             "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": false}""";

    private static final String GPT2 = """
            {"model_type": "gpt2", "vocab_size": 16, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 12,
             "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5}""";

    private static final int UPDATES = 20;

    @ParameterizedTest
    @CsvSource({
        "llama, adamw",
        "llama, lion",
        "llama, muon",
        "llama, adafactor",
        "gpt2, adamw",
        "gpt2, lion",
        "gpt2, muon",
        "gpt2, adafactor"
    })
    void twentyUpdates(String model, String method) {
        String json = model.equals("llama") ? LLAMA : GPT2;
        ModelConfig config = ModelConfig.parse(json.getBytes(StandardCharsets.UTF_8), "test");
        try (Engine engine = TinyRun.engine();
                SafetensorsFile expected = SafetensorsFile.open(
                        Path.of("src/test/resources/optimizers", model + "-" + method + ".safetensors"))) {
            Parameters weights = new Parameters(engine, new ParameterLayout(config), "weights");
            fill(weights, 0);
            Transformer transformer = Transformer.forTraining(engine, weights, 1, 8, false);
            TrainConfig options = TrainConfig.of(Map.of("optimizer", method), "test");
            Optimizer optimizer =
                    new Optimizer(engine, transformer, options.optimizer().rule(), RateFactors.NONE, 1);
            for (int t = 1; t <= UPDATES; t++) {
                fill(transformer.gradients(), t);
                optimizer.update(0.01 * (1 + t % 3), optimizer.gradientNorm());
                transformer.gradients().download();
                assertThat(transformer.gradients().buffer().segment().mismatch(zeros(weights)))
                        .as("gradients are left zero")
                        .isEqualTo(-1);
            }
            weights.download();
            List<CheckpointTensor> tensors = sorted(weights);
            assertThat(expected.tensors()).hasSize(tensors.size());
            tensors.forEach(tensor -> compare(tensor, weights, expected));
        }
    }

    private static MemorySegment zeros(Parameters like) {
        return Arena.ofAuto().allocate(like.buffer().segment().byteSize(), 64);
    }

    private static void compare(CheckpointTensor tensor, Parameters weights, SafetensorsFile expected) {
        int size = Math.toIntExact(tensor.size());
        MemorySegment floats = Arena.ofAuto().allocate(4L * size, 64);
        expected.readFloats(tensor.name(), floats, 0);
        for (int i = 0; i < size; i++) {
            float actual = weights.buffer().segment().getAtIndex(ValueLayout.JAVA_FLOAT, tensor.place(i));
            assertThat(actual)
                    .as("%s[%d]", tensor.name(), i)
                    .isCloseTo(floats.getAtIndex(ValueLayout.JAVA_FLOAT, i), within(2e-5f));
        }
    }

    private static List<CheckpointTensor> sorted(Parameters parameters) {
        return parameters.layout().checkpointTensors().stream()
                .sorted(Comparator.comparing(CheckpointTensor::name))
                .toList();
    }

    private static void fill(Parameters parameters, int t) {
        List<CheckpointTensor> tensors = sorted(parameters);
        for (int k = 0; k < tensors.size(); k++) {
            for (int i = 0; i < tensors.get(k).size(); i++) {
                parameters
                        .buffer()
                        .segment()
                        .setAtIndex(ValueLayout.JAVA_FLOAT, tensors.get(k).place(i), number(k, i, t));
            }
        }
        parameters.upload();
    }

    private static float number(long k, long i, long t) {
        long mixed = i * i * 31 + i * 7919 + k * 104_729 + t * 15_485_863 + i * t * 613;
        return (float) (mixed % 1_000_003 / 1_000_003.0 - 0.5);
    }
}
