package dev.whirlwind.tornado;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Format;
import dev.whirlwind.model.Generator;
import dev.whirlwind.model.Initializer;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Sampler;
import dev.whirlwind.model.Transformer;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import uk.ac.manchester.tornado.api.GridScheduler;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.WorkerGrid2D;
import uk.ac.manchester.tornado.api.exceptions.TornadoExecutionPlanException;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/**
 * Every kernel for GPUs on a simulated one, oclgrind, which reports data races, accesses out of bounds and values that
 * were never set. Where the first device is another, or its findings go nowhere, these are skipped; {@code
 * benchmarks/gpu-simulated/run.sh} sets all that up.
 */
class SimulatedGpuTest {
    private static final String LOG = "OCLGRIND_LOG";

    /** Odd sizes, in some model beyond the edges of each tile (64 tokens, 128 rows or columns), and deep enough to be split. */
    private static final String GPT2 = """
            {"architectures":["GPT2LMHeadModel"],"model_type":"gpt2","n_embd":33,"n_layer":1,"n_head":3,
            "vocab_size":131,"n_positions":80,"resid_pdrop":0.1,"embd_pdrop":0.1,"attn_pdrop":0.1}
            """;

    private static final String LLAMA = """
            {"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":24,"intermediate_size":37,
            "num_hidden_layers":1,"num_attention_heads":2,"num_key_value_heads":1,"vocab_size":67,
            "max_position_embeddings":80,"rms_norm_eps":1e-5,"rope_theta":10000.0,"tie_word_embeddings":true}
            """;

    private static final String MISTRAL = """
            {"architectures":["MistralForCausalLM"],"model_type":"mistral","hidden_size":20,"intermediate_size":29,
            "num_hidden_layers":1,"num_attention_heads":2,"num_key_value_heads":1,"vocab_size":67,
            "max_position_embeddings":80,"rms_norm_eps":1e-5,"rope_theta":10000.0,"tie_word_embeddings":false,
            "sliding_window":19}
            """;

    private static final String QWEN2 = """
            {"architectures":["Qwen2ForCausalLM"],"model_type":"qwen2","hidden_size":28,"intermediate_size":31,
            "num_hidden_layers":1,"num_attention_heads":2,"num_key_value_heads":2,"vocab_size":530,
            "max_position_embeddings":80,"rms_norm_eps":1e-6,"rope_theta":10000.0,"tie_word_embeddings":false}
            """;

    private static final String QWEN3 = """
            {"architectures":["Qwen3ForCausalLM"],"model_type":"qwen3","hidden_size":20,"head_dim":70,
            "intermediate_size":29,"num_hidden_layers":1,"num_attention_heads":2,"num_key_value_heads":1,
            "vocab_size":67,"max_position_embeddings":80,"rms_norm_eps":1e-6,"rope_theta":10000.0,
            "tie_word_embeddings":false}
            """;

    @BeforeAll
    static void needsSimulator() {
        String log = System.getenv(LOG);
        assumeTrue(log != null, "needs oclgrind: see benchmarks/gpu-simulated/run.sh");
        Sdk.assumeDevice();
        assertThat(Devices.find(null).name()).contains("Oclgrind");
    }

    @ParameterizedTest
    @ValueSource(strings = {GPT2, LLAMA, MISTRAL, QWEN2, QWEN3})
    void trainsAndGeneratesWithoutAFinding(String json) throws Exception {
        ModelConfig config = Launches.config(json);
        int batch = json.contains("sliding_window") ? 1 : 2;
        int sequence = batch == 1 ? 66 : 11;
        long before = findings();
        try (Engine loops = new LoopsEngine();
                Engine gpu = gpu(Precision.FP32)) {
            double expected = gradientNorm(loops, config, batch, sequence, false);
            assertThat(gradientNorm(gpu, config, batch, sequence, false)).isCloseTo(expected, within(1e-4 * expected));
            assertThat(generated(gpu, config)).isEqualTo(generated(loops, config));
        }
        assertThat(found(before)).isEmpty();
    }

    /** Sixteen bits; and what optimizers other than AdamW, other objectives, averages and anchors compute. */
    @ParameterizedTest
    @EnumSource(names = {"FP32", "BF16"})
    void computesAllElseWithoutAFinding(Precision precision) throws Exception {
        ModelConfig config = Launches.config(QWEN3);
        long before = findings();
        try (Engine loops = new LoopsEngine(precision);
                Engine gpu = gpu(precision)) {
            double expected = gradientNorm(loops, config, 2, 11, true);
            assertThat(gradientNorm(gpu, config, 2, 11, true))
                    .isCloseTo(expected, within((precision.isHalf() ? 1e-2 : 1e-4) * expected));
        }
        assertThat(found(before)).isEmpty();
    }

    /** Adapters with magnitudes, noise, and what was kept of a teacher. */
    @ParameterizedTest
    @EnumSource(names = {"FP32", "BF16"})
    void trainsAdaptersWithoutAFinding(Precision precision) throws Exception {
        ModelConfig config = Launches.config(QWEN3);
        long before = findings();
        try (Engine loops = new LoopsEngine(precision);
                Engine gpu = gpu(precision)) {
            double expected = adaptersGradientNorm(loops, config);
            assertThat(adaptersGradientNorm(gpu, config))
                    .isCloseTo(expected, within((precision.isHalf() ? 1e-2 : 1e-4) * expected));
        }
        assertThat(found(before)).isEmpty();
    }

