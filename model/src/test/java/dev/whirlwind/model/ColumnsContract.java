package dev.whirlwind.model;

import dev.whirlwind.model.Ops.Columns;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Matrices that are some columns of wider rows, and what adapters with magnitudes need. */
interface ColumnsContract extends Trials {
    int FIRST = 5;
    int MORE = 9;

    private static double[] columns(double[] matrix, int rows, int step, int first, int width) {
        double[] some = new double[rows * width];
        for (int r = 0; r < rows; r++) {
            System.arraycopy(matrix, r * step + first, some, r * width, width);
        }
        return some;
    }

    private static double[] with(double[] matrix, double[] some, int rows, int step, int first, int width) {
        double[] all = matrix.clone();
        for (int r = 0; r < rows; r++) {
            System.arraycopy(some, r * width, all, r * step + first, width);
        }
        return all;
    }

    @ParameterizedTest
    @MethodSource("sizes")
    default void columnsAreAddedAndCopied(Size s) {
        int step = s.width() + MORE;
        int n = s.rows() * s.width();
        try (Trial t = trial("columns " + s, 1)) {
            Tensor wide = t.changed("wide", s.rows() * step);
            Tensor x = t.input("x", n);
            Tensor copied = t.output("copied", n);
            t.each(
                    ops -> {
                        ops.copyColumns(
                                Columns.of(copied, s.width()), new Columns(wide, step, FIRST), s.rows(), s.width(), 3);
                        ops.addColumns(
                                new Columns(wide, step, FIRST), Columns.of(x, s.width()), s.rows(), s.width(), -0.5f);
                    },
                    () -> {
                        double[] before = t.before(wide);
                        double[] some = columns(before, s.rows(), step, FIRST, s.width());
                        t.expect(copied, Arrays.stream(some).map(v -> 3 * v).toArray());
                        double[] xs = t.before(x);
                        double[] sum = new double[n];
                        Arrays.setAll(sum, i -> some[i] - 0.5 * xs[i]);
                        t.expect(wide, with(before, sum, s.rows(), step, FIRST, s.width()));
                    });
        }
    }

    @ParameterizedTest
    @MethodSource("sizes")
    default void columnsAreScaled(Size s) {
        int step = s.width() + MORE;
        for (boolean hasBias : new boolean[] {false, true}) {
            try (Trial t = trial("scaleColumns " + s + hasBias, 1)) {
                Tensor wide = t.changed("wide", s.rows() * step);
                Tensor scales = t.input("scales", s.width());
                Tensor bias = hasBias ? t.input("bias", s.width()) : null;
                t.each(
                        ops -> ops.scaleColumns(new Columns(wide, step, FIRST), scales, bias, s.rows(), s.width()),
                        () -> {
                            double[] before = t.before(wide);
                            double[] some = columns(before, s.rows(), step, FIRST, s.width());
                            double[] f = t.before(scales);
                            double[] b = hasBias ? t.before(bias) : new double[s.width()];
                            for (int i = 0; i < some.length; i++) {
                                int c = i % s.width();
                                some[i] = f[c] * (some[i] - b[c]) + b[c];
                            }
                            t.expect(wide, with(before, some, s.rows(), step, FIRST, s.width()));
                        });
            }
        }
    }

    @ParameterizedTest
    @MethodSource("sizes")
    default void productsOfColumnsAreSummed(Size s) {
        int step = s.width() + MORE;
        try (Trial t = trial("addColumnProducts " + s, 1)) {
            Tensor sums = t.changed("sums", s.width());
            Tensor a = t.input("a", s.rows() * step);
            Tensor b = t.input("b", s.rows() * step);
            Tensor scales = t.input("scales", s.width());
            Tensor magnitudes = t.input(
                    "magnitudes",
                    s.width(),
                    () -> Arrays.stream(t.normal(s.width()))
                            .map(v -> 2 + Math.tanh(v))
                            .toArray());
            t.each(
                    ops -> ops.addColumnProducts(
                            sums,
                            new Columns(a, step, FIRST),
                            new Columns(b, step, 0),
                            scales,
                            magnitudes,
                            s.rows(),
                            s.width()),
                    () -> {
                        double[] as = columns(t.before(a), s.rows(), step, FIRST, s.width());
                        double[] bs = columns(t.before(b), s.rows(), step, 0, s.width());
                        double[] added = Reference.columnProducts(
                                as, bs, t.before(scales), t.before(magnitudes), s.rows(), s.width());
                        t.expect(sums, Reference.add(t.before(sums), added));
                    });
        }
    }

    /** Against the norms of W + scale B A itself. */
    @ParameterizedTest
    @MethodSource("sizes")
    default void rowsHaveMagnitudes(Size s) {
        int rank = 3;
        double scale = 0.7f;
        try (Trial t = trial("rowScales " + s, 1)) {
            int rows = s.rows();
            int in = s.width();
            double[][] drawn = new double[3][];
            Tensor out = t.output("out", rows);
            Tensor magnitudes = t.input("magnitudes", rows);
            Tensor weight = t.input("weight", rows * in, () -> drawn[0] = t.normal(rows * in));
            Tensor b = t.input("b", rows * rank, () -> drawn[1] = t.normal(rows * rank));
            Tensor wa = t.input("wa", rows * rank, () -> {
                drawn[2] = t.normal(rank * in);
                return Reference.linear(drawn[0], drawn[2], null, rows, in, rank);
            });
            Tensor baa = t.input("baa", rows * rank, () -> {
                double[] aa = Reference.linear(drawn[2], drawn[2], null, rank, in, rank);
                return Reference.linear(drawn[1], aa, null, rows, rank, rank);
            });
            t.each(ops -> ops.rowScales(out, magnitudes, weight, b, wa, baa, rows, in, rank, (float) scale), () -> {
                double[] m = t.before(magnitudes);
                double[] right = new double[rows];
                for (int r = 0; r < rows; r++) {
                    double square = 0;
                    for (int i = 0; i < in; i++) {
                        double w = drawn[0][r * in + i];
                        for (int k = 0; k < rank; k++) {
                            w += scale * drawn[1][r * rank + k] * drawn[2][k * in + i];
                        }
                        square += w * w;
                    }
                    right[r] = m[r] / Math.sqrt(square);
                }
                t.expect(out, right);
            });
        }
    }
}
