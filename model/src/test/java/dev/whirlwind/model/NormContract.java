package dev.whirlwind.model;

import static dev.whirlwind.model.Trial.dot;

import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Layer, RMS and head normalisation. */
interface NormContract extends Trials {
    @ParameterizedTest
    @MethodSource("sizes")
    default void layerNorm(Size s) {
        try (Trial t = trial("layerNorm " + s, 1)) {
            Tensor x = t.input("x", s.rows() * s.width());
            Tensor weight = t.input("weight", s.width());
            Tensor bias = t.input("bias", s.width());
            Tensor out = t.output("out", s.rows() * s.width());
            Tensor mean = t.output("mean", s.rows());
            Tensor rstd = t.output("rstd", s.rows());
            t.each(ops -> ops.layerNorm(out, mean, rstd, x, weight, bias, s.rows(), s.width(), EPS), () -> {
                double[] xs = t.before(x);
                t.expect(mean, Reference.mean(xs, s.rows(), s.width()));
                t.expect(rstd, Reference.layerNormRstd(xs, s.rows(), s.width(), EPS));
                t.expect(out, Reference.layerNorm(xs, t.before(weight), t.before(bias), s.rows(), s.width(), EPS));
            });
        }
    }

    @ParameterizedTest
    @MethodSource("sizes")
    default void layerNormBackward(Size s) {
        try (Trial t = trial("layerNormBackward " + s, 1)) {
            int n = s.rows() * s.width();
            double[][] drawn = new double[1][];
            Tensor x = t.input("x", n, () -> drawn[0] = t.normal(n));
            Tensor mean = t.input("mean", s.rows(), () -> Reference.mean(drawn[0], s.rows(), s.width()));
            Tensor rstd = t.input("rstd", s.rows(), () -> Reference.layerNormRstd(drawn[0], s.rows(), s.width(), EPS));
            Tensor weight = t.input("weight", s.width());
            Tensor dout = t.input("dout", n);
            Tensor dx = t.changed("dx", n);
            Tensor dweight = t.changed("dweight", s.width());
            Tensor dbias = t.changed("dbias", s.width());
            t.each(
                    ops -> ops.layerNormBackward(dx, dweight, dbias, dout, x, mean, rstd, weight, s.rows(), s.width()),
                    () -> {
                        double[] xs = t.before(x);
                        double[] w = t.before(weight);
                        double[] b = t.normal(s.width());
                        double[] g = t.before(dout);
                        t.expectAddedGradient(
                                dx, xs, v -> dot(g, Reference.layerNorm(v, w, b, s.rows(), s.width(), EPS)));
                        t.expectAddedGradient(
                                dweight, w, v -> dot(g, Reference.layerNorm(xs, v, b, s.rows(), s.width(), EPS)));
                        t.expectAddedGradient(
                                dbias, b, v -> dot(g, Reference.layerNorm(xs, w, v, s.rows(), s.width(), EPS)));
                    });
        }
    }

    /** The variance must come from centred values: E[x^2] - E[x]^2 loses it here. */
    @Test
    default void layerNormOfSmallDifferences() {
        Size s = new Size(7, 65);
        try (Trial t = trial("layerNorm far from 0", 1)) {
            Tensor x = t.input(
                    "x",
                    s.rows() * s.width(),
                    () -> DoubleStream.of(t.normal(s.rows() * s.width()))
                            .map(v -> 1000 + v)
                            .toArray());
            Tensor weight = t.input("weight", s.width());
            Tensor bias = t.input("bias", s.width());
            Tensor out = t.output("out", s.rows() * s.width());
            Tensor mean = t.output("mean", s.rows());
            Tensor rstd = t.output("rstd", s.rows());
            t.each(
                    ops -> ops.layerNorm(out, mean, rstd, x, weight, bias, s.rows(), s.width(), EPS),
                    () -> t.expect(
                            out,
                            Reference.layerNorm(
                                    t.before(x), t.before(weight), t.before(bias), s.rows(), s.width(), EPS),
                            5e-3));
        }
    }

    @ParameterizedTest
    @MethodSource("sizes")
    default void rmsNorm(Size s) {
        try (Trial t = trial("rmsNorm " + s, 1)) {
            Tensor x = t.input("x", s.rows() * s.width());
            Tensor weight = t.input("weight", s.width());
            Tensor out = t.output("out", s.rows() * s.width());
            Tensor rstd = t.output("rstd", s.rows());
            t.each(ops -> ops.rmsNorm(out, rstd, x, weight, s.rows(), s.width(), EPS), () -> {
                t.expect(rstd, Reference.rmsNormRstd(t.before(x), s.rows(), s.width(), EPS));
                t.expect(out, Reference.rmsNorm(t.before(x), t.before(weight), s.rows(), s.width(), EPS));
            });
        }
    }

