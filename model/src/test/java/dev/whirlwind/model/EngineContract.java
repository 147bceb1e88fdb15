package dev.whirlwind.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.ValueLayout;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Memory, transfers, and programs of several operations. */
interface EngineContract extends Trials {
    @Test
    default void memoryIsZeroAtFirst() {
        try (Engine engine = newEngine()) {
            Buffer x = engine.allocate("x", 1037);
            Buffer y = engine.allocate("y", 7);
            Tensor to = new Tensor(y, 0, 0);
            engine.run(ops -> ops.add(to, new Tensor(x, 1030, 0), to, 1, 7), new Inputs(1), 0);
            for (Map.Entry<Buffer, Integer> entry : Map.of(x, 1037, y, 7).entrySet()) {
                Buffer buffer = entry.getKey();
                engine.download(buffer, 0, buffer.length());
                assertThat(buffer.length()).isEqualTo((long) entry.getValue());
                assertThat(buffer.segment().byteSize()).isEqualTo(4 * buffer.length());
                assertThat(buffer.segment().toArray(ValueLayout.JAVA_FLOAT)).containsOnly(0f);
            }
        }
    }

    /** Ranges travel alone, also between runs. */
    @Test
    default void hostAndEngineExchangeRanges() {
        int n = 100;
        try (Engine engine = newEngine()) {
            Buffer a = engine.allocate("a", n);
            Buffer b = engine.allocate("b", n);
            Buffer sum = engine.allocate("sum", n);
            Program program = ops -> ops.add(new Tensor(sum, 0, 0), new Tensor(a, 0, 0), new Tensor(b, 0, 0), 1, n);
            Inputs inputs = new Inputs(1);
            for (int i = 0; i < n; i++) {
                b.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, i);
            }
            engine.upload(b, 0, n);
            for (int round = 1; round <= 3; round++) {
                for (int i = 17; i < 40; i++) {
                    a.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, 1000 * round + i);
                }
                engine.upload(a, 17, 23);
                engine.run(program, inputs, 0);
                engine.download(sum, 13, 87);
                for (int i = 13; i < n; i++) {
                    float expected = i >= 17 && i < 40 ? 1000 * round + 2 * i : i;
                    assertThat(sum.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i))
                            .as("sum[%d] in round %d", i, round)
                            .isEqualTo(expected);
                }
            }
        }
    }

    /** Operations of one program follow one another: each sees what the ones before it wrote. */
    @Test
    default void operationsOfAProgramRunInOrder() {
        Size s = new Size(7, 65);
        try (Trial t = trial("a chain", 1)) {
            Tensor x = t.input("x", s.rows() * s.width());
            Tensor weight = t.input("weight", s.width() * s.width());
            Tensor y = t.output("y", s.rows() * s.width());
            Tensor z = t.output("z", s.rows() * s.width());
            t.each(
                    ops -> {
                        ops.linear(y, x, weight, null, s.rows(), s.width(), s.width());
                        ops.activation(z, y, Activation.GELU_TANH, s.rows(), s.width());
                        ops.add(y, z, x, s.rows(), s.width());
                        ops.add(z, y, z, s.rows(), s.width());
                    },
                    () -> {
                        double[] xs = t.before(x);
                        double[] g = Reference.activation(
                                Activation.GELU_TANH,
                                Reference.linear(xs, t.before(weight), null, s.rows(), s.width(), s.width()));
                        t.expect(y, Reference.add(g, xs));
                        t.expect(z, Reference.add(Reference.add(g, xs), g));
                    });
        }
    }
}
