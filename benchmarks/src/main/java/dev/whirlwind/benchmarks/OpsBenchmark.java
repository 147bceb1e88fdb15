package dev.whirlwind.benchmarks;

import dev.whirlwind.cli.cost.OperationCost;
import dev.whirlwind.model.Activation;
import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.AttentionShape;
import dev.whirlwind.model.Dropout;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
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
 * Every operation of {@link Ops} at the sizes of a small Llama block, on vectors (cpu), as scalar loops (loops) and on a device
 * (tornado). Before anything is timed, the engine's result is compared with another engine's.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
        value = 1,
        jvmArgsAppend = {
            "--add-modules=jdk.incubator.vector",
            "-Djdk.incubator.vector.VECTOR_ACCESS_OOB_CHECK=0",
            "--enable-native-access=ALL-UNNAMED"
        })
public class OpsBenchmark {
    private static final int BATCH = 2;
    private static final int HEADS = 4;
    private static final int KV_HEADS = 2;
    private static final Dropout DROPOUT = new Dropout(0.1f, Dropout.MLP_RESIDUAL);
    private static final double TOLERANCE = 1e-4;

    @Param({
        "embed",
        "embedBackward",
        "layerNorm",
        "layerNormBackward",
        "rmsNorm",
        "rmsNormBackward",
        "headNorm",
        "headNormBackward",
        "linear",
        "linearBackwardInput",
        "linearBackwardWeight",
        "rope",
        "ropeBackward",
        "attention",
        "attentionBackward",
        "cachedAttention",
        "gelu",
        "geluBackward",
        "swiglu",
        "swigluBackward",
        "add",
        "dropout",
        "headLoss",
        "headLossBackward",
        "sumOfSquares",
        "adamw",
        "zero"
    })
    public String operation;

    @Param({"cpu", "loops"})
    public String engine;

    /** The model's width; the other sizes are in proportion. */
    @Param("256")
    public int width;

    private Case timed;

    /** An operation on an engine: outputs come first among its tensors, and hold zeros before the first run. */
    private static final class Case implements AutoCloseable {
        private static final int OUTPUTS = 3;
        private static final int INPUTS = 8;

        final Engine engine;
        final int width;
        final int sequence;
        final int rows;
        final int intermediate;
        final int vocabulary;

        /** Room enough for each of the tensors. */
        final int largest;

        final AttentionShape attention;
        final Tensor[] out = new Tensor[OUTPUTS];
        final Tensor[] in = new Tensor[INPUTS];
        final Inputs inputs;
        final Program program;
        final OperationCost cost;

        Case(Engine engine, String operation, int width) {
            this.engine = engine;
            this.width = width;
            sequence = width / 2;
            rows = BATCH * sequence;
            intermediate = width * 43 / 16;
            vocabulary = 8 * width;
            largest = vocabulary * width;
            attention = new AttentionShape(BATCH, sequence, HEADS, KV_HEADS, width / HEADS, 0);
            inputs = new Inputs(rows);
            SplittableRandom random = new SplittableRandom(1);
            for (int i = 0; i < OUTPUTS; i++) {
                out[i] = new Tensor(engine.allocate("out" + i, largest), 0, 0);
            }
            for (int i = 0; i < INPUTS; i++) {
                in[i] = new Tensor(engine.allocate("in" + i, largest), 0, 0);
                MemorySegment values = in[i].buffer().segment();
                for (int k = 0; k < largest; k++) {
                    values.setAtIndex(ValueLayout.JAVA_FLOAT, k, (float) random.nextDouble(0.05, 1));
                }
                engine.upload(in[i].buffer(), 0, largest);
            }
            for (int i = 0; i < rows; i++) {
                inputs.tokens[i] = random.nextInt(vocabulary);
                inputs.targets[i] = random.nextInt(vocabulary);
            }
            inputs.lossScale = 1f / rows;
            inputs.learningRate = 1e-3f;
            program = ops -> issue(ops, operation);
            cost = OperationCost.of(program, 0);
        }

        void run() {
            engine.run(program, inputs, 0);
        }

        @Override
        public void close() {
            engine.close();
        }

