package dev.whirlwind.model;

import static dev.whirlwind.model.Trial.dot;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Rotary positions and attention. */
interface AttentionContract extends Trials {
    @ParameterizedTest
    @MethodSource("attentions")
    default void rope(AttentionShape s) {
        try (Trial t = trial("rope " + s, s.rows())) {
            Tensor qkv = t.changed("qkv", s.rows() * s.qkvWidth());
            Tensor[] table = angles(t, s);
            t.each(
                    ops -> ops.rope(qkv, table[0], table[1], s),
                    () -> t.expect(
                            qkv, Reference.rope(t.before(qkv), t.before(table[0]), t.before(table[1]), s, t.inputs)));
        }
    }

    @ParameterizedTest
    @MethodSource("attentions")
    default void ropeBackward(AttentionShape s) {
        try (Trial t = trial("ropeBackward " + s, s.rows())) {
            Tensor dqkv = t.changed("dqkv", s.rows() * s.qkvWidth());
            Tensor[] table = angles(t, s);
            t.each(ops -> ops.ropeBackward(dqkv, table[0], table[1], s), () -> {
                double[] g = t.before(dqkv);
                double[] cos = t.before(table[0]);
                double[] sin = t.before(table[1]);
                t.expectGradient(dqkv, t.normal(g.length), v -> dot(g, Reference.rope(v, cos, sin, s, t.inputs)));
            });
        }
    }

    /** Cosines and sines of random angles, times a factor as YaRN has it, and a random position. */
    private static Tensor[] angles(Trial t, AttentionShape s) {
        int n = (POSITIONS + s.sequence()) * (s.headDim() / 2);
        double[][] drawn = new double[1][];
        Tensor cos = t.input("cos", n, () -> {
            t.inputs.position = t.random.nextInt(POSITIONS);
            t.drawDocuments(s.sequence());
            drawn[0] = t.normal(n);
            return Arrays.stream(drawn[0]).map(a -> 1.3 * Math.cos(a)).toArray();
        });
        Tensor sin = t.input(
                "sin",
                n,
                () -> Arrays.stream(drawn[0]).map(a -> 1.3 * Math.sin(a)).toArray());
        return new Tensor[] {cos, sin};
    }

    @ParameterizedTest
    @MethodSource("attentions")
    default void attention(AttentionShape s) {
        for (Dropout dropout : dropouts(Dropout.ATTENTION)) {
            try (Trial t = trial("attention " + s + " " + dropout, s.rows())) {
                Tensor qkv = t.input("qkv", s.rows() * s.qkvWidth(), () -> {
                    t.drawDocuments(s.sequence());
                    return t.normal(s.rows() * s.qkvWidth());
                });
                Tensor out = t.output("out", s.rows() * s.outWidth());
                Tensor lse = t.output("lse", s.rows() * s.heads());
                t.each(ops -> ops.attention(out, lse, qkv, s, dropout), () -> {
                    t.expect(lse, Reference.attentionLse(t.before(qkv), s, t.layer, t.inputs.starts));
                    t.expect(
                            out,
                            Reference.attention(
                                    t.before(qkv), s, t.layer, t.inputs.starts, attentionMask(t, s, dropout)));
                });
            }
        }
    }

    @ParameterizedTest
    @MethodSource("attentions")
    default void attentionBackward(AttentionShape s) {
        for (Dropout dropout : dropouts(Dropout.ATTENTION)) {
            try (Trial t = trial("attentionBackward " + s + " " + dropout, s.rows())) {
                int n = s.rows() * s.qkvWidth();
                double[][] drawn = new double[1][];
                Tensor dqkv = t.output("dqkv", n);
                Tensor dout = t.input("dout", s.rows() * s.outWidth());
                Tensor qkv = t.input("qkv", n, () -> {
                    t.drawDocuments(s.sequence());
                    drawn[0] = t.normal(n);
                    return drawn[0];
                });
                Tensor out = t.input(
                        "out",
                        s.rows() * s.outWidth(),
                        () -> Reference.attention(drawn[0], s, t.layer, t.inputs.starts, attentionMask(t, s, dropout)));
                Tensor lse = t.input(
                        "lse",
                        s.rows() * s.heads(),
                        () -> Reference.attentionLse(drawn[0], s, t.layer, t.inputs.starts));
                Tensor delta = t.output("delta", s.rows() * s.heads());
                t.each(ops -> ops.attentionBackward(dqkv, dout, out, lse, qkv, delta, s, dropout), () -> {
                    double[] g = t.before(dout);
                    double[] mask = attentionMask(t, s, dropout);
                    t.expectGradient(
                            dqkv,
                            t.before(qkv),
                            v -> dot(g, Reference.attention(v, s, t.layer, t.inputs.starts, mask)));
                });
            }
        }
    }

