package dev.whirlwind.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GeneratorTest {
    private static final ModelConfig CONFIG = ModelConfig.parse("""
            {"model_type": "llama", "vocab_size": 40, "hidden_size": 8, "intermediate_size": 12,
             "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 16, "rms_norm_eps": 1e-5,
             "rope_theta": 10000.0, "initializer_range": 0.5, "tie_word_embeddings": false}
            """.getBytes(StandardCharsets.UTF_8), "test");

    private static int[] generate(int promptLength, int chunk, int capacity, int length, int end) {
        int[] prompt =
                IntStream.range(0, promptLength).map(i -> (7 * i + 3) % 40).toArray();
        try (Engine engine = new ReferenceEngine()) {
            Parameters weights = new Parameters(engine, new ParameterLayout(CONFIG), "weights");
            Initializer.initialize(weights, 4);
            Generator generator = new Generator(engine, weights, capacity, chunk);
            List<Integer> told = new ArrayList<>();
            int[] out =
                    generator.generate(prompt, length, Sampler.greedy(), end < 0 ? Set.of() : Set.of(end), told::add);
            assertThat(told).containsExactlyElementsOf(IntStream.of(out).boxed().toList());
            return out;
        }
    }

    /** Prompts of less than a chunk, of one, of several, and of a token more or less. */
    @Test
    void howAPromptIsReadDoesNotShow() {
        for (int prompt = 1; prompt <= 9; prompt++) {
            int[] oneByOne = generate(prompt, 1, 16, 5, -1);
            assertThat(oneByOne).hasSize(5);
            for (int chunk = 2; chunk <= 5; chunk++) {
                assertThat(generate(prompt, chunk, 16, 5, -1))
                        .as("a prompt of %d in chunks of %d", prompt, chunk)
                        .isEqualTo(oneByOne);
            }
        }
    }

    /** Where rotations depend on a text's length, it is the text's that counts, not the room for more. */
    @ParameterizedTest
    @ValueSource(strings = {"llama-longrope", "qwen2-dynamic"})
    void theRoomThatIsLeftDoesNotShow(String name) {
        try (Engine engine = new ReferenceEngine()) {
            ModelConfig config = ModelConfig.read(GoldenCases.folder(name));
            Parameters weights = new Parameters(engine, new ParameterLayout(config), "weights");
            HuggingFace.load(GoldenCases.folder(name), weights);
            int[] prompt = IntStream.range(0, 9).map(i -> 5 * i % 47).toArray();
            Generator small = new Generator(engine, weights, 16, 4);
            Generator large = new Generator(engine, weights, 40, 4);
            for (int seed = 0; seed < 40; seed++) {
                assertThat(large.generate(prompt, 7, new Sampler(1, 0, 1, seed), Set.of(), token -> {}))
                        .isEqualTo(small.generate(prompt, 7, new Sampler(1, 0, 1, seed), Set.of(), token -> {}));
            }
        }
    }

    /** The last token needs no room, for nothing follows it. */
    @Test
    void endsWhereThereIsNoMoreRoom() {
        assertThat(generate(4, 2, 7, 10, -1)).hasSize(4).isEqualTo(generate(4, 2, 16, 4, -1));
        assertThat(generate(7, 2, 7, 10, -1)).hasSize(1);
    }

    @Test
    void endsAfterTheEndOfText() {
        int[] all = generate(3, 2, 16, 8, -1);
        int end = all[2];
        int first = IntStream.range(0, 8).filter(i -> all[i] == end).findFirst().orElseThrow();
        assertThat(generate(3, 2, 16, 8, end))
                .containsExactly(IntStream.range(0, first + 1).map(i -> all[i]).toArray());
    }

    /** An id is an address in the embedding, and beyond it lies another tensor. */
    @Test
    void idsOutsideTheVocabularyAreRefused() {
        try (Engine engine = new ReferenceEngine()) {
            Parameters weights = new Parameters(engine, new ParameterLayout(CONFIG), "weights");
            for (int chunk : new int[] {1, 2}) {
                Generator generator = new Generator(engine, weights, 8, chunk);
                for (int id : new int[] {-1, CONFIG.vocabularySize(), Integer.MAX_VALUE}) {
                    for (int[] prompt : new int[][] {{id}, {id, 0, 0}}) {
                        assertThatThrownBy(() -> generator.generate(prompt, 1, Sampler.greedy(), Set.of(), token -> {}))
                                .isInstanceOf(UserException.class)
                                .hasMessageContaining("vocabulary of " + CONFIG.vocabularySize());
                    }
                }
            }
            Transformer transformer = Transformer.forEvaluation(engine, weights, 1, 2);
            transformer.inputs().targets[1] = CONFIG.vocabularySize();
            assertThatThrownBy(transformer::evaluate).isInstanceOf(UserException.class);
            transformer.inputs().targets[1] = -1;
            transformer.inputs().position = -1;
            assertThatThrownBy(transformer::evaluate).isInstanceOf(IllegalStateException.class);
        }
    }
}