        private void issue(Ops ops, String operation) {
            Tensor a = in[0];
            Tensor b = in[1];
            Tensor c = in[2];
            Tensor d = in[3];
            switch (operation) {
                case "embed" -> ops.embed(out[0], a, b, BATCH, sequence, width);
                case "embedBackward" -> ops.embedBackward(out[0], out[1], a, BATCH, sequence, width);
                case "layerNorm" -> ops.layerNorm(out[0], out[1], out[2], a, b, c, rows, width, 1e-5f);
                case "layerNormBackward" ->
                    ops.layerNormBackward(out[0], out[1], out[2], a, b, c, d, in[4], rows, width);
                case "rmsNorm" -> ops.rmsNorm(out[0], out[1], a, b, rows, width, 1e-5f);
                case "rmsNormBackward" -> ops.rmsNormBackward(out[0], out[1], a, b, c, d, rows, width);
                case "headNorm" -> ops.headNorm(out[0], out[1], a, b, c, attention, 1e-5f);
                case "headNormBackward" -> ops.headNormBackward(out[0], out[1], out[2], a, b, c, d, in[4], attention);
                case "linear" -> ops.linear(out[0], a, b, c, rows, width, intermediate);
                case "linearBackwardInput" -> ops.linearBackwardInput(out[0], a, b, rows, width, intermediate);
                case "linearBackwardWeight" ->
                    ops.linearBackwardWeight(out[0], out[1], a, b, rows, width, intermediate);
                case "rope" -> ops.rope(a, b, c, attention);
                case "ropeBackward" -> ops.ropeBackward(a, b, c, attention);
                case "attention" -> ops.attention(out[0], out[1], a, attention, Dropout.NONE);
                case "attentionBackward" -> ops.attentionBackward(out[0], a, b, c, d, out[1], attention, Dropout.NONE);
                case "cachedAttention" ->
                    ops.cachedAttention(
                            out[0],
                            out[1],
                            a,
                            new AttentionShape(1, sequence, HEADS, KV_HEADS, width / HEADS, 0),
                            sequence);
                case "gelu" -> ops.activation(out[0], a, Activation.GELU_TANH, rows, intermediate);
                case "geluBackward" -> ops.activationBackward(out[0], a, b, Activation.GELU_TANH, rows, intermediate);
                case "swiglu" -> ops.gated(out[0], a, Activation.SILU, rows, intermediate);
                case "swigluBackward" -> ops.gatedBackward(out[0], a, b, Activation.SILU, rows, intermediate);
                case "add" -> ops.add(out[0], a, b, rows, width);
                case "dropout" -> ops.dropout(out[0], a, rows, width, DROPOUT);
                case "headLoss" -> ops.headLoss(out[0], a, b, rows, width, vocabulary);
                case "headLossBackward" -> ops.headLossBackward(out[0], out[1], out[2], a, b, rows, width, vocabulary);
                case "sumOfSquares" -> ops.sumOfSquares(out[0], a, (long) width * intermediate);
                case "adamw" ->
                    ops.adamw(
                            out[0],
                            a,
                            out[1],
                            out[2],
                            (long) width * intermediate,
                            new AdamW(0.9f, 0.95f, 1e-8f, 0.1f));
                case "zero" -> ops.zero(out[0], (long) width * intermediate);
                default -> throw new IllegalArgumentException("no operation " + operation);
            }
        }
    }

    /** Runs the operation once and compares all it wrote with what another engine writes. */
    @Setup(Level.Trial)
    public void prepareAndCheck() {
        timed = new Case(BenchmarkEngines.open(engine), operation, width);
        timed.run();
        try (Case other = new Case(BenchmarkEngines.reference(engine), operation, width)) {
            other.run();
            for (int i = 0; i < Case.OUTPUTS; i++) {
                compare(timed.engine.host(timed.out[i], timed.largest), other.engine.host(other.out[i], other.largest));
            }
            // What an operation changes in place is an input.
            compare(timed.engine.host(timed.in[0], timed.largest), other.engine.host(other.in[0], other.largest));
        }
    }

    /** Sums may differ by how a kernel divides them among lanes: their total, say, is compared where that is so. */
    private void compare(MemorySegment ours, MemorySegment right) {
        double difference = 0;
        double norm = 0;
        double sum = 0;
        double rightSum = 0;
        for (int k = 0; k < timed.largest; k++) {
            double x = ours.getAtIndex(ValueLayout.JAVA_FLOAT, k);
            double y = right.getAtIndex(ValueLayout.JAVA_FLOAT, k);
            difference += (x - y) * (x - y);
            norm += y * y;
            sum += x;
            rightSum += y;
        }
        boolean same = operation.equals("sumOfSquares")
                ? Math.abs(sum - rightSum) <= TOLERANCE * Math.abs(rightSum)
                : Math.sqrt(difference) <= TOLERANCE * Math.sqrt(norm);
        if (!same) {
            throw new IllegalStateException(operation + " on " + engine + " differs from another engine's result");
        }
    }

    @TearDown(Level.Trial)
    public void close() {
        timed.close();
    }

    /** One run. */
    @Benchmark
    public void run(Work work) {
        timed.run();
        work.add(timed.cost);
    }
}
