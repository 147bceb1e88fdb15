package dev.whirlwind.model;

import static dev.whirlwind.model.Trial.dot;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The head and the loss. */
interface LossContract extends Trials {
    /** A quarter of the places has nothing to predict. */
    private static void drawTargets(Trial t, int vocabulary) {
        for (int r = 0; r < t.inputs.targets.length; r++) {
            t.inputs.targets[r] = t.random.nextInt(4) == 0 ? -1 - t.random.nextInt(100) : t.random.nextInt(vocabulary);
        }
        t.inputs.lossScale = 0.5f + t.random.nextFloat();
    }

    /** Weights that make logits of size 1. */
    private static double[] headWeight(Trial t, Head s) {
        return Arrays.stream(t.normal(s.vocabulary() * s.width()))
                .map(v -> (float) (v / Math.sqrt(s.width())))
                .toArray();
    }

    @ParameterizedTest
    @MethodSource("heads")
    default void headLoss(Head s) {
        try (Trial t = trial("headLoss " + s, s.rows())) {
            Tensor nll = t.output("nll", s.rows());
            Tensor x = t.input("x", s.rows() * s.width());
            Tensor weight = t.input("weight", s.vocabulary() * s.width(), () -> {
                drawTargets(t, s.vocabulary());
                return headWeight(t, s);
            });
            t.each(
                    ops -> ops.headLoss(nll, x, weight, s.rows(), s.width(), s.vocabulary()),
                    () -> t.expect(nll, nll(t, t.before(x), t.before(weight), s)));
        }
    }

    @ParameterizedTest
    @MethodSource("heads")
    default void headLossBackward(Head s) {
        try (Trial t = trial("headLossBackward " + s, s.rows())) {
            Tensor nll = t.output("nll", s.rows());
            Tensor dx = t.output("dx", s.rows() * s.width());
            Tensor dweight = t.changed("dweight", s.vocabulary() * s.width());
            Tensor x = t.input("x", s.rows() * s.width());
            Tensor weight = t.input("weight", s.vocabulary() * s.width(), () -> {
                drawTargets(t, s.vocabulary());
                return headWeight(t, s);
            });
            t.each(
                    ops -> ops.headLossBackward(nll, dx, dweight, x, weight, s.rows(), s.width(), s.vocabulary()),
                    () -> {
                        double[] xs = t.before(x);
                        double[] w = t.before(weight);
                        t.expect(nll, nll(t, xs, w, s));
                        double[] g = new double[s.rows()];
                        Arrays.fill(g, t.inputs.lossScale);
                        t.expectGradient(dx, xs, v -> dot(g, nll(t, v, w, s)));
                        t.expectAddedGradient(dweight, w, v -> dot(g, nll(t, xs, v, s)));
                    });
        }
    }

    @ParameterizedTest
    @MethodSource("heads")
    default void headObjectiveBackward(Head s) {
        objective(s, new Objective(0.1f, 1e-2f, 0, 1), false);
        objective(s, new Objective(0.05f, 1e-3f, 0.3f, 2), true);
        objective(s, new Objective(0, 0, 1, 0.7f), true);
    }

    private void objective(Head s, Objective o, boolean taught) {
        int teacherWidth = s.width() + 3;
        try (Trial t = trial("headObjectiveBackward " + s + " " + o, s.rows())) {
            Tensor losses = t.output("losses", 2 * s.rows());
            Tensor dx = t.output("dx", s.rows() * s.width());
            Tensor dweight = t.changed("dweight", s.vocabulary() * s.width());
            Tensor x = t.input("x", s.rows() * s.width());
            Tensor weight = t.input("weight", s.vocabulary() * s.width(), () -> {
                drawTargets(t, s.vocabulary());
                return headWeight(t, s);
            });
            Tensor teacherX = t.input("teacherX", s.rows() * teacherWidth);
            Tensor teacherWeight = t.input(
                    "teacherWeight",
                    s.vocabulary() * teacherWidth,
                    () -> headWeight(t, new Head(s.rows(), teacherWidth, s.vocabulary())));
            Objective.Teacher teacher = taught ? new Objective.Live(teacherX, teacherWeight, teacherWidth) : null;
            t.each(
                    ops -> ops.headObjectiveBackward(
                            losses, dx, dweight, x, weight, teacher, o, s.rows(), s.width(), s.vocabulary()),
                    () -> {
                        double[] xs = t.before(x);
                        double[] w = t.before(weight);
                        double[] q =
                                taught ? logits(t.before(teacherX), t.before(teacherWeight), s, teacherWidth) : null;
                        double[] expected = Arrays.copyOf(nll(t, xs, w, s), 2 * s.rows());
                        System.arraycopy(objective(t, xs, w, q, o, s), 0, expected, s.rows(), s.rows());
                        t.expect(losses, expected);
                        double[] g = new double[s.rows()];
                        Arrays.fill(g, t.inputs.lossScale);
                        t.expectGradient(dx, xs, v -> dot(g, objective(t, v, w, q, o, s)));
                        t.expectAddedGradient(dweight, w, v -> dot(g, objective(t, xs, v, q, o, s)));
                    });
        }
    }

