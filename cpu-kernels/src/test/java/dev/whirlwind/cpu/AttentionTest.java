package dev.whirlwind.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.model.AttentionShape;
import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Dropout;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Reference;
import dev.whirlwind.model.Tensor;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Attention around the sizes of its tiles, in one pass and in two, against double formulas. */
class AttentionTest {
    private static final int ONE_PASS_THREADS = 1;
    private static final int TWO_PASS_THREADS = 5;
    private static final int LAYER = 3;

    @ParameterizedTest
    @CsvSource({
        "1, 1, 4, 2, 20, 0",
        "1, 2, 4, 2, 20, 0",
        "1, 63, 4, 2, 20, 0",
        "1, 64, 2, 1, 64, 0",
        "2, 65, 3, 1, 48, 0",
        "1, 130, 4, 2, 20, 0",
        "1, 200, 4, 2, 16, 40",
        "1, 200, 2, 2, 24, 64",
        "1, 193, 2, 1, 8, 1",
        "1, 66, 2, 1, 256, 65",
        "1, 130, 2, 1, 16, 2",
        "1, 260, 2, 1, 16, 66"
    })
    void agreesWithTheFormulas(int batch, int sequence, int heads, int kvHeads, int headDim, int window) {
        AttentionShape shape = new AttentionShape(batch, sequence, heads, kvHeads, headDim, window);
        for (Dropout dropout : new Dropout[] {Dropout.NONE, new Dropout(0.2f, Dropout.ATTENTION)}) {
            long seed = new SplittableRandom().nextLong();
            RandomGenerator random = new SplittableRandom(seed);
            double[] qkv = normal(random, shape.rows() * shape.qkvWidth());
            double[] dout = normal(random, shape.rows() * shape.outWidth());
            Inputs inputs = new Inputs(shape.rows());
            inputs.seed = seed;
            inputs.step = 17;
            for (int i = 0; i < inputs.tokens.length; i++) {
                inputs.tokens[i] = random.nextInt(40);
            }
            // Documents of some 40 tokens, or of 3, or none.
            int separators = random.nextInt(3);
            if (separators > 0) {
                for (int i = 0; separators > 1 && i < inputs.tokens.length; i++) {
                    inputs.tokens[i] /= 13;
                }
                inputs.divideDocuments(0, sequence);
            }
            float[][] one = run(ONE_PASS_THREADS, shape, dropout, inputs, qkv, dout);
            float[][] two = run(TWO_PASS_THREADS, shape, dropout, inputs, qkv, dout);
            String what = shape + " " + dropout + " seed " + seed;
            assertThat(two).as(what).isDeepEqualTo(one);

            double[] mask = Reference.mask(inputs, LAYER, dropout, shape.rows() * shape.heads() * shape.sequence());
            assertClose(one[0], Reference.attention(qkv, shape, LAYER, inputs.starts, mask), "out of " + what);
            assertClose(one[1], Reference.attentionLse(qkv, shape, LAYER, inputs.starts), "lse of " + what);
            assertClose(one[2], gradient(qkv, dout, shape, inputs.starts, mask), "dqkv of " + what);
        }
    }

    /** Scores of which most exponentials are 0, the largest at the start, at the end, or anywhere. */
    @Test
    void largeScoresStayFinite() {
        AttentionShape shape = new AttentionShape(1, 200, 2, 1, 20, 70);
        RandomGenerator random = new SplittableRandom();
        double[] qkv = normal(random, shape.rows() * shape.qkvWidth());
        for (int i = 0; i < qkv.length; i++) {
            qkv[i] *= i % shape.qkvWidth() < shape.valueOffset() ? 300 : 1;
        }
        double[] dout = normal(random, shape.rows() * shape.outWidth());
        float[][] result = run(2, shape, Dropout.NONE, new Inputs(shape.rows()), qkv, dout);
        for (float[] values : result) {
            for (float v : values) {
                assertThat(v).isFinite();
            }
        }
    }

