package dev.whirlwind.model;

import static dev.whirlwind.model.Trial.dot;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Squared norm, AdamW, Lion, the parts of Muon and Adafactor, zero. */
interface OptimizerContract extends Trials {
    @ParameterizedTest
    @MethodSource("lengths")
    default void sumOfSquares(int length) {
        try (Trial t = trial("sumOfSquares " + length, 1)) {
            Tensor partials = t.output("partials", Ops.PARTIALS);
            Tensor x = t.input("x", length);
            t.each(ops -> ops.sumOfSquares(partials, x, length), () -> {
                double expected = dot(t.before(x), t.before(x));
                double actual = Arrays.stream(t.after(partials)).sum();
                if (!(Math.abs(actual - expected) <= 1e-5 * expected)) {
                    throw t.failure("the sum is " + actual + ", not " + expected);
                }
            });
        }
    }

    @ParameterizedTest
    @MethodSource("lengths")
    default void adamw(int length) {
        for (AdamW settings : List.of(new AdamW(0.9f, 0.95f, 1e-8f, 0.1f), new AdamW(0.8f, 0.99f, 0.3f, 0))) {
            try (Trial t = trial("adamw " + length + " " + settings, 1)) {
                Tensor parameter = t.changed("parameter", length);
                Tensor gradient = t.changed("gradient", length);
                Tensor m = t.changed("m", length);
                Tensor v = t.changed("v", length);
                Program program = ops -> ops.adamw(parameter, gradient, m, v, length, settings);
                for (int layer = 1; layer <= 2; layer++) {
                    t.fill(layer);
                    t.put(m, new double[length]);
                    t.put(v, new double[length]);
                    double[] p = t.after(parameter);
                    double[] ms = new double[length];
                    double[] vs = new double[length];
                    for (int step = 1; step <= 4; step++) {
                        double[] g = t.normal(length);
                        g[0] = 0;
                        t.put(gradient, g);
                        t.inputs.learningRate = 0.01f + 0.1f * t.random.nextFloat();
                        t.inputs.gradientScale = 0.5f + t.random.nextFloat();
                        t.inputs.biasCorrection1 = (float) (1 - Math.pow(settings.beta1(), step));
                        t.inputs.biasCorrection2 = (float) (1 - Math.pow(settings.beta2(), step));
                        t.run(program);
                        Reference.adamw(p, g, ms, vs, settings, t.inputs);
                        t.expectBits(gradient, new double[length]);
                        t.expect(m, ms);
                        t.expect(v, vs);
                        t.expect(parameter, p);
                    }
                }
            }
        }
    }

    private static void drawStep(Trial t) {
        t.inputs.learningRate = 0.01f + 0.1f * t.random.nextFloat();
        t.inputs.gradientScale = 0.5f + t.random.nextFloat();
        t.inputs.secondMomentDecay = t.random.nextFloat();
    }