    @ParameterizedTest
    @MethodSource("heads")
    default void headObjectiveBackwardWithAKeptTeacher(Head s) {
        kept(s, new Objective(0.05f, 1e-3f, 0.3f, 2), Math.min(3, s.vocabulary() - 1));
        kept(s, new Objective(0, 0, 1, 0.7f), s.vocabulary() - 1);
    }

    /** The expected divergence is that of the bins, not what engines make of it. */
    private void kept(Head s, Objective o, int top) {
        try (Trial t = trial("headObjectiveBackward " + s + " " + o + " of " + top, s.rows())) {
            t.inputs.keepTeacher(top);
            Tensor losses = t.output("losses", 2 * s.rows());
            Tensor dx = t.output("dx", s.rows() * s.width());
            Tensor dweight = t.changed("dweight", s.vocabulary() * s.width());
            Tensor x = t.input("x", s.rows() * s.width());
            Tensor weight = t.input("weight", s.vocabulary() * s.width(), () -> {
                drawTargets(t, s.vocabulary());
                drawTaught(t, top, s);
                return headWeight(t, s);
            });
            t.each(
                    ops -> ops.headObjectiveBackward(
                            losses,
                            dx,
                            dweight,
                            x,
                            weight,
                            new Objective.Kept(top),
                            o,
                            s.rows(),
                            s.width(),
                            s.vocabulary()),
                    () -> {
                        double[] xs = t.before(x);
                        double[] w = t.before(weight);
                        double[] expected = Arrays.copyOf(nll(t, xs, w, s), 2 * s.rows());
                        System.arraycopy(binned(t, xs, w, top, o, s), 0, expected, s.rows(), s.rows());
                        t.expect(losses, expected);
                        double[] g = new double[s.rows()];
                        Arrays.fill(g, t.inputs.lossScale);
                        t.expectGradient(dx, xs, v -> dot(g, binned(t, v, w, top, o, s)));
                        t.expectAddedGradient(dweight, w, v -> dot(g, binned(t, xs, v, top, o, s)));
                    });
        }
    }

    /**
     * Values and gradients are those of PyTorch 2.13 in double: cross-entropy, the logarithm's square and the divergence of top
     * + 1 bins by its own functions. The head's weight is the identity, so that its rows are the logits.
     */
    @Test
    default void aKeptTeacherAsInPyTorch() throws IOException {
        try (InputStream json = LossContract.class.getResourceAsStream("/objective/kept-teacher.json")) {
            for (JsonNode o : JsonMapper.shared().readTree(json)) {
                keptAsInPyTorch(o);
            }
        }
    }

    private void keptAsInPyTorch(JsonNode o) {
        Objective objective = new Objective(
                o.path("label_smoothing").floatValue(),
                o.path("z_loss").floatValue(),
                o.path("distillation").floatValue(),
                o.path("temperature").floatValue());
        int top = o.path("top").intValue();
        double[] logits = flat(o.path("logits"));
        int rows = o.path("targets").size();
        int n = logits.length / rows;
        try (Trial t = trial("kept teacher", rows)) {
            t.inputs.keepTeacher(top);
            Tensor losses = t.output("losses", 2 * rows);
            Tensor dx = t.output("dx", rows * n);
            Tensor dweight = t.changed("dweight", n * n);
            Tensor x = t.input("x", rows * n, () -> logits);
            Tensor weight = t.input("weight", n * n, () -> {
                t.inputs.lossScale = 1;
                double[] targets = flat(o.path("targets"));
                double[] tokens = flat(o.path("tokens"));
                double[] probabilities = flat(o.path("probabilities"));
                Arrays.setAll(t.inputs.targets, i -> (int) targets[i]);
                Arrays.setAll(t.inputs.taughtTokens, i -> (int) tokens[i]);
                for (int i = 0; i < probabilities.length; i++) {
                    t.inputs.taughtProbabilities[i] = (float) probabilities[i];
                }
                double[] identity = new double[n * n];
                for (int i = 0; i < n; i++) {
                    identity[i * n + i] = 1;
                }
                return identity;
            });
            t.each(
                    ops -> ops.headObjectiveBackward(
                            losses, dx, dweight, x, weight, new Objective.Kept(top), objective, rows, n, n),
                    () -> {
                        double[] expected = Arrays.copyOf(t.after(losses), 2 * rows);
                        System.arraycopy(flat(o.path("values")), 0, expected, rows, rows);
                        t.expect(losses, expected);
                        t.expect(dx, flat(o.path("gradient")));
                    });
        }
    }

    private static double[] flat(JsonNode values) {
        return values.valueStream()
                .flatMapToDouble(
                        value -> value.isArray() ? Arrays.stream(flat(value)) : DoubleStream.of(value.doubleValue()))
                .toArray();
    }

