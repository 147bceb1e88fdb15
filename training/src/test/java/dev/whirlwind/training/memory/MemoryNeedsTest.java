package dev.whirlwind.training.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.cpu.CpuEngine;
import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Format;
import dev.whirlwind.model.Generator;
import dev.whirlwind.model.Initializer;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Sampler;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.memory.MemoryNeeds.Beside;
import dev.whirlwind.training.optimizers.Optimizer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is counted is what is taken. */
class MemoryNeedsTest {
    private static final int BATCH = 3;
    private static final int SEQUENCE = 10;
    private static final String GPT2 = """
            {"model_type": "gpt2", "vocab_size": 61, "n_embd": 12, "n_layer": 2, "n_head": 3, "n_positions": 16,
             "embd_pdrop": 0.1, "attn_pdrop": 0.2, "resid_pdrop": 0.15}""";
    private static final String LLAMA = """
            {"model_type": "llama", "vocab_size": 67, "hidden_size": 24, "intermediate_size": 40,
             "num_hidden_layers": 3, "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 32,
             "tie_word_embeddings": true}""";
    private static final String QWEN3 = LLAMA.replace("llama", "qwen3").replace("true", "false");

    /** Adds up what the CPU engine's buffers really have. */
    private static final class Taking implements Engine {
        private final Engine engine = new CpuEngine(1);
        private long bytes;

        @Override
        public Buffer allocate(String name, long length) {
            Buffer buffer = engine.allocate(name, length);
            bytes += buffer.segment().byteSize();
            return buffer;
        }

        @Override
        public Precision precision() {
            return engine.precision();
        }

        @Override
        public boolean readsFiles() {
            return false;
        }

        @Override
        public Buffer allocateWeights(String name, List<Format.Span> spans, long[] starts) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Buffer allocate(String name, long length, long[] starts) {
            return allocate(name, length);
        }

        @Override
        public Buffer allocateActivations(String name, long length, long[] starts) {
            return allocateActivations(name, length);
        }

        @Override
        public Buffer allocateActivations(String name, long length) {
            return allocate(name, length);
        }

        @Override
        public Inputs inputs(int places) {
            Inputs inputs = engine.inputs(places);
            bytes += 8L * (inputs.tokens.length + inputs.targets.length);
            return inputs;
        }

        @Override
        public void run(Program program, Inputs inputs, int layer) {
            engine.run(program, inputs, layer);
        }

        @Override
        public void download(Buffer buffer, long offset, long length) {
            engine.download(buffer, offset, length);
        }

        @Override
        public void upload(Buffer buffer, long offset, long length) {
            engine.upload(buffer, offset, length);
        }

        @Override
        public String name() {
            return engine.name();
        }

        @Override
        public String description() {
            return engine.description();
        }

        @Override
        public void close() {
            engine.close();
        }
    }

    private static ModelConfig model(String json) {
        return ModelConfig.parse(json.getBytes(StandardCharsets.UTF_8), "test");
    }

    /** Tensors that were taken. */
    private static long taken(ModelConfig config, BiConsumer<Engine, Parameters> use) {
        try (Taking engine = new Taking()) {
            Parameters weights = new Parameters(engine, new ParameterLayout(config), "weights");
            Initializer.initialize(weights, 1);
            use.accept(engine, weights);
            return engine.bytes;
        }
    }

    /** Rows are aligned, with room for a vector. */
    private static long logits(int rows, ModelConfig config) {
        return 4L * rows * (Math.ceilDiv(config.vocabularySize(), 16) * 16 + 16);
    }

    private static long java(ModelConfig config) {
        return MemoryNeeds.java(config, 0).total();
    }

    private static MemoryUse training(ModelConfig config, Map<String, ?> options) {
        return MemoryNeeds.training(config, TrainConfig.of(options, "test"), Beside.NOTHING);
    }

    private static long total(ModelConfig config, int batch, int sequence, boolean recompute) {
        return training(config, Map.of("batch", batch, "sequence", sequence, "recompute", recompute))
                .total();
    }