    /** out, lse, dqkv. */
    private static float[][] run(
            int threads, AttentionShape shape, Dropout dropout, Inputs inputs, double[] qkv, double[] dout) {
        try (CpuEngine engine = new CpuEngine(threads)) {
            Tensor x = tensor(engine, qkv);
            Tensor d = tensor(engine, dout);
            Tensor out = tensor(engine, nan(dout.length));
            Tensor lse = tensor(engine, nan(shape.rows() * shape.heads()));
            Tensor delta = tensor(engine, nan(shape.rows() * shape.heads()));
            Tensor dqkv = tensor(engine, nan(qkv.length));
            engine.run(
                    ops -> {
                        ops.attention(out, lse, x, shape, dropout);
                        ops.attentionBackward(dqkv, d, out, lse, x, delta, shape, dropout);
                    },
                    inputs,
                    LAYER);
            return new float[][] {floats(out), floats(lse), floats(dqkv)};
        }
    }

    /** The gradient of sum(dout * attention(qkv)), written out without tiles. */
    private static double[] gradient(double[] qkv, double[] dout, AttentionShape s, int[] starts, double[] mask) {
        double[] lse = Reference.attentionLse(qkv, s, LAYER, starts);
        double[] gradient = new double[qkv.length];
        double scale = 1 / Math.sqrt(s.headDim());
        for (int b = 0; b < s.batch(); b++) {
            for (int h = 0; h < s.heads(); h++) {
                int k = s.heads() + h / (s.heads() / s.kvHeads());
                int v = k + s.kvHeads();
                for (int t = 0; t < s.sequence(); t++) {
                    int row = (b * s.heads() + h) * s.sequence() + t;
                    double[] p = new double[t + 1];
                    double[] dp = new double[t + 1];
                    double sum = 0;
                    for (int u = Math.max(s.layer(LAYER).firstKey(t), starts[b * s.sequence() + t]); u <= t; u++) {
                        double score = 0;
                        for (int c = 0; c < s.headDim(); c++) {
                            score += qkv[at(s, b, t, h, c)] * qkv[at(s, b, u, k, c)] * scale;
                            dp[u] += dout[((b * s.sequence() + t) * s.heads() + h) * s.headDim() + c]
                                    * qkv[at(s, b, u, v, c)];
                        }
                        p[u] = Math.exp(score - lse[row]);
                        dp[u] *= mask[row * s.sequence() + u];
                        sum += p[u] * dp[u];
                    }
                    for (int u = Math.max(s.layer(LAYER).firstKey(t), starts[b * s.sequence() + t]); u <= t; u++) {
                        double ds = p[u] * (dp[u] - sum) * scale;
                        double kept = p[u] * mask[row * s.sequence() + u];
                        for (int c = 0; c < s.headDim(); c++) {
                            gradient[at(s, b, t, h, c)] += ds * qkv[at(s, b, u, k, c)];
                            gradient[at(s, b, u, k, c)] += ds * qkv[at(s, b, t, h, c)];
                            gradient[at(s, b, u, v, c)] +=
                                    kept * dout[((b * s.sequence() + t) * s.heads() + h) * s.headDim() + c];
                        }
                    }
                }
            }
        }
        return gradient;
    }

    private static int at(AttentionShape s, int batch, int place, int head, int column) {
        return (batch * s.sequence() + place) * s.qkvWidth() + head * s.headDim() + column;
    }

    private static void assertClose(float[] actual, double[] expected, String what) {
        double size =
                Math.sqrt(Arrays.stream(expected).map(v -> v * v).average().orElse(0));
        for (int i = 0; i < expected.length; i++) {
            // Where dropout leaves nothing, size is 0, and so must the values be.
            if (!(Math.abs(actual[i] - expected[i]) <= 2e-5 * (size + Math.abs(expected[i])))) {
                throw new AssertionError(what + ": element " + i + " is " + actual[i] + ", not " + expected[i]);
            }
        }
    }

    private static double[] normal(RandomGenerator random, int length) {
        return DoubleStream.generate(() -> (float) random.nextGaussian())
                .limit(length)
                .toArray();
    }

    private static double[] nan(int length) {
        double[] values = new double[length];
        Arrays.fill(values, Double.NaN);
        return values;
    }

    private static Tensor tensor(CpuEngine engine, double[] values) {
        Buffer buffer = engine.allocate("test", values.length);
        for (int i = 0; i < values.length; i++) {
            buffer.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) values[i]);
        }
        return new Tensor(buffer, 0, 0);
    }

    private static float[] floats(Tensor tensor) {
        return tensor.buffer().segment().toArray(ValueLayout.JAVA_FLOAT);
    }
}