    private static double[] binned(Trial t, double[] x, double[] weight, int top, Objective o, Head s) {
        double[] logits = logits(x, weight, s, s.width());
        double[] values = Reference.objective(logits, null, t.inputs.targets, o, s.rows(), s.vocabulary());
        double[] more = Reference.binned(logits, t.inputs, top, o, s.rows(), s.vocabulary());
        return Reference.add(values, more);
    }

    /** Tokens that follow each other, and probabilities that leave something for the rest. */
    private static void drawTaught(Trial t, int top, Head s) {
        for (int r = 0; r < s.rows(); r++) {
            int first = t.random.nextInt(s.vocabulary() - top + 1);
            double sum = 0;
            double[] q = new double[top + 1];
            for (int j = 0; j <= top; j++) {
                q[j] = 0.01 + t.random.nextDouble();
                sum += q[j];
            }
            for (int j = 0; j <= top; j++) {
                t.inputs.taughtProbabilities[r * (top + 1) + j] = (float) (q[j] / sum);
                if (j < top) {
                    t.inputs.taughtTokens[r * top + j] = first + j;
                }
            }
        }
    }

    private static double[] logits(double[] x, double[] weight, Head s, int width) {
        return Reference.linear(x, weight, null, s.rows(), width, s.vocabulary());
    }

    private static double[] objective(Trial t, double[] x, double[] weight, double[] teacher, Objective o, Head s) {
        double[] logits = logits(x, weight, s, s.width());
        return Reference.objective(logits, teacher, t.inputs.targets, o, s.rows(), s.vocabulary());
    }

    private static double[] nll(Trial t, double[] x, double[] weight, Head s) {
        return Reference.nll(x, weight, t.inputs.targets, s.rows(), s.width(), s.vocabulary());
    }

    @Test
    default void headLossWithNothingToPredict() {
        Head s = new Head(7, 20, 65);
        try (Trial t = trial("headLossBackward without targets", s.rows())) {
            Arrays.fill(t.inputs.targets, -1);
            Tensor nll = t.output("nll", s.rows());
            Tensor dx = t.output("dx", s.rows() * s.width());
            Tensor dweight = t.changed("dweight", s.vocabulary() * s.width());
            Tensor x = t.input("x", s.rows() * s.width());
            Tensor weight = t.input("weight", s.vocabulary() * s.width());
            t.each(
                    ops -> ops.headLossBackward(nll, dx, dweight, x, weight, s.rows(), s.width(), s.vocabulary()),
                    () -> {
                        t.expectBits(nll, new double[s.rows()]);
                        t.expectBits(dx, new double[s.rows() * s.width()]);
                        t.expectBits(dweight, t.before(dweight));
                    });
        }
    }

    /** Logits of some +-10000. */
    @Test
    default void headLossWithLargeLogits() {
        Head s = new Head(7, 20, 65);
        try (Trial t = trial("headLossBackward with large logits", s.rows())) {
            Tensor nll = t.output("nll", s.rows());
            Tensor dx = t.output("dx", s.rows() * s.width());
            Tensor dweight = t.changed("dweight", s.vocabulary() * s.width());
            Tensor x = t.input(
                    "x",
                    s.rows() * s.width(),
                    () -> Arrays.stream(t.normal(s.rows() * s.width()))
                            .map(v -> v * 1e4)
                            .toArray());
            Tensor weight = t.input("weight", s.vocabulary() * s.width(), () -> {
                drawTargets(t, s.vocabulary());
                return headWeight(t, s);
            });
            t.each(
                    ops -> ops.headLossBackward(nll, dx, dweight, x, weight, s.rows(), s.width(), s.vocabulary()),
                    () -> {
                        t.expect(nll, nll(t, t.before(x), t.before(weight), s));
                        t.expectFinite(dx);
                        t.expectFinite(dweight);
                    });
        }
    }

    /** Training must notice a number that went wrong: it may not vanish on its way to the loss or the gradient's norm. */
    @Test
    default void notANumberReachesTheLossAndTheNorm() {
        Head s = new Head(7, 20, 65);
        try (Trial t = trial("NaN", s.rows())) {
            Tensor nll = t.output("nll", s.rows());
            Tensor x = t.input("x", s.rows() * s.width(), () -> {
                double[] values = t.normal(s.rows() * s.width());
                values[3 * s.width() + 5] = Double.NaN;
                return values;
            });
            Tensor weight = t.input("weight", s.vocabulary() * s.width());
            Tensor partials = t.output("partials", Ops.PARTIALS);
            t.each(
                    ops -> {
                        ops.headLoss(nll, x, weight, s.rows(), s.width(), s.vocabulary());
                        ops.sumOfSquares(partials, x, (long) s.rows() * s.width());
                    },
                    () -> {
                        assertThat(t.after(nll)[3]).isNaN();
                        assertThat(t.after(nll)[2]).isFinite();
                        assertThat(Arrays.stream(t.after(partials)).sum()).isNaN();
                    });
        }
    }
}
