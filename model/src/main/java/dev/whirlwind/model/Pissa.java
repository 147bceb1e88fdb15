package dev.whirlwind.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;

/**
 * Adapters that begin as the principal part of their weights (PiSSA, arXiv 2404.02948): with W = U S V', A = sqrt(S/scale) V'
 * and B = U sqrt(S/scale) of the largest singular values, and W keeps the rest, W - scale B A. What they began with is kept:
 * an adapter that is [A; A0] and [B, -B0] does for W what A and B do for the rest.
 *
 * <p>The largest singular vectors are found by subspace iteration (Halko et al., arXiv 0909.4061, algorithm 4.4) with the
 * engine's products; some more than are wanted are carried along, and it ends when the values do not change any more.
 */
public final class Pissa {
    /** How near the principal part is to be found. */
    public enum Search {
        /** As is enough to begin with. */
        NEAR(16, 30, 1e-7),

        /** As floats allow: another program has found it before, and only its adapters are known. */
        EXACT(64, 500, 0);

        /** Vectors beside those that are wanted. */
        private final int more;

        private final int iterations;

        /** Of the wanted values, from one iteration to the next, at which it ends. */
        private final double change;

        Search(int more, int iterations, double change) {
            this.more = more;
            this.iterations = iterations;
            this.change = change;
        }
    }

    private final Engine engine;
    private final Parameters weights;
    private final Parameters start;
    private final AdapterMerge merge;

    /** Allocates what is kept, and the product. */
    public Pissa(Engine engine, Parameters weights) {
        this.engine = engine;
        this.weights = weights;
        start = new Parameters(engine, weights.layout().only(Pissa::isOfProduct), "adapters.start");
        merge = new AdapterMerge(engine, weights, start);
    }

    private static boolean isOfProduct(String tensor) {
        return tensor.endsWith(".lora_A.weight") || tensor.endsWith(".lora_B.weight");
    }

    /** What A and B began as. */
    public Parameters start() {
        return start;
    }

    /** Finds the principal part, and takes it from the weights. */
    public void begin(Search search) {
        weights.download();
        for (LowRank r : weights.layout().lowRanks()) {
            for (int part = 0; part < r.parts().size(); part++) {
                Principal principal = new Principal(engine, weights, r, part, search);
                for (int layer : r.layers()) {
                    principal.find(layer);
                }
            }
        }
        weights.upload();
        for (CheckpointTensor tensor : start.layout().checkpointTensors()) {
            copy(tensor);
        }
        start.upload();
        subtract();
    }

    private void copy(CheckpointTensor to) {
        CheckpointTensor from = weights.layout().checkpointTensors().stream()
                .filter(tensor -> tensor.name().equals(to.name()))
                .findFirst()
                .orElseThrow();
        weights.buffer()
                .get(from.offset(), start.buffer().segment().asSlice(4 * to.offset(), 4 * to.size()), to.size());
    }

    /** Takes what adapters began as from the weights, where it is known already. */
    public void subtract() {
        merge.subtract();
    }

    /** Finds the principal part of one module. */
    private static final class Principal {
        private final Engine engine;
        private final Parameters weights;
        private final Search search;
        private final LowRank r;
        private final int part;
        private final int rows;
        private final int in;
        private final int carried;
        private final Tensor left;
        private final Tensor right;
        private final Program toRight;
        private final Program toLeft;
        private final Inputs inputs;

        Principal(Engine engine, Parameters weights, LowRank r, int part, Search search) {
            this.search = search;
            this.engine = engine;
            this.weights = weights;
            this.r = r;
            this.part = part;
            LowRank.Part p = r.parts().get(part);
            rows = p.rows();
            in = r.inWidth();
            carried = Math.min(p.lora().rank() + search.more, Math.min(rows, in));
            left = new Tensor(engine.allocate("adapters.left", (long) carried * rows), 0, 0);
            right = new Tensor(engine.allocate("adapters.right", (long) carried * in), 0, 0);
            Tensor weight = weights.layout().tensor(weights.buffer(), r.kind()).skip((long) p.firstRow() * in);
            toRight = ops -> ops.linearBackwardInput(right, left, weight, carried, in, rows);
            toLeft = ops -> ops.linear(left, right, weight, null, carried, in, rows);
            inputs = engine.inputs(1);
        }

