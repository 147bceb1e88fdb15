package dev.whirlwind.model;

import java.util.Comparator;
import java.util.stream.IntStream;

/** Eigenvalues of a small symmetric matrix, the largest first, and their vectors, by Jacobi's rotations (Golub and Van Loan, 8.5). */
final class SymmetricEigen {
    private static final int SWEEPS = 60;

    private final double[][] a;
    private final double[][] v;
    private final int[] order;

    SymmetricEigen(double[][] matrix) {
        int n = matrix.length;
        a = matrix;
        v = new double[n][n];
        for (int i = 0; i < n; i++) {
            v[i][i] = 1;
        }
        for (int sweep = 0; sweep < SWEEPS && rotateAll(); sweep++) {
            // Until nothing is left beside the diagonal.
        }
        order = IntStream.range(0, n)
                .boxed()
                .sorted(Comparator.comparingDouble((Integer i) -> a[i][i]).reversed())
                .mapToInt(Integer::intValue)
                .toArray();
    }

    double value(int k) {
        return a[order[k]][order[k]];
    }

    double[] vector(int k) {
        return v[order[k]];
    }

    private boolean rotateAll() {
        boolean rotated = false;
        for (int p = 0; p < a.length; p++) {
            for (int q = p + 1; q < a.length; q++) {
                if (Math.abs(a[p][q]) > 1e-15 * Math.sqrt(Math.abs(a[p][p] * a[q][q]))) {
                    rotate(p, q);
                    rotated = true;
                }
            }
        }
        return rotated;
    }

    private void rotate(int p, int q) {
        double theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        double t = Math.copySign(1, theta) / (Math.abs(theta) + Math.hypot(1, theta));
        double c = 1 / Math.hypot(1, t);
        double s = t * c;
        for (int k = 0; k < a.length; k++) {
            double kp = a[k][p];
            double kq = a[k][q];
            a[k][p] = c * kp - s * kq;
            a[k][q] = s * kp + c * kq;
        }
        turn(a, p, q, c, s);
        turn(v, p, q, c, s);
    }

    private static void turn(double[][] m, int p, int q, double c, double s) {
        for (int k = 0; k < m.length; k++) {
            double pk = m[p][k];
            double qk = m[q][k];
            m[p][k] = c * pk - s * qk;
            m[q][k] = s * pk + c * qk;
        }
    }
}
