package dev.whirlwind.tornado;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.whirlwind.model.AttentionShape;
import dev.whirlwind.model.Dropout;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The form of attention for GPUs, on whatever device there is, against the plain form in plain Java. */
class GpuAttentionTest {
    @BeforeAll
    static void needsDevice() {
        Sdk.assumeDevice();
    }

    /**
     * Sequences end within a tile, at its end and beyond; heads that share keys, in parts of one and of several; windows; heads
     * of one element, wide ones, and some too wide for tiles.
     */
    @ParameterizedTest
    @CsvSource({
        "2, 7, 2, 1, 20, 0, 0.3",
        "1, 130, 4, 2, 64, 0, 0",
        "1, 64, 2, 2, 16, 0, 0.1",
        "1, 193, 2, 1, 6, 70, 0.3",
        "1, 65, 3, 1, 128, 1, 0",
        "1, 67, 8, 1, 33, 0, 0.3",
        "1, 131, 1, 1, 1, 0, 0",
        "1, 67, 2, 1, 255, 30, 0.3",
        "22, 5, 7, 1, 6, 0, 0",
        "1, 5, 1, 1, 260, 0, 0.3"
    })
    void agreesWithLoops(int batch, int sequence, int heads, int kvHeads, int headDim, int window, float dropout) {
        AttentionShape shape = new AttentionShape(batch, sequence, heads, kvHeads, headDim, window);
        Dropout site = dropout == 0 ? Dropout.NONE : new Dropout(dropout, Dropout.ATTENTION);
        float[] expected = run(new LoopsEngine(), shape, site);
        float[] actual = run(Sdk.engineForGpus(), shape, site);
        for (int i = 0; i < expected.length; i++) {
            float limit = 2e-5f * (1 + Math.abs(expected[i]));
            assertThat(actual[i]).as("element %d", i).isCloseTo(expected[i], offset(limit));
        }
    }

    /**
     * A prompt, then a token, past 256 keys at a time and past the ends of parts; up to eight heads, and more, that share keys;
     * heads that do not divide a group, and too wide for one.
     */
    @ParameterizedTest
    @CsvSource({
        "300, 4, 2, 20, 0",
        "258, 2, 2, 64, 100",
        "530, 8, 1, 17, 0",
        "140, 12, 1, 33, 90",
        "64, 9, 1, 1, 0",
        "129, 2, 1, 256, 0",
        "257, 1, 1, 260, 0"
    })
    void cachedAgreesWithLoops(int prompt, int heads, int kvHeads, int headDim, int window) {
        AttentionShape rows = new AttentionShape(1, prompt, heads, kvHeads, headDim, window);
        AttentionShape row = new AttentionShape(1, 1, heads, kvHeads, headDim, window);
        float[] expected = generate(new LoopsEngine(), rows, row);
        float[] actual = generate(Sdk.engineForGpus(), rows, row);
        for (int i = 0; i < expected.length; i++) {
            float limit = 2e-5f * (1 + Math.abs(expected[i]));
            assertThat(actual[i]).as("element %d", i).isCloseTo(expected[i], offset(limit));
        }
    }

    /** Output of the prompt and of the token after it. */
    private static float[] generate(Engine engine, AttentionShape rows, AttentionShape row) {
        try (engine) {
            Random random = new Random(rows.hashCode());
            int capacity = rows.sequence() + 1;
            Tensor cache = tensor(engine, capacity * 2 * rows.kvHeads() * rows.headDim(), random);
            Tensor qkv = tensor(engine, rows.rows() * rows.qkvWidth(), random);
            Tensor next = tensor(engine, row.qkvWidth(), random);
            Tensor out = tensor(engine, rows.rows() * rows.outWidth(), random);
            Tensor nextOut = tensor(engine, row.outWidth(), random);
            Inputs inputs = new Inputs(rows.rows());
            Program prompt = ops -> ops.cachedAttention(out, cache, qkv, rows, capacity);
            Program token = ops -> ops.cachedAttention(nextOut, cache, next, row, capacity);
            engine.run(prompt, inputs, 0);
            inputs.position = rows.sequence();
            engine.run(token, inputs, 0);
            return values(engine, out, nextOut);
        }
    }

    /** Output, log-sum-exp and gradients. */
    private static float[] run(Engine engine, AttentionShape s, Dropout dropout) {
        try (engine) {
            Random random = new Random(s.hashCode());
            Tensor qkv = tensor(engine, s.rows() * s.qkvWidth(), random);
            Tensor dout = tensor(engine, s.rows() * s.outWidth(), random);
            Tensor out = tensor(engine, s.rows() * s.outWidth(), random);
            Tensor lse = tensor(engine, s.rows() * s.heads(), random);
            Tensor delta = tensor(engine, s.rows() * s.heads(), random);
            Tensor dqkv = tensor(engine, s.rows() * s.qkvWidth(), random);
            Inputs inputs = new Inputs(s.rows());
            inputs.seed = 0x123456789abcdefL;
            inputs.step = 77;
            Program program = ops -> {
                ops.attention(out, lse, qkv, s, dropout);
                ops.attentionBackward(dqkv, dout, out, lse, qkv, delta, s, dropout);
            };
            engine.run(program, inputs, 0);
            return values(engine, out, lse, dqkv);
        }
    }

    private static float[] values(Engine engine, Tensor... results) {
        int length = 0;
        for (Tensor t : results) {
            length += Math.toIntExact(t.buffer().length());
        }
        float[] all = new float[length];
        int at = 0;
        for (Tensor t : results) {
            float[] values = engine.host(
                            new Tensor(t.buffer(), 0, 0), t.buffer().length())
                    .toArray(ValueLayout.JAVA_FLOAT);
            System.arraycopy(values, 0, all, at, values.length);
            at += values.length;
        }
        return all;
    }

    /** With room around it, which must stay as it was. */
    private static Tensor tensor(Engine engine, int length, Random random) {
        Tensor tensor = new Tensor(engine.allocate("x", length + 200L), 100, 0);
        for (int i = 0; i < length + 200; i++) {
            tensor.buffer().segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
        }
        return tensor;
    }
}