    /** Weights with fewer bits in products, and moments of eight. */
    @Test
    void computesOnFewBitsWithoutAFinding() throws Exception {
        BlocksContract blocks = new BlocksContract() {
            @Override
            Engine engine(Precision precision) {
                return gpu(precision);
            }
        };
        long before = findings();
        for (Format format : List.of(Format.BF16, Format.INT8, Format.NF4)) {
            blocks.productsComputeAsFloats(format, Precision.FP32, 64, 20, 1e-5);
        }
        blocks.momentsComputeAsFloats(582, 1, false);
        assertThat(found(before)).isEmpty();
    }

    private static double adaptersGradientNorm(Engine engine, ModelConfig config) {
        Parameters weights = new Parameters(engine, Launches.withAdapters(config), "weights");
        Initializer.initialize(weights, 1);
        Initializer.initializeAdapters(weights, 2);
        for (CheckpointTensor tensor : weights.layout().checkpointTensors()) {
            for (long i = 0; tensor.name().contains("lora_B") && i < tensor.size(); i++) {
                weights.buffer().segment().setAtIndex(ValueLayout.JAVA_FLOAT, tensor.offset() + i, 0.01f * (i % 7 - 3));
            }
        }
        weights.upload();
        return norm(Launches.adapterStep(engine, weights, 2, 11));
    }

    private static double norm(Parameters gradients) {
        gradients.download();
        MemorySegment all = gradients.buffer().segment();
        double sum = 0;
        for (long i = 0; i < gradients.buffer().length(); i++) {
            sum += Math.pow(all.getAtIndex(ValueLayout.JAVA_FLOAT, i), 2);
        }
        return Math.sqrt(sum);
    }

    private static Engine gpu(Precision precision) {
        DeviceInfo info = Devices.find(null);
        return new TornadoEngine(info, precision, info.memory(), true, 2);
    }

    private static double gradientNorm(Engine engine, ModelConfig config, int batch, int sequence, boolean others) {
        Parameters weights = weights(engine, config);
        Transformer model = Transformer.forTraining(engine, weights, batch, sequence, false);
        Inputs inputs = model.inputs();
        for (int i = 0; i < inputs.tokens.length; i++) {
            inputs.tokens[i] = i * i % config.vocabularySize();
            inputs.targets[i] = i % 7 == 3 ? -1 : (i + 5) % config.vocabularySize();
        }
        inputs.lossScale = 1f / inputs.tokens.length;
        model.forwardBackward();
        double norm = norm(model.gradients());
        Launches.update(engine, model);
        if (others) {
            Launches.otherStep(engine, model, Transformer.forEvaluation(engine, weights, batch, sequence));
        }
        engine.download(weights.buffer(), 0, 1);
        return norm;
    }

    private static int[] generated(Engine engine, ModelConfig config) {
        Generator generator = new Generator(engine, weights(engine, config), 30, 5);
        return generator.generate(new int[] {1, 2, 3, 4, 5, 6, 7, 8}, 3, Sampler.greedy(), Set.of(), token -> {});
    }

    private static Parameters weights(Engine engine, ModelConfig config) {
        Parameters weights = new Parameters(engine, new ParameterLayout(config), "weights");
        Initializer.initialize(weights, 1);
        engine.upload(weights.buffer(), 0, weights.buffer().length());
        return weights;
    }

    /** Every item writes another value to the same place. */
    static void wRace(KernelContext context, FloatArray x) {
        x.set(0, context.globalIdx);
    }

    @Test
    void raceIsFound() throws Exception {
        assertThat(planted(graph ->
                        graph.task("planted", SimulatedGpuTest::wRace, new KernelContext(), new FloatArray(8))))
                .contains("data race");
    }

    /** The last item writes behind the array. */
    static void wBeyond(KernelContext context, FloatArray x) {
        x.set(context.globalIdx + 1, 1f);
    }

    @Test
    void accessOutOfBoundsIsFound() throws Exception {
        assertThat(planted(graph ->
                        graph.task("planted", SimulatedGpuTest::wBeyond, new KernelContext(), new FloatArray(64))))
                .contains("Invalid write");
    }

    /** Local memory that nobody has set decides. */
    static void wUnset(KernelContext context, FloatArray x) {
        float[] unset = context.allocateFloatLocalArray(64);
        if (unset[context.localIdx] > 0) {
            x.set(context.globalIdx, 1f);
        }
    }

    @Test
    void unsetValueIsFound() throws Exception {
        assumeTrue(System.getenv("OCLGRIND_UNINITIALIZED") != null, "needs OCLGRIND_UNINITIALIZED=1");
        assertThat(planted(graph ->
                        graph.task("planted", SimulatedGpuTest::wUnset, new KernelContext(), new FloatArray(64))))
                .contains("ninitialized");
    }

    private static String planted(UnaryOperator<TaskGraph> task) throws IOException, TornadoExecutionPlanException {
        long before = findings();
        WorkerGrid2D grid = new WorkerGrid2D(64, 1);
        grid.setLocalWork(64, 1, 1);
        GridScheduler grids = new GridScheduler();
        grids.addWorkerGrid("planted.planted", grid);
        try (TornadoExecutionPlan plan =
                new TornadoExecutionPlan(task.apply(new TaskGraph("planted")).snapshot())) {
            plan.withGridScheduler(grids)
                    .withDevice(Devices.device(Devices.find(null)))
                    .execute();
        }
        return found(before);
    }

    private static long findings() throws IOException {
        Path log = Path.of(System.getenv(LOG));
        return Files.exists(log) ? Files.size(log) : 0;
    }

    private static String found(long before) throws IOException {
        Path log = Path.of(System.getenv(LOG));
        return Files.exists(log) ? Files.readString(log).substring((int) before) : "";
    }
}
