package dev.whirlwind.model;

import static dev.whirlwind.model.Trial.dot;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Linear layers. */
interface LinearContract extends Trials {
    @ParameterizedTest
    @MethodSource("linears")
    default void linear(Linear s) {
        try (Trial t = trial("linear " + s, 1)) {
            Tensor x = t.input("x", s.rows() * s.in());
            Tensor weight = t.input("weight", s.out() * s.in());
            Tensor bias = s.bias() ? t.input("bias", s.out()) : null;
            Tensor out = t.output("out", s.rows() * s.out());
            t.each(ops -> ops.linear(out, x, weight, bias, s.rows(), s.in(), s.out()), () -> {
                double[] b = s.bias() ? t.before(bias) : null;
                t.expect(out, Reference.linear(t.before(x), t.before(weight), b, s.rows(), s.in(), s.out()));
            });
        }
    }

    @ParameterizedTest
    @MethodSource("linears")
    default void linearBackwardInput(Linear s) {
        try (Trial t = trial("linearBackwardInput " + s, 1)) {
            Tensor dx = t.output("dx", s.rows() * s.in());
            Tensor dout = t.input("dout", s.rows() * s.out());
            Tensor weight = t.input("weight", s.out() * s.in());
            t.each(ops -> ops.linearBackwardInput(dx, dout, weight, s.rows(), s.in(), s.out()), () -> {
                double[] w = t.before(weight);
                double[] g = t.before(dout);
                t.expectGradient(
                        dx,
                        t.normal(s.rows() * s.in()),
                        v -> dot(g, Reference.linear(v, w, null, s.rows(), s.in(), s.out())));
            });
        }
    }

    @ParameterizedTest
    @MethodSource("linears")
    default void linearBackwardWeight(Linear s) {
        try (Trial t = trial("linearBackwardWeight " + s, 1)) {
            Tensor dweight = t.changed("dweight", s.out() * s.in());
            Tensor dbias = s.bias() ? t.changed("dbias", s.out()) : null;
            Tensor dout = t.input("dout", s.rows() * s.out());
            Tensor x = t.input("x", s.rows() * s.in());
            t.each(ops -> ops.linearBackwardWeight(dweight, dbias, dout, x, s.rows(), s.in(), s.out()), () -> {
                double[] xs = t.before(x);
                double[] g = t.before(dout);
                double[] w = t.normal(s.out() * s.in());
                double[] b = t.normal(s.out());
                t.expectAddedGradient(
                        dweight, w, v -> dot(g, Reference.linear(xs, v, null, s.rows(), s.in(), s.out())));
                if (dbias != null) {
                    t.expectAddedGradient(dbias, b, v -> dot(g, Reference.linear(xs, w, v, s.rows(), s.in(), s.out())));
                }
            });
        }
    }
}
