package dev.whirlwind.benchmarks;

import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import java.lang.foreign.ValueLayout;
import java.util.Random;
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
 * The three products of a linear layer at the shapes of GPT-2 (4 x 64 and 8 x 64 tokens),
 * the 15M Llama (8 x 256) and the byte model (16 x 256); {@code gflop} is GFLOP/s.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(
        value = 1,
        jvmArgsAppend = {
            "--add-modules=jdk.incubator.vector",
            "-Djdk.incubator.vector.VECTOR_ACCESS_OOB_CHECK=0",
            "--enable-native-access=ALL-UNNAMED"
        })
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class GemmBenchmark {
    private static final int SAMPLES = 100;

    /** rows x in x out. */
    @Param({
        "256x768x2304", "256x768x768", "256x768x3072", "256x3072x768", "256x768x50257",
        "512x768x2304", "512x768x768", "512x768x3072", "512x3072x768", "512x768x50257",
        "2048x288x864", "2048x288x288", "2048x288x1536", "2048x768x288", "2048x288x32000",
        "4096x256x768", "4096x256x256", "4096x256x1376", "4096x688x256", "257x301x97"
    })
    public String shape;

    @Param("cpu")
    public String engine;

    private int rows;
    private int in;
    private int out;
    private Engine device;
    private Tensor x;
    private Tensor weight;
    private Tensor y;
    private Tensor dx;
    private Tensor dweight;
    private Inputs inputs;
    private Program forward;
    private Program backwardInput;
    private Program backwardWeight;

    @Setup(Level.Trial)
    public void setUp() {
        String[] sizes = shape.split("x", -1);
        rows = Integer.parseInt(sizes[0]);
        in = Integer.parseInt(sizes[1]);
        out = Integer.parseInt(sizes[2]);
        device = BenchmarkEngines.open(engine);
        Random random = new Random(1);
        x = tensor((long) rows * in, random);
        weight = tensor((long) out * in, random);
        y = tensor((long) rows * out, random);
        dx = tensor((long) rows * in, random);
        dweight = new Tensor(device.allocate("dweight", (long) out * in), 0, 0);
        inputs = new Inputs(1);
        forward = ops -> ops.linear(y, x, weight, null, rows, in, out);
        backwardInput = ops -> ops.linearBackwardInput(dx, y, weight, rows, in, out);
        backwardWeight = ops -> ops.linearBackwardWeight(dweight, null, y, x, rows, in, out);
        device.run(forward, inputs, 0);
        device.run(backwardInput, inputs, 0);
        device.run(backwardWeight, inputs, 0);
        device.download(y.buffer(), 0, y.buffer().length());
        device.download(dx.buffer(), 0, dx.buffer().length());
        device.download(dweight.buffer(), 0, dweight.buffer().length());
        for (int sample = 0; sample < SAMPLES; sample++) {
            int r = random.nextInt(rows);
            int i = random.nextInt(in);
            int o = random.nextInt(out);
            check(y, (long) r * out + o, dot(x, (long) r * in, 1, weight, (long) o * in, 1, in));
            check(dx, (long) r * in + i, dot(y, (long) r * out, 1, weight, i, in, out));
            check(dweight, (long) o * in + i, dot(y, o, out, x, i, in, rows));
        }
    }

    @TearDown(Level.Trial)
    public void close() {
        device.close();
    }

    /** y = x * W^T. */
    @Benchmark
    public void forward(Work work) {
        device.run(forward, inputs, 0);
        work.gflop += 2e-9 * rows * in * out;
    }

    /** dx = dy * W. */
    @Benchmark
    public void backwardInput(Work work) {
        device.run(backwardInput, inputs, 0);
        work.gflop += 2e-9 * rows * in * out;
    }

    /** dW += dy^T * x. */
    @Benchmark
    public void backwardWeight(Work work) {
        device.run(backwardWeight, inputs, 0);
        work.gflop += 2e-9 * rows * in * out;
    }

    private Tensor tensor(long length, Random random) {
        Buffer buffer = device.allocate("operand", length);
        for (long i = 0; i < length; i++) {
            buffer.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, random.nextFloat() - 0.5f);
        }
        device.upload(buffer, 0, length);
        return new Tensor(buffer, 0, 0);
    }

    private static double dot(Tensor a, long aStart, long aStep, Tensor b, long bStart, long bStep, int count) {
        double sum = 0;
        for (int k = 0; k < count; k++) {
            sum += (double) get(a, aStart + k * aStep) * get(b, bStart + k * bStep);
        }
        return sum;
    }

    private static void check(Tensor result, long index, double expected) {
        double actual = get(result, index);
        if (!(Math.abs(actual - expected) <= 1e-4 * (1 + Math.abs(expected)))) {
            throw new AssertionError("element " + index + " is " + actual + ", not " + expected);
        }
    }

    private static float get(Tensor tensor, long index) {
        return tensor.buffer().segment().getAtIndex(ValueLayout.JAVA_FLOAT, index);
    }
}
