package dev.whirlwind.benchmarks;

import dev.whirlwind.cli.cost.ModelFlops;
import dev.whirlwind.cli.cost.OperationCost;
import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Initializer;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.training.optimizers.Optimizer;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Whole training steps: forward, backward, clipping and AdamW on random tokens. The first step's loss and the norm of its
 * gradients are compared with the cpu engine's (or, of that, with those of plain loops, where the model is small).
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(
        value = 1,
        jvmArgsAppend = {
            "--add-modules=jdk.incubator.vector",
            "-Djdk.incubator.vector.VECTOR_ACCESS_OOB_CHECK=0",
            "--enable-native-access=ALL-UNNAMED"
        })
public class StepBenchmark {
    private static final double TOLERANCE = 1e-4;

    /** Preset, sequences, tokens of each. */
    @Param({"byte-tiny 16 256", "llama-15m 8 256", "gpt2 4 64", "gpt2 1 512"})
    public String model;

    @Param("cpu")
    public String engine;

    private Training timed;

    private static final class Training implements AutoCloseable {
        final Engine engine;
        final Transformer transformer;
        final Optimizer optimizer;
        final OperationCost cost;

        Training(Engine engine, String model) {
            this.engine = engine;
            String[] parts = model.split(" ", -1);
            int batch = Integer.parseInt(parts[1]);
            int sequence = Integer.parseInt(parts[2]);
            ModelConfig config = ModelConfig.preset(parts[0]).withDropout(0);
            Parameters weights = new Parameters(engine, new ParameterLayout(config), "weights");
            Initializer.initialize(weights, 1);
            transformer = Transformer.forTraining(engine, weights, batch, sequence, false);
            SplittableRandom random = new SplittableRandom(1);
            for (int i = 0; i < batch * sequence; i++) {
                transformer.inputs().tokens[i] = random.nextInt(config.vocabularySize());
                transformer.inputs().targets[i] = random.nextInt(config.vocabularySize());
            }
            transformer.inputs().lossScale = 1f / ((float) batch * sequence);
            optimizer = new Optimizer(engine, transformer, new AdamW(0.9f, 0.95f, 1e-8f, 0.1f), 1);
            cost = new OperationCost(ModelFlops.step(config, batch, sequence), 0);
        }

        /** Loss and gradient norm. */
        double[] step() {
            double loss = transformer.forwardBackward();
            double norm = optimizer.gradientNorm();
            optimizer.update(1e-5, norm);
            return new double[] {loss, norm};
        }

        @Override
        public void close() {
            engine.close();
        }
    }

    /** Runs the first step and compares it. */
    @Setup(Level.Trial)
    public void prepareAndCheck() {
        double[] right = null;
        if (!engine.equals("cpu") || model.startsWith("byte-tiny 1 ")) {
            try (Training reference = new Training(BenchmarkEngines.reference(engine), model)) {
                right = reference.step();
            }
        }
        timed = new Training(BenchmarkEngines.open(engine), model);
        double[] ours = timed.step();
        for (int i = 0; i < ours.length; i++) {
            double expected = right == null ? ours[i] : right[i];
            if (!(Math.abs(ours[i] - expected) <= TOLERANCE * Math.abs(expected))) {
                throw new IllegalStateException("a step of " + model + " on " + engine + " has the "
                        + (i == 0 ? "loss " : "gradient norm ") + ours[i] + ", not " + expected);
            }
        }
    }

    @TearDown(Level.Trial)
    public void close() {
        timed.close();
    }

    /** One step. */
    @Benchmark
    public double[] step(Work work) {
        work.add(timed.cost);
        return timed.step();
    }
}
