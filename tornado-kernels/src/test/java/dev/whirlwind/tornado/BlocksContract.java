package dev.whirlwind.tornado;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Format;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.KeyValueCache;
import dev.whirlwind.model.Lion;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.WeightFormat;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Weights and moments that share scales by blocks compute what floats of the same values do. */
abstract class BlocksContract {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

    /** Wide enough for whole blocks, and several groups of them. */
    static final String LLAMA = """
            {"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":64,"intermediate_size":128,
            "num_hidden_layers":2,"num_attention_heads":2,"num_key_value_heads":1,"vocab_size":90,
            "max_position_embeddings":80,"rms_norm_eps":1e-5,"rope_theta":10000.0,"tie_word_embeddings":true}
            """;

    abstract Engine engine(Precision precision);

    private static Parameters weights(Engine engine, ModelConfig config, WeightFormat format) {
        Parameters weights = new Parameters(engine, Launches.withAdapters(config), "weights", format);
        Random random = new Random(5);
        try (Arena arena = Arena.ofConfined()) {
            for (CheckpointTensor tensor : weights.layout().checkpointTensors()) {
                MemorySegment floats = arena.allocate(4 * tensor.size(), 64);
                boolean vector = tensor.shape().size() == 1;
                for (long i = 0; i < tensor.size(); i++) {
                    floats.setAtIndex(FLOAT, i, vector ? 1 + (i % 7) / 16f : (float) random.nextGaussian() * 0.1f);
                }
                weights.buffer().put(tensor.offset(), floats, tensor.size());
            }
        }
        weights.upload();
        return weights;
    }

