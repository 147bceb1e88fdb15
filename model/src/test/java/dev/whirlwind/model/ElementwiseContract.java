package dev.whirlwind.model;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What works element by element: activations, sums, dropout. */
interface ElementwiseContract extends Trials {
    @ParameterizedTest
    @MethodSource("sizes")
    default void activation(Size s) {
        int n = s.rows() * s.width();
        for (Activation f : Activation.values()) {
            for (boolean inPlace : new boolean[] {false, true}) {
                try (Trial t = trial(f + " " + s + (inPlace ? " backward in place" : ""), 1)) {
                    Tensor x = t.input("x", n, () -> spread(t, n));
                    Tensor out = t.output("out", n);
                    Tensor dout = inPlace ? t.changed("dout", n) : t.input("dout", n);
                    Tensor dx = inPlace ? dout : t.output("dx", n);
                    t.each(
                            ops -> {
                                ops.activation(out, x, f, s.rows(), s.width());
                                ops.activationBackward(dx, dout, x, f, s.rows(), s.width());
                            },
                            () -> {
                                double[] xs = t.before(x);
                                t.expect(out, Reference.activation(f, xs));
                                t.expect(dx, Reference.times(t.before(dout), Reference.slope(f, xs)));
                            });
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("sizes")
    default void gated(Size s) {
        int n = s.rows() * s.width();
        for (Activation f : Activation.values()) {
            try (Trial t = trial("gated " + f + " " + s, 1)) {
                Tensor x = t.input("x", 2 * n, () -> spread(t, 2 * n));
                Tensor out = t.output("out", n);
                Tensor dout = t.input("dout", n);
                Tensor dx = t.output("dx", 2 * n);
                t.each(
                        ops -> {
                            ops.gated(out, x, f, s.rows(), s.width());
                            ops.gatedBackward(dx, dout, x, f, s.rows(), s.width());
                        },
                        () -> {
                            double[] xs = t.before(x);
                            t.expect(out, Reference.gated(f, xs, s.rows(), s.width()));
                            t.expect(dx, Reference.gatedBackward(f, xs, t.before(dout), s.rows(), s.width()));
                        });
            }
        }
    }

    /** Values from tiny to 10 or so. */
    private static double[] spread(Trial t, int length) {
        return Arrays.stream(t.normal(length))
                .map(v -> (float) (v * Math.abs(v) * 1.5))
                .toArray();
    }

    /** Where exp overflows, or cubes dwarf everything else, the limits hold. */
    @Test
    default void activationsOfLargeValues() {
        Size s = new Size(3, 20);
        int n = s.rows() * s.width();
        for (Activation f : Activation.values()) {
            try (Trial t = trial(f + " of large values", 1)) {
                Tensor x = t.input("x", 2 * n, () -> {
                    double[] values = t.normal(2 * n);
                    for (int i = 0; i < values.length; i++) {
                        values[i] *= i % (2 * s.width()) < s.width() ? 1e4 : 1;
                    }
                    return values;
                });
                Tensor dout = t.input("dout", 2 * n);
                Tensor out = t.output("out", 2 * n);
                Tensor dx = t.output("dx", 2 * n);
                Tensor gated = t.output("gated", n);
                Tensor dgated = t.output("dgated", 2 * n);
                t.each(
                        ops -> {
                            ops.activation(out, x, f, s.rows(), 2 * s.width());
                            ops.activationBackward(dx, dout, x, f, s.rows(), 2 * s.width());
                            ops.gated(gated, x, f, s.rows(), s.width());
                            ops.gatedBackward(dgated, dout, x, f, s.rows(), s.width());
                        },
                        () -> {
                            double[] xs = t.before(x);
                            double[] g = t.before(dout);
                            t.expect(out, Reference.activation(f, xs));
                            t.expect(gated, Reference.gated(f, xs, s.rows(), s.width()));
                            t.expect(dx, Reference.times(g, Reference.slope(f, xs)));
                            t.expect(dgated, Reference.gatedBackward(f, xs, g, s.rows(), s.width()));
                        });
            }
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
    default void addNoise(Size s) {
        int n = s.rows() * s.width();
        try (Trial t = trial("addNoise " + s, 1)) {
            Tensor x = t.changed("x", n);
            t.each(
                    ops -> ops.addNoise(x, s.rows(), s.width(), 0.5f),
                    () -> t.expect(
                            x, Reference.combine(t.before(x), Reference.uniform(t.inputs, t.layer, n), 1, 0.5), 1e-6));
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