        void find(int layer) {
            Random random = new Random(layer);
            double[][] q = new double[carried][rows];
            for (double[] row : q) {
                Arrays.setAll(row, _ -> random.nextGaussian());
            }
            int rank = r.parts().get(part).lora().rank();
            double before = 0;
            double[][] y = null;
            SymmetricEigen eigen = null;
            for (int i = 0; i < search.iterations; i++) {
                orthonormalize(q);
                write(left, q);
                engine.run(toRight, inputs, layer);
                y = read(right, in);
                eigen = new SymmetricEigen(products(y));
                double sum = 0;
                for (int k = 0; k < rank; k++) {
                    sum += eigen.value(k);
                }
                if (Math.abs(sum - before) <= search.change * sum) {
                    break;
                }
                before = sum;
                if (i < search.iterations - 1) {
                    double[][] basis = Arrays.stream(y).map(double[]::clone).toArray(double[][]::new);
                    orthonormalize(basis);
                    write(right, basis);
                    engine.run(toLeft, inputs, layer);
                    q = read(left, rows);
                }
            }
            put(layer, rank, q, y, eigen);
        }

        /** A [rank, in] = sqrt(s / scale) v', where s v' = u' Q W, and B [rows, rank] = Q' u sqrt(s / scale). */
        private void put(int layer, int rank, double[][] q, double[][] y, SymmetricEigen eigen) {
            LowRank.Part p = r.parts().get(part);
            ParameterLayout layout = weights.layout();
            long a = layout.parameter(r.a()).offset(layer) + (long) p.firstRank() * in;
            long b = layout.parameter(r.b(part)).offset(layer);
            float[] row = new float[in];
            float[] columns = new float[rows * rank];
            for (int k = 0; k < rank; k++) {
                double s = Math.sqrt(Math.max(0, eigen.value(k)));
                double root = Math.sqrt(s / p.lora().scale());
                double[] u = eigen.vector(k);
                for (int i = 0; i < in; i++) {
                    double sum = 0;
                    for (int j = 0; j < carried; j++) {
                        sum += u[j] * y[j][i];
                    }
                    row[i] = (float) (s == 0 ? 0 : root * sum / s);
                }
                weights.buffer().put(a + (long) k * in, MemorySegment.ofArray(row), in);
                for (int i = 0; i < rows; i++) {
                    double sum = 0;
                    for (int j = 0; j < carried; j++) {
                        sum += u[j] * q[j][i];
                    }
                    columns[i * rank + k] = (float) (root * sum);
                }
            }
            weights.buffer().put(b, MemorySegment.ofArray(columns), columns.length);
        }

        private void write(Tensor tensor, double[][] values) {
            MemorySegment segment = tensor.buffer().segment();
            long place = 0;
            for (double[] row : values) {
                for (double value : row) {
                    segment.setAtIndex(ValueLayout.JAVA_FLOAT, place++, (float) value);
                }
            }
            engine.upload(tensor.buffer(), 0, place);
        }

        private double[][] read(Tensor tensor, int width) {
            MemorySegment segment = engine.host(tensor, (long) carried * width);
            double[][] values = new double[carried][width];
            for (int i = 0; i < carried; i++) {
                for (int j = 0; j < width; j++) {
                    values[i][j] = segment.getAtIndex(ValueLayout.JAVA_FLOAT, (long) i * width + j);
                }
            }
            return values;
        }

        private static double[][] products(double[][] rows) {
            double[][] products = new double[rows.length][rows.length];
            for (int i = 0; i < rows.length; i++) {
                for (int j = 0; j <= i; j++) {
                    products[i][j] = dot(rows[i], rows[j]);
                    products[j][i] = products[i][j];
                }
            }
            return products;
        }

        /** Gram and Schmidt, twice, as once is not enough in floating point. */
        private static void orthonormalize(double[][] rows) {
            for (int i = 0; i < rows.length; i++) {
                for (int pass = 0; pass < 2; pass++) {
                    for (int j = 0; j < i; j++) {
                        double share = dot(rows[i], rows[j]);
                        for (int k = 0; k < rows[i].length; k++) {
                            rows[i][k] -= share * rows[j][k];
                        }
                    }
                    double norm = Math.sqrt(dot(rows[i], rows[i]));
                    for (int k = 0; k < rows[i].length && norm > 0; k++) {
                        rows[i][k] /= norm;
                    }
                }
            }
        }

        private static double dot(double[] a, double[] b) {
            double sum = 0;
            for (int i = 0; i < a.length; i++) {
                sum += a[i] * b[i];
            }
            return sum;
        }
    }
}