    @ParameterizedTest
    @MethodSource("sizes")
    default void rmsNormBackward(Size s) {
        try (Trial t = trial("rmsNormBackward " + s, 1)) {
            int n = s.rows() * s.width();
            double[][] drawn = new double[1][];
            Tensor dx = t.changed("dx", n);
            Tensor dweight = t.changed("dweight", s.width());
            Tensor x = t.input("x", n, () -> drawn[0] = t.normal(n));
            Tensor rstd = t.input("rstd", s.rows(), () -> Reference.rmsNormRstd(drawn[0], s.rows(), s.width(), EPS));
            Tensor weight = t.input("weight", s.width());
            Tensor dout = t.input("dout", n);
            t.each(ops -> ops.rmsNormBackward(dx, dweight, dout, x, rstd, weight, s.rows(), s.width()), () -> {
                double[] xs = t.before(x);
                double[] w = t.before(weight);
                double[] g = t.before(dout);
                t.expectAddedGradient(dx, xs, v -> dot(g, Reference.rmsNorm(v, w, s.rows(), s.width(), EPS)));
                t.expectAddedGradient(dweight, w, v -> dot(g, Reference.rmsNorm(xs, v, s.rows(), s.width(), EPS)));
            });
        }
    }

    @ParameterizedTest
    @MethodSource("attentions")
    default void headNorm(AttentionShape s) {
        try (Trial t = trial("headNorm " + s, 1)) {
            Tensor x = t.input("x", s.rows() * s.qkvWidth());
            Tensor queryWeight = t.input("queryWeight", s.headDim());
            Tensor keyWeight = t.input("keyWeight", s.headDim());
            Tensor out = t.output("out", s.rows() * s.qkvWidth());
            Tensor rstd = t.output("rstd", s.rows() * (s.heads() + s.kvHeads()));
            t.each(ops -> ops.headNorm(out, rstd, x, queryWeight, keyWeight, s, EPS), () -> {
                t.expect(rstd, Reference.headNormRstd(t.before(x), s, EPS));
                t.expect(out, Reference.headNorm(t.before(x), t.before(queryWeight), t.before(keyWeight), s, EPS));
            });
        }
    }

    @ParameterizedTest
    @MethodSource("attentions")
    default void headNormBackward(AttentionShape s) {
        for (boolean inPlace : new boolean[] {false, true}) {
            try (Trial t = trial("headNormBackward " + s + (inPlace ? " in place" : ""), 1)) {
                int n = s.rows() * s.qkvWidth();
                double[][] drawn = new double[1][];
                Tensor x = t.input("x", n, () -> drawn[0] = t.normal(n));
                Tensor rstd = t.input(
                        "rstd", s.rows() * (s.heads() + s.kvHeads()), () -> Reference.headNormRstd(drawn[0], s, EPS));
                Tensor queryWeight = t.input("queryWeight", s.headDim());
                Tensor keyWeight = t.input("keyWeight", s.headDim());
                Tensor dout = inPlace ? t.changed("dout", n) : t.input("dout", n);
                Tensor dx = inPlace ? dout : t.output("dx", n);
                Tensor dqueryWeight = t.changed("dqueryWeight", s.headDim());
                Tensor dkeyWeight = t.changed("dkeyWeight", s.headDim());
                t.each(
                        ops -> ops.headNormBackward(
                                dx, dqueryWeight, dkeyWeight, dout, x, rstd, queryWeight, keyWeight, s),
                        () -> {
                            double[] xs = t.before(x);
                            double[] q = t.before(queryWeight);
                            double[] k = t.before(keyWeight);
                            double[] g = t.before(dout);
                            t.expectGradient(dx, xs, v -> dot(g, Reference.headNorm(v, q, k, s, EPS)));
                            t.expectAddedGradient(dqueryWeight, q, v -> dot(g, Reference.headNorm(xs, v, k, s, EPS)));
                            t.expectAddedGradient(dkeyWeight, k, v -> dot(g, Reference.headNorm(xs, q, v, s, EPS)));
                        });
            }
        }
    }
}
