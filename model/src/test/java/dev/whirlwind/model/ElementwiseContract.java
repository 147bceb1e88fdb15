package dev.whirlwind.model;

import static dev.whirlwind.model.Trial.dot;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What works element by element: activations, sums, dropout. */
interface ElementwiseContract extends Trials {
    @ParameterizedTest
    @MethodSource("sizes")
    default void gelu(Size s) {
        try (Trial t = trial("gelu " + s, 1)) {
            Tensor x = t.input("x", s.rows() * s.width(), () -> spread(t, s.rows() * s.width()));
            Tensor out = t.output("out", s.rows() * s.width());
            t.each(ops -> ops.gelu(out, x, s.rows(), s.width()), () -> t.expect(out, Reference.gelu(t.before(x))));
        }
    }

    /** Values from tiny to 10 or so. */
    private static double[] spread(Trial t, int length) {
        return Arrays.stream(t.normal(length))
                .map(v -> (float) (v * Math.abs(v) * 1.5))
                .toArray();
    }

    @ParameterizedTest
    @MethodSource("sizes")
    default void geluBackward(Size s) {
        for (boolean inPlace : new boolean[] {false, true}) {
            try (Trial t = trial("geluBackward " + s + (inPlace ? " in place" : ""), 1)) {
                int n = s.rows() * s.width();
                Tensor x = t.input("x", n, () -> spread(t, n));
                Tensor dout = inPlace ? t.changed("dout", n) : t.input("dout", n);
                Tensor dx = inPlace ? dout : t.output("dx", n);
                t.each(ops -> ops.geluBackward(dx, dout, x, s.rows(), s.width()), () -> {
                    double[] g = t.before(dout);
                    t.expectGradient(dx, t.before(x), v -> dot(g, Reference.gelu(v)));
                });
            }
        }
    }

    @ParameterizedTest
    @MethodSource("sizes")
    default void swiglu(Size s) {
        try (Trial t = trial("swiglu " + s, 1)) {
            Tensor x = t.input("x", s.rows() * 2 * s.width(), () -> spread(t, s.rows() * 2 * s.width()));
            Tensor out = t.output("out", s.rows() * s.width());
            t.each(
                    ops -> ops.swiglu(out, x, s.rows(), s.width()),
                    () -> t.expect(out, Reference.swiglu(t.before(x), s.rows(), s.width())));
        }
    }

    @ParameterizedTest
    @MethodSource("sizes")
    default void swigluBackward(Size s) {
        try (Trial t = trial("swigluBackward " + s, 1)) {
            Tensor x = t.input("x", s.rows() * 2 * s.width(), () -> spread(t, s.rows() * 2 * s.width()));
            Tensor dout = t.input("dout", s.rows() * s.width());
            Tensor dx = t.output("dx", s.rows() * 2 * s.width());
            t.each(ops -> ops.swigluBackward(dx, dout, x, s.rows(), s.width()), () -> {
                double[] g = t.before(dout);
                t.expectGradient(dx, t.before(x), v -> dot(g, Reference.swiglu(v, s.rows(), s.width())));
            });
        }
    }

    /** Where exp overflows, or cubes dwarf everything else, the limits hold. */
    @Test
    default void activationsOfLargeValues() {
        Size s = new Size(3, 20);
        try (Trial t = trial("activations of large values", 1)) {
            Tensor x = t.input("x", s.rows() * 2 * s.width(), () -> {
                double[] values = t.normal(s.rows() * 2 * s.width());
                for (int i = 0; i < values.length; i++) {
                    values[i] *= i % (2 * s.width()) < s.width() ? 1e4 : 1;
                }
                return values;
            });
            Tensor dout = t.input("dout", s.rows() * 2 * s.width());
            Tensor gelu = t.output("gelu", s.rows() * 2 * s.width());
            Tensor dgelu = t.output("dgelu", s.rows() * 2 * s.width());
            Tensor swiglu = t.output("swiglu", s.rows() * s.width());
            Tensor dswiglu = t.output("dswiglu", s.rows() * 2 * s.width());
            t.each(
                    ops -> {
                        ops.gelu(gelu, x, s.rows(), 2 * s.width());
                        ops.geluBackward(dgelu, dout, x, s.rows(), 2 * s.width());
                        ops.swiglu(swiglu, x, s.rows(), s.width());
                        ops.swigluBackward(dswiglu, dout, x, s.rows(), s.width());
                    },
                    () -> {
                        double[] xs = t.before(x);
                        double[] g = t.before(dout);
                        t.expect(gelu, Reference.gelu(xs));
                        t.expect(swiglu, Reference.swiglu(xs, s.rows(), s.width()));
                        t.expectGradient(dgelu, xs, v -> dot(g, Reference.gelu(v)));
                        t.expectGradient(
                                dswiglu,
                                xs,
                                v -> dot(
                                        Arrays.copyOf(g, s.rows() * s.width()),
                                        Reference.swiglu(v, s.rows(), s.width())));
                    });
        }
    }

    @ParameterizedTest
    @MethodSource("sizes")
    default void add(Size s) {
        int n = s.rows() * s.width();
        for (String place : List.of("elsewhere", "in a", "in b")) {
            try (Trial t = trial("add " + s + " " + place, 1)) {
                Tensor a = place.equals("in a") ? t.changed("a", n) : t.input("a", n);
                Tensor b = place.equals("in b") ? t.changed("b", n) : t.input("b", n);
                Tensor out = switch (place) {
                    case "in a" -> a;
                    case "in b" -> b;
                    default -> t.output("out", n);
                };
                t.each(
                        ops -> ops.add(out, a, b, s.rows(), s.width()),
                        () -> t.expect(out, Reference.add(t.before(a), t.before(b)), 1e-7));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("sizes")
    default void dropout(Size s) {
        int n = s.rows() * s.width();
        for (boolean inPlace : new boolean[] {false, true}) {
            for (Dropout dropout : List.of(new Dropout(0.1f, Dropout.EMBEDDING), new Dropout(0.6f, 3), Dropout.NONE)) {
                try (Trial t = trial("dropout " + s + " " + dropout + (inPlace ? " in place" : ""), 1)) {
                    Tensor x = inPlace ? t.changed("x", n) : t.input("x", n);
                    Tensor out = inPlace ? x : t.output("out", n);
                    t.each(ops -> ops.dropout(out, x, s.rows(), s.width(), dropout), () -> {
                        double[] mask = Reference.mask(t.inputs, t.layer, dropout, n);
                        double[] outs = t.after(out);
                        for (int i = 0; i < n; i++) {
                            if (outs[i] == 0 != (mask[i] == 0)) {
                                throw t.failure("element " + i + (mask[i] == 0 ? " is kept" : " is dropped"));
                            }
                        }
                        t.expect(out, Reference.times(t.before(x), mask), 1e-6);
                    });
                }
            }
        }
    }
}
