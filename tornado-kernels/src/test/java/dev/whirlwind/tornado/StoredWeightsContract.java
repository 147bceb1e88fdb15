package dev.whirlwind.tornado;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.GoldenCases;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.StochasticRounding;
import dev.whirlwind.model.Tensor;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.WeightFormat;
import dev.whirlwind.model.safetensors.Conversion;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;

/** Weights of 16 bits compute what floats of the same values do. */
abstract class StoredWeightsContract {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

    abstract Engine engine(Precision precision);

    /** A model with some weights, rounded; as floats where the format says so. */
    private static Parameters weights(Engine engine, ModelConfig config, WeightFormat format) {
        Parameters weights = new Parameters(engine, new ParameterLayout(config), "weights", format);
        Random random = new Random(5);
        try (Arena arena = Arena.ofConfined()) {
            for (CheckpointTensor tensor : weights.layout().checkpointTensors()) {
                MemorySegment floats = arena.allocate(4 * tensor.size(), 64);
                for (long i = 0; i < tensor.size(); i++) {
                    float value = (float) random.nextGaussian() * 0.1f;
                    float rounded = Float.intBitsToFloat(Conversion.toBFloat16(Float.floatToRawIntBits(value)) << 16);
                    floats.setAtIndex(FLOAT, i, format == WeightFormat.FP32 ? rounded : value);
                }
                if (tensor.shape().size() == 1) {
                    for (long i = 0; i < tensor.size(); i++) {
                        floats.setAtIndex(FLOAT, i, 1 + (i % 7) / 16f);
                    }
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

    /** Losses, gradients and an update; tolerance 0 asks for the same bits. */
    final void same(String model, boolean recompute, double tolerance) {
        ModelConfig config = ModelConfig.read(GoldenCases.folder(model));
        AdamW settings = new AdamW(0.9f, 0.95f, 1e-8f, 0.1f);
        float[][] gradients = new float[2][];
        float[][] updated = new float[2][];
        double[] losses = new double[4];
        for (int i = 0; i < 2; i++) {
            try (Engine engine = engine(Precision.FP32)) {
                Parameters weights = weights(engine, config, i == 0 ? WeightFormat.FP32 : WeightFormat.BF16);
                Transformer transformer = Transformer.forTraining(engine, weights, 2, 8, recompute);
                Inputs inputs = transformer.inputs();
                for (int t = 0; t < inputs.tokens.length; t++) {
                    inputs.tokens[t] = t * 37 % 200;
                    inputs.targets[t] = (t + 1) * 37 % 200;
                }
                inputs.seed = 0x1234_5678_9abcL;
                inputs.step = 4;
                inputs.learningRate = 1e-3f;
                losses[2 * i] = transformer.evaluate();
                losses[2 * i + 1] = transformer.forwardBackward();
                Parameters gradient = transformer.gradients();
                gradient.download();
                gradients[i] = floats(gradient.buffer(), gradient.layout().length());
                Parameters m = new Parameters(engine, weights.layout(), "m");
                Parameters v = new Parameters(engine, weights.layout(), "v");
                long matrices = weights.layout().decayedLength();
                engine.run(
                        ops -> ops.adamw(weights.all(), gradient.all(), m.all(), v.all(), matrices, settings),
                        inputs,
                        0);
                weights.download();
                updated[i] = floats(weights.buffer(), matrices);
                // Rounding what it has rounded changes nothing.
                Tensor all = weights.all();
                engine.run(ops -> ops.combine(all, all, all, matrices, 1, 0), inputs, 0);
                weights.download();
                assertThat(floats(weights.buffer(), matrices)).containsExactly(updated[i]);
            }
        }
        assertThat(losses[2]).isEqualTo(losses[0], within(tolerance * losses[0]));
        assertThat(losses[3]).isEqualTo(losses[1], within(tolerance * losses[1]));
        for (int i = 0; i < gradients[0].length; i++) {
            assertThat(gradients[1][i]).isEqualTo(gradients[0][i], within((float) tolerance));
        }
        if (tolerance > 0) {
            return;
        }
        Inputs inputs = new Inputs(1);
        inputs.seed = 0x1234_5678_9abcL;
        inputs.step = 4;
        int key = (int) StochasticRounding.key(inputs, StochasticRounding.UPDATE);
        int changed = 0;
        for (int i = 0; i < updated[0].length; i++) {
            short rounded =
                    StochasticRounding.round(Float.floatToRawIntBits(updated[0][i]), StochasticRounding.bits(key, i));
            assertThat(updated[1][i]).isEqualTo(Float.intBitsToFloat(rounded << 16));
            changed += Float.floatToRawIntBits(updated[0][i]) << 16 == 0 ? 0 : 1;
        }
        assertThat(changed).isGreaterThan(updated[0].length / 2);
    }

    final void otherFormatsAreRefused() {
        ModelConfig config = ModelConfig.read(GoldenCases.folder("llama"));
        try (Engine engine = engine(Precision.FP16)) {
            assertThatThrownBy(() -> weights(engine, config, WeightFormat.BF16))
                    .isInstanceOf(UserException.class)
                    .hasMessageContainingAll("bf16", "--engine cpu");
        }
    }
}
