package dev.whirlwind.model;

import static dev.whirlwind.model.Trial.dot;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Backward operations whose parameters are frozen: gradients that are null change nothing of the others. */
interface FrozenContract extends Trials {
    int ROWS = 37;
    int WIDTH = 65;

    @Test
    default void layerNormIsFrozen() {
        try (Trial t = trial("layerNormBackward, frozen", 1)) {
            int n = ROWS * WIDTH;
            double[][] drawn = new double[1][];
            Tensor x = t.input("x", n, () -> drawn[0] = t.normal(n));
            Tensor mean = t.input("mean", ROWS, () -> Reference.mean(drawn[0], ROWS, WIDTH));
            Tensor rstd = t.input("rstd", ROWS, () -> Reference.layerNormRstd(drawn[0], ROWS, WIDTH, EPS));
            Tensor weight = t.input("weight", WIDTH);
            Tensor dout = t.input("dout", n);
            Tensor dx = t.changed("dx", n);
            Tensor dbias = t.changed("dbias", WIDTH);
            for (Tensor bias : Arrays.asList(null, dbias)) {
                t.each(ops -> ops.layerNormBackward(dx, null, bias, dout, x, mean, rstd, weight, ROWS, WIDTH), () -> {
                    double[] xs = t.before(x);
                    double[] w = t.before(weight);
                    double[] b = t.normal(WIDTH);
                    double[] g = t.before(dout);
                    t.expectAddedGradient(dx, xs, v -> dot(g, Reference.layerNorm(v, w, b, ROWS, WIDTH, EPS)));
                    if (bias == null) {
                        t.expectBits(dbias, t.before(dbias));
                    } else {
                        t.expectAddedGradient(dbias, b, v -> dot(g, Reference.layerNorm(xs, w, v, ROWS, WIDTH, EPS)));
                    }
                });
            }
        }
    }

    @Test
    default void rmsNormIsFrozen() {
        try (Trial t = trial("rmsNormBackward, frozen", 1)) {
            int n = ROWS * WIDTH;
            double[][] drawn = new double[1][];
            Tensor dx = t.changed("dx", n);
            Tensor x = t.input("x", n, () -> drawn[0] = t.normal(n));
            Tensor rstd = t.input("rstd", ROWS, () -> Reference.rmsNormRstd(drawn[0], ROWS, WIDTH, EPS));
            Tensor weight = t.input("weight", WIDTH);
            Tensor dout = t.input("dout", n);
            t.each(ops -> ops.rmsNormBackward(dx, null, dout, x, rstd, weight, ROWS, WIDTH), () -> {
                double[] w = t.before(weight);
                double[] g = t.before(dout);
                t.expectAddedGradient(dx, t.before(x), v -> dot(g, Reference.rmsNorm(v, w, ROWS, WIDTH, EPS)));
            });
        }
    }

    @Test
    default void linearIsFrozen() {
        int out = 33;
        try (Trial t = trial("linearBackwardWeight, frozen", 1)) {
            Tensor dbias = t.changed("dbias", out);
            Tensor dout = t.input("dout", ROWS * out);
            Tensor x = t.input("x", ROWS * WIDTH);
            t.each(ops -> ops.linearBackwardWeight(null, dbias, dout, x, ROWS, WIDTH, out), () -> {
                double[] xs = t.before(x);
                double[] g = t.before(dout);
                double[] w = t.normal(out * WIDTH);
                t.expectAddedGradient(dbias, t.normal(out), v -> dot(g, Reference.linear(xs, w, v, ROWS, WIDTH, out)));
            });
        }
    }

    @Test
    default void headIsFrozen() {
        int vocabulary = 129;
        try (Trial t = trial("headLossBackward, frozen", ROWS)) {
            Tensor losses = t.output("losses", 2 * ROWS);
            Tensor dx = t.output("dx", ROWS * WIDTH);
            Tensor dx2 = t.output("dx2", ROWS * WIDTH);
            Tensor nll = t.output("nll", ROWS);
            Tensor x = t.input("x", ROWS * WIDTH);
            Tensor weight = t.input("weight", vocabulary * WIDTH, () -> {
                Arrays.setAll(t.inputs.targets, _ -> t.random.nextInt(vocabulary));
                return Arrays.stream(t.normal(vocabulary * WIDTH))
                        .map(v -> (float) (v / 8))
                        .toArray();
            });
            t.each(
                    ops -> {
                        ops.headLossBackward(nll, dx, null, x, weight, ROWS, WIDTH, vocabulary);
                        ops.headObjectiveBackward(
                                losses, dx2, null, x, weight, null, Objective.PLAIN, ROWS, WIDTH, vocabulary);
                    },
                    () -> {
                        double[] xs = t.before(x);
                        double[] w = t.before(weight);
                        double[] expected = Reference.nll(xs, w, t.inputs.targets, ROWS, WIDTH, vocabulary);
                        t.expect(nll, expected);
                        double[] twice = Arrays.copyOf(expected, 2 * ROWS);
                        System.arraycopy(expected, 0, twice, ROWS, ROWS);
                        t.expect(losses, twice);
                        double[] g = new double[ROWS];
                        Arrays.fill(g, t.inputs.lossScale);
                        for (Tensor gradient : new Tensor[] {dx, dx2}) {
                            t.expectGradient(
                                    gradient,
                                    xs,
                                    v -> dot(g, Reference.nll(v, w, t.inputs.targets, ROWS, WIDTH, vocabulary)));
                        }
                    });
        }
    }

    @Test
    default void queriesNormIsFrozen() {
        AttentionShape s = new AttentionShape(2, 7, 4, 2, 12, 0);
        try (Trial t = trial("headNormBackward, frozen", 1)) {
            int n = s.rows() * s.qkvWidth();
            double[][] drawn = new double[1][];
            Tensor x = t.input("x", n, () -> drawn[0] = t.normal(n));
            Tensor rstd = t.input(
                    "rstd", s.rows() * (s.heads() + s.kvHeads()), () -> Reference.headNormRstd(drawn[0], s, EPS));
            Tensor queryWeight = t.input("queryWeight", s.headDim());
            Tensor keyWeight = t.input("keyWeight", s.headDim());
            Tensor dout = t.input("dout", n);
            Tensor dx = t.output("dx", n);
            Tensor dkeyWeight = t.changed("dkeyWeight", s.headDim());
            t.each(ops -> ops.headNormBackward(dx, null, dkeyWeight, dout, x, rstd, queryWeight, keyWeight, s), () -> {
                double[] xs = t.before(x);
                double[] q = t.before(queryWeight);
                double[] k = t.before(keyWeight);
                double[] g = t.before(dout);
                t.expectGradient(dx, xs, v -> dot(g, Reference.headNorm(v, q, k, s, EPS)));
                t.expectAddedGradient(dkeyWeight, k, v -> dot(g, Reference.headNorm(xs, q, v, s, EPS)));
            });
        }
    }
}