    private static List<Dropout> dropouts(int site) {
        return List.of(Dropout.NONE, new Dropout(0.3f, site));
    }

    private static double[] attentionMask(Trial t, AttentionShape s, Dropout dropout) {
        return Reference.mask(t.inputs, t.layer, dropout, s.rows() * s.heads() * s.sequence());
    }

    /** Scores of some +-10000. */
    @Test
    default void attentionWithLargeScores() {
        AttentionShape s = new AttentionShape(1, 33, 4, 2, 20, 0);
        try (Trial t = trial("attention with large scores", s.rows())) {
            Tensor qkv = t.input("qkv", s.rows() * s.qkvWidth(), () -> {
                double[] x = t.normal(s.rows() * s.qkvWidth());
                for (int i = 0; i < x.length; i++) {
                    x[i] *= i % s.qkvWidth() < s.valueOffset() ? 100 : 1;
                }
                return x;
            });
            Tensor out = t.output("out", s.rows() * s.outWidth());
            Tensor lse = t.output("lse", s.rows() * s.heads());
            Tensor dout = t.input("dout", s.rows() * s.outWidth());
            Tensor dqkv = t.output("dqkv", s.rows() * s.qkvWidth());
            Tensor delta = t.output("delta", s.rows() * s.heads());
            t.each(
                    ops -> {
                        ops.attention(out, lse, qkv, s, Dropout.NONE);
                        ops.attentionBackward(dqkv, dout, out, lse, qkv, delta, s, Dropout.NONE);
                    },
                    () -> {
                        t.expect(lse, Reference.attentionLse(t.before(qkv), s, t.layer, t.inputs.starts), 1e-5);
                        t.expect(
                                out,
                                Reference.attention(
                                        t.before(qkv), s, t.layer, t.inputs.starts, attentionMask(t, s, Dropout.NONE)),
                                2e-2);
                        t.expectFinite(dqkv);
                    });
        }
    }

    /** A prefill of some tokens, then one by one: the same as attention over the whole. */
    @ParameterizedTest
    @MethodSource("chunks")
    default void cachedAttention(Chunks c) {
        AttentionShape s = c.whole();
        int capacity = s.sequence() + 3;
        int kvWidth = 2 * s.kvHeads() * s.headDim();
        AttentionShape first = new AttentionShape(1, c.prefill(), s.heads(), s.kvHeads(), s.headDim(), s.layers());
        AttentionShape one = new AttentionShape(1, 1, s.heads(), s.kvHeads(), s.headDim(), s.layers());
        try (Trial t = trial("cachedAttention " + c, s.sequence())) {
            Tensor cache = t.changed("cache", capacity * kvWidth);
            Tensor firstRows = t.changed("prefill qkv", c.prefill() * s.qkvWidth());
            Tensor firstOut = t.output("prefill out", c.prefill() * s.outWidth());
            Tensor row = t.changed("qkv", s.qkvWidth());
            Tensor rowOut = t.output("out", s.outWidth());
            Program prefill = ops -> ops.cachedAttention(firstOut, cache, firstRows, first, capacity);
            Program step = ops -> ops.cachedAttention(rowOut, cache, row, one, capacity);
            for (int layer = 1; layer <= 2; layer++) {
                double[] qkv = t.normal(s.rows() * s.qkvWidth());
                double[] expected =
                        Reference.attention(qkv, s, layer, new int[s.rows()], attentionMask(t, s, Dropout.NONE));
                t.fill(layer);
                double[] places = t.after(cache);
                for (int p = 0; p < s.sequence(); p += p == 0 ? c.prefill() : 1) {
                    int rows = p == 0 ? c.prefill() : 1;
                    t.inputs.position = p;
                    double[] chunk = Arrays.copyOfRange(qkv, p * s.qkvWidth(), (p + rows) * s.qkvWidth());
                    t.put(p == 0 ? firstRows : row, chunk);
                    t.run(p == 0 ? prefill : step);
                    t.expect(
                            p == 0 ? firstOut : rowOut,
                            Arrays.copyOfRange(expected, p * s.outWidth(), (p + rows) * s.outWidth()));
                    t.expectBits(p == 0 ? firstRows : row, chunk);
                    for (int r = 0; r < rows; r++) {
                        System.arraycopy(chunk, r * s.qkvWidth() + s.keyOffset(), places, (p + r) * kvWidth, kvWidth);
                    }
                    t.expectBits(cache, places);
                }
            }
        }
    }
}
