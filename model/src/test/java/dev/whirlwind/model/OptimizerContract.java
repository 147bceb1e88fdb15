package dev.whirlwind.model;

import static dev.whirlwind.model.Trial.dot;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Squared norm, AdamW, zero. */
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

    @ParameterizedTest
    @MethodSource("lengths")
    default void zero(int length) {
        try (Trial t = trial("zero " + length, 1)) {
            Tensor x = t.changed("x", length);
            t.each(ops -> ops.zero(x, length), () -> t.expectBits(x, new double[length]));
        }
    }
}
