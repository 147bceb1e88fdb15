package dev.whirlwind.training.optimizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.TinyRun;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * fisher.safetensors was made by PyTorch 2.13 in double, from model.safetensors: for each of three sequences the squared
 * gradient of cross_entropy(reduction="sum") by tokens, and their mean.
 */
class FisherTest {
    private static final Path CASE = Path.of("src/test/resources/fisher");

    private static final int[][] TEXTS = {
        {0, 15, 5, 10, 15, 13, 15, 10}, {3, 14, 2, 10, 6, 3, 5, 12}, {10, 15, 15, 10, 9, 1, 3, 11}
    };

    @TempDir
    Path folder;

    @Test
    void isTheMeanOfSquaredGradientsByTokens() {
        ModelConfig config = ModelConfig.read(CASE);
        Path file = folder.resolve("f.safetensors");
        try (Engine engine = TinyRun.engine()) {
            Fisher fisher = new Fisher(
                    engine, HuggingFace.load(engine, CASE, config, _ -> {}).weights(), 7);
            for (int[] text : TEXTS) {
                System.arraycopy(text, 0, fisher.inputs().tokens, 0, 7);
                System.arraycopy(text, 1, fisher.inputs().targets, 0, 7);
                assertThat(fisher.add()).isBetween(10.0, 50.0);
            }
            fisher.write(file, "abc");
            assertThat(Fisher.model(file)).isEqualTo("abc");
            ParameterLayout layout = new ParameterLayout(config);
            Parameters actual = Fisher.load(engine, file, layout);
            Parameters expected = Fisher.load(engine, CASE.resolve("fisher.safetensors"), layout);
            for (CheckpointTensor tensor : layout.checkpointTensors()) {
                for (long i = tensor.offset(); i < tensor.offset() + tensor.size(); i++) {
                    float right = expected.buffer().segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
                    assertThat(actual.buffer().segment().getAtIndex(ValueLayout.JAVA_FLOAT, i))
                            .as("%s[%d]", tensor.name(), i - tensor.offset())
                            .isCloseTo(right, within(1e-6f + 1e-4f * right));
                }
            }
        }
    }

    @Test
    void anotherModelsFileIsRefused() throws IOException {
        Path file = CASE.resolve("fisher.safetensors");
        Path model = TinyRun.llama(folder.resolve("model"), weights -> {});
        assertThatThrownBy(() -> Fisher.check(file, ModelConfig.read(model)))
                .isInstanceOf(UserException.class)
                .hasMessage(file
                        + ": is not of this model (its model.embed_tokens.weight is [16, 8], the model's [256, 8]);"
                        + " make one with whirlwind fisher --model and the model that the run starts from");
        String untied = Files.readString(CASE.resolve("config.json")).replace("true", "false");
        assertThatThrownBy(() -> Fisher.check(file, ModelConfig.parse(untied.getBytes(StandardCharsets.UTF_8), "test")))
                .hasMessageContaining("(it has no lm_head.weight)");
        String shorter = Files.readString(CASE.resolve("config.json"))
                .replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1");
        assertThatThrownBy(
                        () -> Fisher.check(file, ModelConfig.parse(shorter.getBytes(StandardCharsets.UTF_8), "test")))
                .hasMessageContaining("(it has model.layers.1.input_layernorm.weight, the model has not)");
    }

    /** A model's own file has the same names and shapes. */
    @Test
    void whatIsNoMeanOfSquaresIsRefused() {
        Path file = CASE.resolve("model.safetensors");
        try (Engine engine = TinyRun.engine()) {
            ParameterLayout layout = new ParameterLayout(ModelConfig.read(CASE));
            assertThatThrownBy(() -> Fisher.load(engine, file, layout))
                    .isInstanceOf(UserException.class)
                    .hasMessageMatching(
                            ".*model.safetensors: its model.embed_tokens.weight holds -[0-9.]+, which no mean of"
                                    + " squares is; give a file that whirlwind fisher has made");
        }
    }
}
