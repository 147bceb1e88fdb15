package dev.whirlwind.tornado;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.model.Precision;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** That kernels for GPUs fill a GPU: enough groups, none too large, and no item that all others wait for. */
class LaunchesTest {
    /** Of an H100 or H200, which have most of those that we know. */
    private static final int COMPUTE_UNITS = 132;

    /** Groups that keep every unit busy while one waits for memory. */
    private static final int ENOUGH = 4 * COMPUTE_UNITS;

    /** With fewer groups, an item may go round its loops so often: microseconds. */
    private static final int SHORT = 64;

    /** No item may go round more often, as one that owned a row of logits would. */
    private static final int LONGEST = 7600;

    /**
     * Items of products keep so much in registers that a unit holds two groups; a wave that is nearly full ends sooner than
     * two that are not.
     */
    private static final int ONE_WAVE = 2 * COMPUTE_UNITS * 19 / 20;

    /** Operations, or kernels, with long items that may have fewer groups than enough. */
    private static final Map<String, Integer> FEWER = Map.of(
            "linear", ONE_WAVE,
            "linearBackwardInput", ONE_WAVE,
            "linearBackwardWeight", ONE_WAVE);

    /** There a part's way through memory costs a product ten times as much of its time: sooner a wave less full. */
    private static final int ONE_WAVE_OF_TENSOR_CORES = 2 * COMPUTE_UNITS * 3 / 4;

    private static final Map<String, Integer> FEWER_ON_TENSOR_CORES = Map.of(
            "linear", ONE_WAVE_OF_TENSOR_CORES,
            "linearBackwardInput", ONE_WAVE_OF_TENSOR_CORES,
            "linearBackwardWeight", ONE_WAVE_OF_TENSOR_CORES);

    /** Generation: one row, whose weights are read by as many groups as there are columns by eight. */
    private static final Map<String, Integer> FEWER_WHEN_GENERATING = Map.of("linear", 112);

    /** By kernels: A A^T of a few ranks, and sums of few columns, whose items wait 38 times at most. */
    private static final Map<String, Integer> FEWER_WITH_ADAPTERS = Map.of(
            "wGemv", 3,
            "wAddParts", 1,
            "linear", ONE_WAVE_OF_TENSOR_CORES,
            "linearBackwardInput", ONE_WAVE_OF_TENSOR_CORES,
            "linearBackwardWeight", ONE_WAVE_OF_TENSOR_CORES);

    /** A Llama of half a thousand million weights. */
    private static final String LLAMA = """
            {"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":896,"intermediate_size":4864,
            "num_hidden_layers":24,"num_attention_heads":14,"num_key_value_heads":2,"vocab_size":151936,
            "max_position_embeddings":32768,"rms_norm_eps":1e-6,"rope_theta":1000000.0,"tie_word_embeddings":true}
            """;

    static Stream<Arguments> steps() {
        return Stream.of(
                Arguments.of(
                        "gpt2, 8 x 1024",
                        FEWER,
                        Launches.ofStep(Launches.config(Launches.GPT2), 8, 1024, COMPUTE_UNITS)),
                Arguments.of(
                        "gpt2 on tensor cores, 8 x 1024",
                        FEWER_ON_TENSOR_CORES,
                        Launches.ofStep(Launches.config(Launches.GPT2), 8, 1024, COMPUTE_UNITS, Precision.BF16, true)),
                Arguments.of(
                        "other optimizers of gpt2, 8 x 1024",
                        FEWER,
                        Launches.ofOtherStep(
                                Launches.config(Launches.GPT2), 8, 1024, COMPUTE_UNITS, Precision.FP32, false)),
                Arguments.of(
                        "other optimizers of gpt2 in 16 bits, 8 x 1024",
                        FEWER,
                        Launches.ofOtherStep(
                                Launches.config(Launches.GPT2), 8, 1024, COMPUTE_UNITS, Precision.BF16, false)),
                Arguments.of(
                        "other optimizers of gpt2 on tensor cores, 8 x 1024",
                        FEWER_ON_TENSOR_CORES,
                        Launches.ofOtherStep(
                                Launches.config(Launches.GPT2), 8, 1024, COMPUTE_UNITS, Precision.BF16, true)),
                Arguments.of(
                        "adapters of llama, 8 x 1024",
                        FEWER_WITH_ADAPTERS,
                        Launches.ofAdapters(Launches.config(LLAMA), 8, 1024, COMPUTE_UNITS, Precision.FP32, false)),
                Arguments.of(
                        "adapters of llama on tensor cores, 8 x 1024",
                        FEWER_WITH_ADAPTERS,
                        Launches.ofAdapters(Launches.config(LLAMA), 8, 1024, COMPUTE_UNITS, Precision.BF16, true)),
                Arguments.of("llama, 8 x 1024", FEWER, Launches.ofStep(Launches.config(LLAMA), 8, 1024, COMPUTE_UNITS)),
                Arguments.of(
                        "llama generates",
                        FEWER_WHEN_GENERATING,
                        Launches.ofGeneration(Launches.config(LLAMA), 1024, 2, COMPUTE_UNITS)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("steps")
    void fillTheDevice(String name, Map<String, Integer> fewer, List<Launch> launches) {
        assertThat(launches).isNotEmpty();
        for (Launch launch : launches) {
            assertThat(launch.groupItems()).as("items of a group of %s", launch).isBetween(1, 256);
            double longest = Rounds.of(launch).longest().stream().reduce(0.0, Math::max);
            assertThat(longest).as("rounds of the longest item of %s", launch).isLessThanOrEqualTo(LONGEST);
            if (longest > SHORT) {
                assertThat(launch.groups())
                        .as("groups of %s", launch)
                        .isGreaterThanOrEqualTo(
                                fewer.getOrDefault(launch.kernel(), fewer.getOrDefault(launch.operation(), ENOUGH)));
            }
        }
    }
}
