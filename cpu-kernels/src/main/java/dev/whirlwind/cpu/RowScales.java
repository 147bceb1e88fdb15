package dev.whirlwind.cpu;

/**
 * DoRA's scales (arXiv 2402.09353): a magnitude over the norm of a row of W + s B A. The norm's square is that of W's row
 * plus 2 s (W A^T) . B plus s^2 (B A A^T) . B by row, so that W + s B A is never held.
 */
final class RowScales {
    private final Workers workers;
    private final Workers.Task run = this::run;

    // The call in progress; addresses.
    private long out;
    private long magnitudes;
    private long weight;
    private long b;
    private long wa;
    private long baa;
    private int rows;
    private int in;
    private int rank;
    private float scale;
    private int chunk;

    RowScales(Workers workers) {
        this.workers = workers;
    }

    void run(
            long out,
            long magnitudes,
            long weight,
            long b,
            long wa,
            long baa,
            int rows,
            int in,
            int rank,
            float scale) {
        this.out = out;
        this.magnitudes = magnitudes;
        this.weight = weight;
        this.b = b;
        this.wa = wa;
        this.baa = baa;
        this.rows = rows;
        this.in = in;
        this.rank = rank;
        this.scale = scale;
        chunk = Chunks.rowsPerTask(in);
        workers.run(Math.ceilDiv(rows, chunk), run);
    }

    private void run(int task, int worker) {
        int end = Math.min(rows, (task + 1) * chunk);
        for (int r = task * chunk; r < end; r++) {
            long row = weight + 4L * r * in;
            long low = 4L * r * rank;
            double square = RmsNorm.sumOfProducts(row, row, in);
            square += 2.0 * scale * RmsNorm.sumOfProducts(wa + low, b + low, rank);
            square += (double) scale * scale * RmsNorm.sumOfProducts(baa + low, b + low, rank);
            Memory.set(out + 4L * r, (float) (Memory.get(magnitudes + 4L * r) / Math.sqrt(square)));
        }
    }
}
