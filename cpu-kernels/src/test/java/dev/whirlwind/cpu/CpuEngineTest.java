package dev.whirlwind.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import dev.whirlwind.model.Activation;
import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.AttentionShape;
import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Dropout;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import dev.whirlwind.model.UserException;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class CpuEngineTest {
    private static final int CAPACITY = 90;

    /** Bytes in 10 runs; an object for each of 260 rows, the smallest there is, would be 41 600. */
    private static final long ALLOCATION_LET_PASS = 40_000;

    /** Every operation, on random tensors. */
    private static final class Everything {
        final List<Tensor> tensors = new ArrayList<>();
        final List<Program> operations = new ArrayList<>();
        final Program generation;
        final Inputs inputs;
        final CpuEngine engine;
        private final RandomGenerator random;

        Everything(CpuEngine engine, long seed, int batch, int sequence, int width, int vocabulary) {
            this.engine = engine;
            random = new SplittableRandom(seed);
            int rows = batch * sequence;
            int out = width / 2;
            inputs = new Inputs(rows);
            for (int i = 0; i < rows; i++) {
                inputs.tokens[i] = random.nextInt(vocabulary);
                inputs.targets[i] = random.nextInt(vocabulary + 10) - 10;
            }
            inputs.seed = seed;
            inputs.position = 7;
            inputs.learningRate = 0.1f;
            AttentionShape shape = new AttentionShape(batch, sequence, 4, 2, 20, 0);
            AttentionShape windowed = new AttentionShape(batch, sequence, 3, 1, 12, 30);
            AttentionShape single = new AttentionShape(1, sequence, 4, 2, 20, 0);
            Dropout dropout = new Dropout(0.1f, Dropout.ATTENTION);
            int qkv = rows * shape.qkvWidth();
            AdamW settings = new AdamW(0.9f, 0.95f, 1e-8f, 0.1f);

            Tensor[] t = tensors(rows * width, vocabulary * width, (sequence + 7) * width);
            operations.add(ops -> ops.embed(t[0], t[1], t[2], batch, sequence, width));
            operations.add(ops -> ops.embedBackward(t[1], t[2], t[0], batch, sequence, width));
            Tensor[] n = tensors(rows * width, rows, rows, rows * width, width, width, rows * width, width, width);
            operations.add(ops -> ops.layerNorm(n[0], n[1], n[2], n[3], n[4], n[5], rows, width, 1e-5f));
            operations.add(ops -> ops.layerNormBackward(n[6], n[7], n[8], n[0], n[3], n[1], n[2], n[4], rows, width));
            operations.add(ops -> ops.rmsNorm(n[0], n[1], n[3], n[4], rows, width, 1e-5f));
            operations.add(ops -> ops.rmsNormBackward(n[6], n[7], n[0], n[3], n[1], n[4], rows, width));
            Tensor[] h = tensors(qkv, rows * 6, qkv, 20, 20, 20, 20, qkv);
            operations.add(ops -> ops.headNorm(h[0], h[1], h[2], h[3], h[4], shape, 1e-5f));
            operations.add(ops -> ops.headNormBackward(h[7], h[5], h[6], h[0], h[2], h[1], h[3], h[4], shape));
            Tensor[] l = tensors(rows * out, rows * width, out * width, out, rows * width, out * width, out);
            operations.add(ops -> ops.linear(l[0], l[1], l[2], l[3], rows, width, out));
            operations.add(ops -> ops.linearBackwardInput(l[4], l[0], l[2], rows, width, out));
            operations.add(ops -> ops.linearBackwardWeight(l[5], l[6], l[0], l[1], rows, width, out));
            Tensor[] r = tensors(qkv, (sequence + 7) * 10, (sequence + 7) * 10);
            operations.add(ops -> ops.rope(r[0], r[1], r[2], shape));
            operations.add(ops -> ops.ropeBackward(r[0], r[1], r[2], shape));
            for (AttentionShape s : List.of(shape, windowed)) {
                int x = rows * s.qkvWidth();
                int lse = rows * s.heads();
                Tensor[] a = tensors(rows * s.outWidth(), lse, x, lse, x, rows * s.outWidth());
                operations.add(ops -> ops.attention(a[0], a[1], a[2], s, dropout));
                operations.add(ops -> ops.attentionBackward(a[4], a[5], a[0], a[1], a[2], a[3], s, dropout));
            }
            Tensor[] c = tensors(sequence * 80, CAPACITY * 80, sequence * shape.qkvWidth());
            generation = ops -> ops.cachedAttention(c[0], c[1], c[2], single, CAPACITY);
            Tensor[] e = tensors(rows * width, rows * 2 * width, rows * 2 * width, rows * width);
            for (Activation f : Activation.values()) {
                operations.add(ops -> ops.activation(e[0], e[1], f, rows, width));
                operations.add(ops -> ops.activationBackward(e[3], e[0], e[1], f, rows, width));
                operations.add(ops -> ops.gated(e[0], e[1], f, rows, width));
                operations.add(ops -> ops.gatedBackward(e[2], e[0], e[1], f, rows, width));
            }
            operations.add(ops -> ops.add(e[3], e[0], e[1], rows, width));
            operations.add(ops -> ops.dropout(e[0], e[3], rows, width, dropout));
            operations.add(ops -> ops.dropout(e[0], e[3], rows, width, Dropout.NONE));
            Tensor[] o = tensors(rows, rows * width, vocabulary * width, rows * width, vocabulary * width);
            operations.add(ops -> ops.headLoss(o[0], o[1], o[2], rows, width, vocabulary));
            operations.add(ops -> ops.headLossBackward(o[0], o[3], o[4], o[1], o[2], rows, width, vocabulary));
            int many = 50_003;
            Tensor[] w = tensors(many, many, many, many, Ops.PARTIALS);
            operations.add(ops -> ops.sumOfSquares(w[4], w[0], many));
            operations.add(ops -> ops.adamw(w[0], w[1], w[2], w[3], many, settings));
            operations.add(ops -> ops.zero(w[1], many - 1));
        }

        private Tensor[] tensors(int... lengths) {
            Tensor[] made = new Tensor[lengths.length];
            for (int i = 0; i < made.length; i++) {
                Buffer buffer = engine.allocate("tensor " + tensors.size(), lengths[i]);
                for (int j = 0; j < lengths[i]; j++) {
                    buffer.segment().setAtIndex(ValueLayout.JAVA_FLOAT, j, Math.abs((float) random.nextGaussian()));
                }
                made[i] = new Tensor(buffer, 0, 0);
                tensors.add(made[i]);
            }
            return made;
        }

        void run() {
            for (Program operation : operations) {
                engine.run(operation, inputs, 2);
            }
            engine.run(generation, inputs, 2);
        }
    }

    @Test
    void sameBitsForAnyNumberOfThreads() {
        long seed = new SplittableRandom().nextLong();
        try (CpuEngine one = new CpuEngine(1)) {
            Everything expected = new Everything(one, seed, 3, 67, 77, 101);
            expected.run();
            for (int threads : new int[] {2, 3, 5}) {
                try (CpuEngine some = new CpuEngine(threads)) {
                    Everything actual = new Everything(some, seed, 3, 67, 77, 101);
                    actual.run();
                    for (int i = 0; i < expected.tensors.size(); i++) {
                        long place = expected.tensors
                                .get(i)
                                .buffer()
                                .segment()
                                .mismatch(actual.tensors.get(i).buffer().segment());
                        assertThat(place)
                                .as("tensor %d with %d threads, seed %d: first byte that differs", i, threads, seed)
                                .isEqualTo(-1);
                    }
                }
            }
        }
    }

    /**
     * Until it is compiled, vector code allocates; this waits for that, operation by operation of a training step. It
     * then allocates nothing, mostly: now and then the compiler leaves a vector or two of an operation as objects, which is
     * let pass. An object for each row would not be.
     */
    @Test
    void aSteadyStateAllocatesNextToNothing() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (CpuEngine engine = new CpuEngine(1)) {
            Everything everything = new Everything(engine, 1, 2, 130, 96, 128);
            for (int i = 0; i < everything.operations.size(); i++) {
                Program operation = everything.operations.get(i);
                long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
                long allocated;
                do {
                    long before = threads.getCurrentThreadAllocatedBytes();
                    for (int run = 0; run < 10; run++) {
                        engine.run(operation, everything.inputs, 0);
                    }
                    allocated = threads.getCurrentThreadAllocatedBytes() - before;
                } while (allocated > ALLOCATION_LET_PASS && System.nanoTime() < deadline);
                assertThat(allocated)
                        .as("bytes allocated by 10 runs of operation %d", i)
                        .isLessThanOrEqualTo(ALLOCATION_LET_PASS);
            }
        }
    }

    @Test
    void rangesBeyondABufferAreRefused() {
        try (CpuEngine engine = new CpuEngine(2);
                CpuEngine other = new CpuEngine(1)) {
            Inputs inputs = new Inputs(3);
            Tensor x = new Tensor(engine.allocate("x", 30), 10, 10);
            Tensor foreign = new Tensor(other.allocate("y", 30), 0, 0);
            engine.run(ops -> ops.zero(x, 10), inputs, 1);
            assertThatThrownBy(() -> engine.run(ops -> ops.zero(x, 10), inputs, 2))
                    .isInstanceOf(IndexOutOfBoundsException.class)
                    .hasMessageContaining("floats 30 to 40 of layer 2 do not lie in x");
            assertThatThrownBy(() -> engine.run(ops -> ops.zero(x, 11), inputs, 1))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> engine.run(ops -> ops.zero(x.skip(-11), 1), inputs, 0))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> engine.run(ops -> ops.zero(foreign, 1), inputs, 0))
                    .hasMessageContaining("another engine");
            inputs.tokens[1] = 10;
            assertThatThrownBy(() -> engine.run(ops -> ops.embed(x, x, null, 1, 3, 2), inputs, 0))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            inputs.tokens[1] = -1;
            assertThatThrownBy(() -> engine.run(ops -> ops.embedBackward(x, null, x, 1, 3, 2), inputs, 0))
                    .hasMessageContaining("token -1 at place 1");
            inputs.targets[2] = 4;
            assertThatThrownBy(() -> engine.run(ops -> ops.headLoss(x, x, x, 3, 2, 4), inputs, 0))
                    .hasMessageContaining("target 4 at place 2");
            AttentionShape shape = new AttentionShape(1, 2, 1, 1, 2, 0);
            inputs.position = 2;
            assertThatThrownBy(() -> engine.run(ops -> ops.cachedAttention(x, x, x, shape, 3), inputs, 0))
                    .hasMessageContaining("3 places");
        }
    }

    @Test
    void usesAfterCloseAndImpossibleSizesAreRefused() {
        CpuEngine engine = new CpuEngine(1);
        assertThatThrownBy(() -> engine.allocate("everything", 1L << 50))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("not enough memory for everything");
        engine.close();
        engine.close();
        assertThatThrownBy(() -> engine.run(ops -> {}, new Inputs(1), 0)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> new CpuEngine(0)).isInstanceOf(UserException.class);
    }
}