    @ParameterizedTest
    @ValueSource(strings = {GPT2, LLAMA})
    void training(String json) {
        ModelConfig config = model(json);
        for (boolean recompute : new boolean[] {false, true}) {
            long taken = taken(config, (engine, weights) -> {
                Transformer model = Transformer.forTraining(engine, weights, BATCH, SEQUENCE, recompute);
                Optimizer optimizer = new Optimizer(engine, model, new AdamW(0.9f, 0.95f, 1e-8f, 0.1f), 1);
                model.forwardBackward();
                optimizer.update(1e-3, optimizer.gradientNorm());
                model.evaluate();
            });
            assertThat(total(config, BATCH, SEQUENCE, recompute))
                    .isEqualTo(java(config) + logits(BATCH * SEQUENCE, config) + taken);
        }
        assertThat(total(config, BATCH, SEQUENCE, true)).isLessThan(total(config, BATCH, SEQUENCE, false));
    }

    /** Each way takes what it is counted with, and less than the way before. */
    @ParameterizedTest
    @ValueSource(strings = {GPT2, LLAMA})
    void savingMemory(String json) {
        ModelConfig config = model(json.replaceFirst("layers?\": \\d", "$0" + 2));
        long before = Long.MAX_VALUE;
        for (Map<String, ?> saving : List.<Map<String, ?>>of(
                Map.of(),
                Map.of("recompute", true, "recompute_part", "attention"),
                Map.of("recompute", true),
                Map.of("recompute", true, "recompute_every", 2),
                Map.of("recompute", true, "recompute_every", 2, "update_in_backward", true))) {
            TrainConfig options = TrainConfig.of(Map.of("batch", BATCH, "sequence", SEQUENCE), "test")
                    .with(saving, "test");
            long taken = taken(config, (engine, weights) -> {
                Transformer model = Transformer.forTraining(
                        engine, weights, BATCH, SEQUENCE, options.memory().saving(), _ -> true);
                Optimizer optimizer = new Optimizer(engine, model, new AdamW(0.9f, 0.95f, 1e-8f, 0.1f), 1);
                model.forwardBackward(optimizer.inBackward(1e-3, _ -> true));
            });
            long total = MemoryNeeds.training(config, options, Beside.NOTHING).total();
            assertThat(total)
                    .isEqualTo(java(config) + logits(BATCH * SEQUENCE, config) + taken)
                    .isLessThan(before);
            before = total;
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {GPT2, LLAMA})
    void evaluation(String json) {
        ModelConfig config = model(json);
        long taken = taken(
                config,
                (engine, weights) -> Transformer.forEvaluation(engine, weights, BATCH, SEQUENCE)
                        .evaluate());
        assertThat(MemoryNeeds.evaluation(config, BATCH, SEQUENCE))
                .isEqualTo(java(config) + logits(BATCH * SEQUENCE, config) + taken);
    }

    @ParameterizedTest
    @ValueSource(strings = {GPT2, LLAMA})
    void generation(String json) {
        ModelConfig config = model(json);
        long taken = taken(
                config,
                (engine, weights) -> new Generator(engine, weights, 16, 4)
                        .generate(new int[] {1, 2, 3, 4, 5, 6}, 5, new Sampler(0, 0, 1, 1), Set.of(), _ -> {}));
        assertThat(MemoryNeeds.generation(config, 16, 4)).isEqualTo(java(config) + taken);
    }

    @Test
    void headsOfTheirOwnAndHeadNormsCount() {
        long tied = MemoryNeeds.weights(model(LLAMA.replace("llama", "qwen3")));
        assertThat(MemoryNeeds.weights(model(QWEN3)) - tied).isEqualTo(4L * 67 * 24 + padding(67 * 24));
    }

    private static long padding(long floats) {
        return 4 * (Math.ceilDiv(floats, 16) * 16 - floats);
    }

    @Test
    void whatMemoryIsFor() {
        ModelConfig config = model(LLAMA);
        long parameters = 4 * new ParameterLayout(config).length();
        MemoryUse plain = training(config, Map.of("batch", 2, "sequence", 16));
        assertThat(plain.of(Purpose.WEIGHTS)).isEqualTo(parameters);
        assertThat(plain.of(Purpose.GRADIENTS)).isEqualTo(parameters);
        assertThat(plain.of(Purpose.MOMENTS)).isEqualTo(2 * parameters + 4 * Ops.PARTIALS);
        assertThat(plain.of(Purpose.EMA)).isZero();
        MemoryUse more =
                training(config, Map.of("batch", 2, "sequence", 16, "ema", 0.9, "anchor", 0.1, "optimizer", "lion"));
        assertThat(more.of(Purpose.MOMENTS)).isEqualTo(parameters + 4 * Ops.PARTIALS);
        assertThat(more.of(Purpose.EMA)).isGreaterThan(parameters);
        assertThat(more.of(Purpose.ANCHOR)).isEqualTo(parameters);
        assertThat(more.of(Purpose.ACTIVATIONS)).isEqualTo(plain.of(Purpose.ACTIVATIONS));
        MemoryUse apollo =
                training(config, Map.of("batch", 2, "sequence", 16, "optimizer", "apollo", "apollo_rank", 1));
        assertThat(apollo.of(Purpose.MOMENTS)).isLessThan(parameters);
        MemoryUse adapter = training(config, Map.of("batch", 2, "sequence", 16, "model", "none", "lora", 2));
        assertThat(adapter.of(Purpose.GRADIENTS)).isLessThan(parameters / 4);
        assertThat(adapter.of(Purpose.WEIGHTS)).isEqualTo(parameters + adapter.of(Purpose.GRADIENTS));
        assertThat(adapter.of(Purpose.SCRATCH)).isGreaterThan(plain.of(Purpose.SCRATCH));
    }

    @Test
    void aTeacherSamplesAndSixteenBits() {
        ModelConfig config = model(LLAMA);
        TrainConfig options = TrainConfig.of(Map.of("batch", 2, "sequence", 16), "test");
        MemoryUse use = MemoryNeeds.training(config, options, new Beside(20, config, 0, 0));
        assertThat(use.of(Purpose.TEACHER) + java(config)).isEqualTo(MemoryNeeds.evaluation(config, 2, 16));
        assertThat(use.of(Purpose.SAMPLES))
                .isEqualTo(MemoryNeeds.generation(config, 20, 20) - MemoryNeeds.weights(config));
        MemoryUse half = training(config, Map.of("batch", 2, "sequence", 16, "precision", "bf16"));
        assertThat(half.of(Purpose.ACTIVATIONS)).isLessThan(use.of(Purpose.ACTIVATIONS));
        assertThat(half.of(Purpose.WEIGHTS)).isEqualTo(use.of(Purpose.WEIGHTS));
    }

    /** What a device computes with is there, and here what is loaded and saved. */
    @Test
    void onADevice() {
        ModelConfig config = model(LLAMA);
        MemoryUse use = training(config, Map.of("batch", 2, "sequence", 16));
        MemoryPlan plan = MemoryPlan.onDevice(use, false);
        assertThat(plan.device().total()).isEqualTo(use.total() - java(config));
        assertThat(plan.host().parts()).containsOnlyKeys(Purpose.WEIGHTS, Purpose.MOMENTS, Purpose.JAVA);
        MemoryPlan shared = MemoryPlan.onDevice(use, true);
        assertThat(shared.device().total()).isZero();
        assertThat(shared.host().total())
                .isEqualTo(plan.host().total() + plan.device().total());
    }

    /** Sums that no long has, and counting of what no machine has, end at once. */
    @Test
    void sizesWithoutNumber() {
        ModelConfig huge = model(LLAMA.replace("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 10000")
                .replace("\"intermediate_size\": 40", "\"intermediate_size\": 50000000")
                .replace("\"max_position_embeddings\": 32", "\"max_position_embeddings\": 1000000"));
        assertThat(total(huge, 500, 1_000_000, false)).isEqualTo(Long.MAX_VALUE / 4);
        assertThat(total(model(LLAMA), 10_000_000, 32, false)).isGreaterThan(1L << 40);
        assertThatThrownBy(() -> MemoryNeeds.evaluation(model(LLAMA), 1 << 30, 32))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("choose a smaller batch");
    }
}
