package dev.whirlwind.tornado;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.GoldenCases;
import dev.whirlwind.model.Initializer;
import dev.whirlwind.model.KeyValueCache;
import dev.whirlwind.model.Lion;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import dev.whirlwind.model.Transformer;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/** Models whose parameters take several arrays compute what they do in one, bit by bit. */
abstract class DividedContract {
    private static final int STEPS = 2;

    abstract Engine engine(Precision precision);

    /** The limit is best the size of the model's largest tensor, the smallest that it can have. */
    final void same(String model, int largestArray, boolean recompute, Precision precision) {
        List<float[]> expected = run(model, recompute, 1, () -> engine(precision));
        System.setProperty("whirlwind.largest-array", String.valueOf(largestArray));
        try {
            assertThat(run(model, recompute, 4, () -> engine(precision))).containsExactlyElementsOf(expected);
        } finally {
            System.clearProperty("whirlwind.largest-array");
        }
    }

    /** All floats that training and generating leave. */
    private List<float[]> run(String model, boolean recompute, int arrays, Supplier<Engine> engines) {
        ModelConfig config = ModelConfig.read(GoldenCases.folder(model));
        List<float[]> floats = new ArrayList<>();
        try (Engine engine = engines.get()) {
            Parameters weights = new Parameters(engine, new ParameterLayout(config), "weights");
            assertThat(arrays(weights.buffer())).isGreaterThanOrEqualTo(arrays);
            Initializer.initialize(weights, 5);
            Transformer transformer = Transformer.forTraining(engine, weights, 2, 8, recompute);
            for (int i = 0; i < transformer.inputs().tokens.length; i++) {
                transformer.inputs().tokens[i] = i * 37 % 200;
                transformer.inputs().targets[i] = (i + 1) * 37 % 200;
            }
            Parameters m = new Parameters(engine, weights.layout(), "m");
            Parameters v = new Parameters(engine, weights.layout(), "v");
            Parameters average = new Parameters(engine, weights.layout(), "average");
            Tensor partials = new Tensor(engine.allocate("partials", Ops.PARTIALS), 0, 0);
            Program update = update(transformer, m, v, average, partials);
            transformer.inputs().learningRate = 1e-2f;
            transformer.inputs().secondMomentDecay = 0.5f;
            for (int step = 0; step < STEPS; step++) {
                floats.add(new float[] {(float) transformer.forwardBackward()});
                engine.run(update, transformer.inputs(), 0);
                floats.add(floats(engine.host(partials, Ops.PARTIALS)));
            }
            transformer.forwardBackward();
            for (Parameters all : List.of(weights, transformer.gradients(), m, v, average)) {
                all.download();
                floats.add(floats(all.buffer().segment()));
            }
            Transformer generation =
                    Transformer.forGeneration(engine, weights, 1, new KeyValueCache(engine, config, 64));
            for (int position = 0; position < 3; position++) {
                generation.inputs().position = position;
                floats.add(floats(generation.logits()));
            }
        }
        return floats;
    }

    private static int arrays(Buffer buffer) {
        return buffer instanceof Divided divided ? divided.arrays().size() : 1;
    }

    private static Program update(
            Transformer transformer, Parameters m, Parameters v, Parameters average, Tensor partials) {
        Parameters weights = transformer.weights();
        Tensor gradients = transformer.gradients().all();
        long length = weights.layout().length();
        return ops -> {
            ops.sumOfSquares(partials, gradients, length);
            ops.pull(gradients, average.all(), weights.all(), m.all(), length, 0.1f);
            ops.unfactoredDirection(gradients, v.all(), length);
            ops.momentum(gradients, m.all(), length, 0.5f);
            ops.descend(weights.all(), gradients, length, 0.5f, 0.1f);
            ops.lion(weights.all(), gradients, m.all(), length, new Lion(0.9f, 0.99f, 0.1f));
            ops.adamw(weights.all(), gradients, m.all(), v.all(), length, new AdamW(0.9f, 0.95f, 1e-8f, 0.1f));
            ops.combine(average.all(), average.all(), weights.all(), length, 0.5f, 0.5f);
            ops.zero(gradients, length);
        };
    }

    private static float[] floats(MemorySegment segment) {
        return segment.toArray(ValueLayout.JAVA_FLOAT);
    }
}