    /** Signs of what is nearly 0 may differ, so momenta are kept away from it; that of 0 is 0. */
    @ParameterizedTest
    @MethodSource("lengths")
    default void lion(int length) {
        for (Lion settings : List.of(new Lion(0.9f, 0.99f, 0.1f), new Lion(0.5f, 0.7f, 0))) {
            try (Trial t = trial("lion " + length + " " + settings, 1)) {
                Tensor parameter = t.changed("parameter", length);
                Tensor gradient = t.changed("gradient", length);
                Tensor m = t.changed("m", length);
                for (int layer = 1; layer <= 2; layer++) {
                    t.fill(layer);
                    double[] signs = t.normal(length);
                    t.put(m, Arrays.stream(signs).map(v -> v + Math.signum(v)).toArray());
                    t.put(
                            gradient,
                            Arrays.stream(signs)
                                    .map(v -> (float) (0.1 * v - 0.5 * Math.signum(v)))
                                    .toArray());
                    if (length > 1) {
                        double[] ms = t.after(m);
                        double[] gs = t.after(gradient);
                        ms[0] = gs[0] = 0;
                        t.put(m, ms);
                        t.put(gradient, gs);
                    }
                    double[] p = t.after(parameter);
                    double[] g = t.after(gradient);
                    double[] ms = t.after(m);
                    drawStep(t);
                    t.run(ops -> ops.lion(parameter, gradient, m, length, settings));
                    Reference.lion(p, g, ms, settings, t.inputs);
                    t.expectBits(gradient, new double[length]);
                    t.expect(m, ms);
                    t.expect(parameter, p);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("lengths")
    default void momentum(int length) {
        try (Trial t = trial("momentum " + length, 1)) {
            Tensor gradient = t.changed("gradient", length);
            Tensor m = t.changed("m", length);
            drawStep(t);
            t.each(ops -> ops.momentum(gradient, m, length, 0.95f), () -> {
                double[] g = t.before(gradient);
                double[] ms = t.before(m);
                Reference.momentum(g, ms, 0.95f, t.inputs);
                t.expect(m, ms);
                t.expect(gradient, g);
            });
        }
    }

    /** Neither side is a multiple of anything. */
    @Test
    default void newtonSchulz() {
        for (Size s : thin(List.of(new Size(7, 20), new Size(33, 19), new Size(24, 24), new Size(3, 65)))) {
            try (Trial t = trial("newtonSchulz " + s, 1)) {
                int length = s.rows() * s.width();
                Tensor x = t.changed("x", length);
                Tensor scratch = t.output("scratch", (int) Ops.newtonSchulzScratch(s.rows(), s.width()));
                Program program = ops -> ops.newtonSchulz(x, scratch, s.rows(), s.width());
                for (int layer = 1; layer <= 2; layer++) {
                    t.fill(layer);
                    double norm = Math.sqrt(dot(t.after(x), t.after(x)));
                    t.put(x, Arrays.stream(t.after(x)).map(v -> v / norm).toArray());
                    double[] before = t.after(x);
                    t.run(program);
                    t.expect(x, Reference.newtonSchulz(before, s.rows(), s.width()));
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("sizes")
    default void factored(Size s) {
        try (Trial t = trial("factored " + s, 1)) {
            int n = s.rows() * s.width();
            Tensor r = t.changed("r", s.rows());
            Tensor c = t.changed("c", s.width());
            Tensor gradient = t.changed("gradient", n);
            Program moments = ops -> ops.factoredMoments(r, c, gradient, s.rows(), s.width());
            Program direction = ops -> ops.factoredDirection(gradient, r, c, s.rows(), s.width());
            for (int layer = 1; layer <= 2; layer++) {
                t.fill(layer);
                t.put(r, new double[s.rows()]);
                t.put(c, new double[s.width()]);
                double[] rs = new double[s.rows()];
                double[] cs = new double[s.width()];
                double[] g = t.after(gradient);
                for (int step = 0; step < 2; step++) {
                    drawStep(t);
                    t.run(moments);
                    Reference.factoredMoments(rs, cs, g, s.rows(), s.width(), t.inputs);
                    t.expect(r, rs);
                    t.expect(c, cs);
                }
                t.run(direction);
                t.expect(gradient, Reference.factoredDirection(g, rs, cs, s.rows(), s.width(), t.inputs));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("sizes")
    default void scaleByRoots(Size s) {
        for (boolean ofRows : new boolean[] {true, false}) {
            try (Trial t = trial("scaleByRoots " + s + " " + ofRows, 1)) {
                int channels = ofRows ? s.rows() : s.width();
                Tensor x = t.changed("x", s.rows() * s.width());
                Tensor numerators = t.input("numerators", channels, () -> squares(t, channels));
                Tensor denominators = t.input("denominators", channels, () -> squares(t, channels));
                t.each(
                        ops -> ops.scaleByRoots(x, numerators, denominators, s.rows(), s.width(), ofRows),
                        () -> t.expect(
                                x,
                                Reference.scaleByRoots(
                                        t.before(x), t.before(numerators), t.before(denominators), s.width(), ofRows)));
            }
        }
    }

    private static double[] squares(Trial t, int length) {
        return Arrays.stream(t.normal(length)).map(x -> x * x + 0.01).toArray();
    }

    @Test
    default void project() {
        for (Size s : thin(List.of(new Size(7, 20), new Size(33, 19), new Size(24, 24), new Size(1, 5)))) {
            for (int rank : new int[] {1, 5}) {
                try (Trial t = trial("project " + s + " " + rank, 1)) {
                    int larger = Math.max(s.rows(), s.width());
                    Tensor out = t.output("out", larger * rank);
                    Tensor gradient = t.input("gradient", s.rows() * s.width());
                    Tensor directions = t.input("directions", Math.min(s.rows(), s.width()) * rank);
                    t.each(
                            ops -> ops.project(out, gradient, directions, s.rows(), s.width(), rank),
                            () -> t.expect(
                                    out,
                                    Reference.project(
                                            t.before(gradient), t.before(directions), s.rows(), s.width(), rank)));
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("lengths")
    default void unfactoredDirection(int length) {
        try (Trial t = trial("unfactoredDirection " + length, 1)) {
            Tensor gradient = t.changed("gradient", length);
            Tensor v = t.changed("v", length);
            for (int layer = 1; layer <= 2; layer++) {
                t.fill(layer);
                t.put(v, new double[length]);
                double[] g = t.after(gradient);
                double[] vs = new double[length];
                drawStep(t);
                t.run(ops -> ops.unfactoredDirection(gradient, v, length));
                Reference.unfactoredDirection(g, vs, t.inputs);
                t.expect(v, vs);
                t.expect(gradient, g);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("lengths")
    default void divideByNorm(int length) {
        for (float least : new float[] {1e-7f, 1e6f}) {
            try (Trial t = trial("divideByNorm " + length + " " + least, 1)) {
                Tensor x = t.changed("x", length);
                Tensor partials = t.input(
                        "partials",
                        Ops.PARTIALS,
                        () -> Arrays.stream(t.normal(Ops.PARTIALS))
                                .map(Math::abs)
                                .toArray());
                t.each(
                        ops -> ops.divideByNorm(x, partials, length, least, 0.3f),
                        () -> t.expect(x, Reference.divideByNorm(t.before(x), t.before(partials), least, 0.3f)));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("lengths")
    default void descend(int length) {
        try (Trial t = trial("descend " + length, 1)) {
            Tensor parameter = t.changed("parameter", length);
            Tensor direction = t.input("direction", length);
            drawStep(t);
            t.each(
                    ops -> ops.descend(parameter, direction, length, 0.7f, 0.1f),
                    () -> t.expect(
                            parameter,
                            Reference.descend(t.before(parameter), t.before(direction), 0.7f, 0.1f, t.inputs)));
        }
    }

    @ParameterizedTest
    @MethodSource("lengths")
    default void pull(int length) {
        try (Trial t = trial("pull " + length, 1)) {
            Tensor gradient = t.changed("gradient", length);
            Tensor importance = t.input("importance", length);
            Tensor parameter = t.input("parameter", length);
            Tensor start = t.input("start", length);
            t.each(
                    ops -> ops.pull(gradient, importance, parameter, start, length, 0.7f),
                    () -> t.expect(
                            gradient,
                            Reference.pull(
                                    t.before(gradient),
                                    t.before(importance),
                                    t.before(parameter),
                                    t.before(start),
                                    0.7f)));
        }
    }

    @ParameterizedTest
    @MethodSource("lengths")
    default void combine(int length) {
        try (Trial t = trial("combine " + length, 1)) {
            Tensor out = t.output("out", length);
            Tensor x = t.changed("x", length);
            Tensor y = t.changed("y", length);
            t.each(ops -> ops.combine(out, x, y, length, 0.3f, -1.7f), () -> {
                t.expect(out, Reference.combine(t.before(x), t.before(y), 0.3f, -1.7f));
                t.expectBits(x, t.before(x));
                t.expectBits(y, t.before(y));
            });
            t.each(
                    ops -> ops.combine(x, x, y, length, 0.3f, 2),
                    () -> t.expect(x, Reference.combine(t.before(x), t.before(y), 0.3f, 2)));
            t.each(
                    ops -> ops.combine(y, x, y, length, 0.3f, 2),
                    () -> t.expect(y, Reference.combine(t.before(x), t.before(y), 0.3f, 2)));
        }
    }

    @ParameterizedTest
    @MethodSource("lengths")
    default void zero(int length) {
        try (Trial t = trial("zero " + length, 1)) {
            Tensor x = t.changed("x", length);
            t.each(ops -> ops.zero(x, length), () -> t.expectBits(x, new double[length]));
        }
    }
}