    private static float[] floats(Buffer buffer, long length) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment floats = arena.allocate(4 * length, 64);
            buffer.get(0, floats, length);
            return floats.toArray(FLOAT);
        }
    }

    /** A matrix in the middle of several, in products of all forms. */
    final void productsComputeAsFloats(Format format, Precision precision, int in, int out, double tolerance) {
        try (Engine engine = engine(precision)) {
            long size = (long) in * out;
            Buffer blocks = engine.allocateWeights(
                    "blocks", List.of(new Format.Span(3 * size, format)), new long[] {0, size, 2 * size});
            Buffer floats = engine.allocate("floats", 3 * size);
            fill(floats, 3 * size);
            blocks.put(0, floats.segment(), 3 * size);
            engine.upload(blocks, 0, 3 * size);
            blocks.get(0, floats.segment(), 3 * size);
            engine.upload(floats, 0, 3 * size);
            int rows = 9;
            Tensor x = filled(engine, (long) rows * in);
            Tensor dy = filled(engine, (long) rows * out);
            List<Tensor> results = new ArrayList<>();
            for (Buffer weights : List.of(blocks, floats)) {
                Tensor weight = new Tensor(weights, size, 0);
                Tensor y = new Tensor(engine.allocate("y", (long) rows * out), 0, 0);
                Tensor y2 = new Tensor(engine.allocate("y of few rows", 2L * out), 0, 0);
                Tensor dx = new Tensor(engine.allocate("dx", (long) rows * in), 0, 0);
                engine.run(
                        ops -> {
                            ops.linear(y, x, weight, null, rows, in, out);
                            ops.linear(y2, x, weight, null, 2, in, out);
                            ops.linearBackwardInput(dx, dy, weight, rows, in, out);
                        },
                        new Inputs(1),
                        0);
                results.addAll(List.of(y, y2, dx));
            }
            for (int i = 0; i < 3; i++) {
                Buffer actual = results.get(i).buffer();
                Buffer expected = results.get(3 + i).buffer();
                engine.download(actual, 0, actual.length());
                engine.download(expected, 0, actual.length());
                near(floats(actual, actual.length()), floats(expected, actual.length()), tolerance);
            }
        }
    }

    private static Tensor filled(Engine engine, long length) {
        Buffer buffer = engine.allocate("filled", length);
        fill(buffer, length);
        engine.upload(buffer, 0, length);
        return new Tensor(buffer, 0, 0);
    }

    private static void fill(Buffer buffer, long length) {
        Random random = new Random(length);
        for (long i = 0; i < length; i++) {
            buffer.segment().setAtIndex(FLOAT, i, (float) random.nextGaussian() * 0.1f);
        }
    }

    /** An adapter's loss and gradients, and logits of single tokens; tolerance 0 asks for the same bits. */
    final void modelsComputeAsFloats(WeightFormat format, Precision precision, double tolerance) {
        ModelConfig config = Launches.config(LLAMA);
        List<List<float[]>> results = new ArrayList<>();
        for (boolean asFloats : List.of(false, true)) {
            try (Engine engine = engine(precision)) {
                Parameters weights = weights(engine, config, format);
                float[] values = floats(weights.buffer(), weights.layout().length());
                for (int i = 0; i < values.length; i += 61) {
                    assertThat(weights.buffer().at(i)).isEqualTo(values[i]);
                }
                if (asFloats) {
                    weights = new Parameters(engine, weights.layout(), "floats");
                    MemorySegment.copy(values, 0, weights.buffer().segment(), FLOAT, 0, values.length);
                    weights.upload();
                }
                Parameters gradients = Launches.adapterStep(engine, weights, 2, 11);
                gradients.download();
                List<float[]> result = new ArrayList<>(
                        List.of(floats(gradients.buffer(), gradients.layout().length())));
                Transformer generation =
                        Transformer.forGeneration(engine, weights, 1, new KeyValueCache(engine, config, 16));
                for (int position = 0; position < 3; position++) {
                    generation.inputs().position = position;
                    generation.inputs().tokens[0] = 7 * position;
                    result.add(generation.logits().toArray(FLOAT));
                }
                results.add(result);
            }
        }
        for (int i = 0; i < results.getFirst().size(); i++) {
            near(results.get(0).get(i), results.get(1).get(i), tolerance);
        }
    }

    private static void near(float[] actual, float[] expected, double tolerance) {
        float largest = 0;
        for (float value : expected) {
            largest = Math.max(largest, Math.abs(value));
        }
        assertThat(largest).isPositive();
        for (int i = 0; i < expected.length; i++) {
            assertThat(actual[i]).as("number " + i).isEqualTo(expected[i], within((float) (tolerance * largest)));
        }
    }

    /** Optimizers' weights and moments, after each step of which those of floats are rounded by the host. */
    final void momentsComputeAsFloats(int count, int steps, boolean sameBits) {
        List<float[]> expected = trained(count, steps, false);
        List<float[]> actual = trained(count, steps, true);
        for (int i = 0; i < expected.size(); i++) {
            float[] e = expected.get(i);
            float[] a = actual.get(i);
            if (sameBits) {
                assertThat(a).as("result " + i).containsExactly(e);
                continue;
            }
            // Where two codes are about as near, or the sign of an update is open, a device may take the other one.
            int far = 0;
            for (int k = 0; k < e.length; k++) {
                far += Math.abs(a[k] - e[k]) > 1e-5f * (Math.abs(e[k]) + 0.01f) ? 1 : 0;
            }
            assertThat(far).as("result " + i).isLessThan(e.length / 200);
        }
    }

    private List<float[]> trained(int count, int steps, boolean eightBits) {
        // A range within blocks, and all.
        int[] ranges = {300, count - 100, 0, count};
        List<float[]> results = new ArrayList<>();
        try (Engine engine = engine(Precision.FP32)) {
            Buffer[] floats = new Buffer[3];
            Arrays.setAll(floats, i -> engine.allocate("floats", count));
            Buffer[] kept = {moments(engine, count, Format.DYNAMIC8), moments(engine, count, Format.DYNAMIC8_UNSIGNED)};
            Buffer m = eightBits ? kept[0] : floats[1];
            Buffer v = eightBits ? kept[1] : floats[2];
            Buffer gradient = engine.allocate("gradient", count);
            Inputs inputs = new Inputs(1);
            Random random = new Random(8);
            AdamW adamw = new AdamW(0.9f, 0.95f, 1e-8f, 0.1f);
            Lion lion = new Lion(0.9f, 0.99f, 0.1f);
            for (int range = 0; range < ranges.length; range += 2) {
                int first = ranges[range];
                int length = ranges[range + 1] - first;
                Tensor[] t = {
                    new Tensor(floats[0], first, 0),
                    new Tensor(gradient, first, 0),
                    new Tensor(m, first, 0),
                    new Tensor(v, first, 0)
                };
                List<Program> programs = List.of(
                        ops -> ops.adamw(t[0], t[1], t[2], t[3], length, adamw),
                        ops -> ops.lion(t[0], t[1], t[2], length, lion),
                        ops -> ops.momentum(t[1], t[2], length, 0.95f));
                for (int step = 0; step < steps * programs.size(); step++) {
                    for (int i = 0; i < count; i++) {
                        float value = (float) (random.nextGaussian() * Math.pow(10, -4 * random.nextDouble()));
                        gradient.segment().setAtIndex(FLOAT, i, value);
                    }
                    engine.upload(gradient, 0, count);
                    inputs.learningRate = 0.01f;
                    engine.run(programs.get(step % programs.size()), inputs, 0);
                    if (!eightBits) {
                        rounded(engine, m, kept[0], first, length);
                        rounded(engine, v, kept[1], first, length);
                    }
                    for (Buffer buffer : List.of(floats[0], m, v, gradient)) {
                        engine.download(buffer, 0, count);
                        results.add(floats(buffer, count));
                    }
                }
            }
        }
        return results;
    }

    private static Buffer moments(Engine engine, int count, Format format) {
        return engine.allocateWeights("moments", List.of(new Format.Span(count, format)), new long[0]);
    }

    private static void rounded(Engine engine, Buffer floats, Buffer kept, int first, int length) {
        long count = floats.length();
        engine.download(floats, 0, count);
        MemorySegment all = floats.segment();
        kept.put(first, all.asSlice(4L * first, 4L * length), length);
        kept.get(0, all, count);
        engine.upload(floats, 0, count);
    }
}
