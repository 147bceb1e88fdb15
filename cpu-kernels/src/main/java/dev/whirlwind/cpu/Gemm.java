package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromArray;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import java.lang.foreign.Arena;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * Matrix multiplication, blocked for the caches and packed (Goto and van de Geijn, 2008; Van Zee and van de Geijn, BLIS,
 * 2015). The result is cut into tiles, one task each. A task goes through k in blocks; for each it packs its columns of B
 * to stay in the second-level cache, then takes its rows of A through {@link MicroKernel}, a few at a time. Rows that lie
 * contiguous are copied as they are needed; a transposed A is transposed first, some rows at a time.
 *
 * <p>Every element of the result is the sum over blocks of k, in order, of sums in order: tiles and threads do not change
 * its bits. Addresses are {@link Memory}'s; leading dimensions count floats. Not for use by several threads at a time.
 */
final class Gemm implements Workers.Task {
    /** Most of k at a time with a transposed A: less, so that the rows of A and B that are packed are read in longer pieces. */
    private static final int DEPTH_TRANSPOSED = 256;

    /** Most floats of a block of k of what a task packs of B: most of a second-level cache of 1 MiB. */
    private static final int B_BLOCK = 200 << 10;

    /**
     * Most floats of all blocks of B that a task packs at a time. With a transposed A it packs as many as fit, so that
     * results, gradients of weights in memory, are read and written once for many blocks.
     */
    private static final int B_FLOATS = 768 << 10;

    /** Rows of a transposed A that are transposed at a time. */
    private static final int A_ROWS = 128 / MicroKernel.ROWS * MicroKernel.ROWS;

    /** What packing an element of B costs, or fetching one of A, in multiplications. */
    private static final double FETCHING = 50;

    /** Waiting for the last task costs about this share of one. */
    private static final double IMBALANCE = 0.1;

    private static final long VECTOR = 4L * LANES;
    private static final long ZEROS =
            Memory.allocate(Arena.global(), MicroKernel.COLUMNS).address();

    /** Columns of a few rows of B that are widened at a time. */
    private static final int WIDENED = 256;

    private final Workers workers;
    private final StoredWeights stored;

    // For each worker: some rows of A, panels of B, and the product of 8 rows and a panel; floats of stored weights.
    private final float[][] aRows;
    private final float[][] bPanels;
    private final float[][] tiles;

    private final Scratch scratch = new Scratch();
    private long widened;

    private long c;
    private long a;
    private long b;
    private long bias;
    private int ldc;
    private int lda;
    private int ldb;
    private int m;
    private int n;
    private int k;
    private boolean transposeA;
    private boolean transposeB;
    private boolean accumulate;

    private int blocks;
    private int tileRows;
    private int tileColumns;
    private int tilesAcross;

    /** B may lie among {@code stored} weights. */
    Gemm(Workers workers, StoredWeights stored) {
        this.workers = workers;
        this.stored = stored;
        aRows = new float[workers.threads()][A_ROWS * MicroKernel.ROW_STEP];
        bPanels = new float[workers.threads()][B_FLOATS];
        tiles = new float[workers.threads()][MicroKernel.ROWS * MicroKernel.COLUMNS];
    }

    /** C [m, n] = A [m, k] * B^T, with B [n, k]; plus the row {@code bias} [n] where not 0; or C += where accumulate. */
    void abT(long c, int ldc, long a, int lda, long b, int ldb, long bias, int m, int n, int k, boolean accumulate) {
        transposeA = false;
        this.lda = lda;
        transposeB = true;
        this.bias = bias;
        multiply(c, ldc, a, b, ldb, m, n, k, accumulate);
    }

    /** C [m, n] = A [m, k] * B [k, n]; or C += where accumulate. */
    void ab(long c, int ldc, long a, int lda, long b, int ldb, int m, int n, int k, boolean accumulate) {
        transposeA = false;
        this.lda = lda;
        transposeB = false;
        bias = 0;
        multiply(c, ldc, a, b, ldb, m, n, k, accumulate);
    }

    /** C [m, n] = A^T * B, with A [k, m], B [k, n]; or C += where accumulate. */
    void aTb(long c, int ldc, long a, int lda, long b, int ldb, int m, int n, int k, boolean accumulate) {
        transposeA = true;
        this.lda = lda;
        transposeB = false;
        bias = 0;
        multiply(c, ldc, a, b, ldb, m, n, k, accumulate);
    }

    private void multiply(long c, int ldc, long a, long b, int ldb, int m, int n, int k, boolean accumulate) {
        this.c = c;
        this.ldc = ldc;
        this.a = a;
        this.b = b;
        this.ldb = ldb;
        this.m = m;
        this.n = n;
        this.k = k;
        this.accumulate = accumulate;
        blocks = Math.ceilDiv(k, transposeA ? DEPTH_TRANSPOSED : MicroKernel.DEPTH);
        chooseTiles();
        if (StoredWeights.isStored(b)) {
            widened = scratch.reserve((long) workers.threads() * MicroKernel.COLUMNS * WIDENED);
        }
        workers.run(Math.ceilDiv(m, tileRows) * tilesAcross, this);
    }

    /** The tiles that promise to be done first, counting the packing, which larger tiles spare. */
    private void chooseTiles() {
        double best = Double.POSITIVE_INFINITY;
        int depth = blocks == 1 ? k : k / blocks + LANES;
        int mostColumns = B_BLOCK / (depth * MicroKernel.COLUMNS) * MicroKernel.COLUMNS;
        for (int across = Math.ceilDiv(n, mostColumns); ; across++) {
            int columns = roundUp(Math.ceilDiv(n, across), MicroKernel.COLUMNS);
            for (int down = 1; ; down++) {
                int rows = roundUp(Math.ceilDiv(m, down), MicroKernel.ROWS);
                int tasks = Math.ceilDiv(m, rows) * Math.ceilDiv(n, columns);
                double cost = (Math.ceilDiv(tasks, workers.threads()) + (workers.threads() > 1 ? IMBALANCE : 0))
                        * ((double) rows * columns + FETCHING * (rows + columns));
                if (cost < best) {
                    best = cost;
                    tileRows = rows;
                    tileColumns = columns;
                }
                if (tasks >= 16 * workers.threads() || rows == MicroKernel.ROWS) {
                    break;
                }
            }
            if (across >= 16 * workers.threads() || columns == MicroKernel.COLUMNS) {
                break;
            }
        }
        tilesAcross = Math.ceilDiv(n, tileColumns);
    }

    private static int roundUp(int value, int multiple) {
        return Math.ceilDiv(value, multiple) * multiple;
    }

    @Override
    public void run(int task, int worker) {
        int row = task / tilesAcross * tileRows;
        int column = task % tilesAcross * tileColumns;
        int rowEnd = Math.min(m, row + tileRows);
        int columns = Math.min(n, column + tileColumns) - column;
        int most = B_FLOATS / roundUp(columns, MicroKernel.COLUMNS);
        int first = 0;
        while (first < blocks) {
            int last = first + 1;
            while (transposeA && last < blocks && start(last + 1) - start(first) <= most) {
                last++;
            }
            multiply(row, rowEnd, column, columns, first, last, worker);
            first = last;
        }
    }

    /** Adds blocks first .. last - 1 of k to a tile. */
    private void multiply(int row, int rowEnd, int column, int columns, int first, int last, int worker) {
        int panelsStep = roundUp(columns, MicroKernel.COLUMNS);
        for (int block = first; block < last; block++) {
            packB(block, column, columns, bPanels[worker], (start(block) - start(first)) * panelsStep, worker);
        }
        int step = transposeA ? A_ROWS : rowEnd - row;
        for (int i = row; i < rowEnd; i += step) {
            int rows = Math.min(step, rowEnd - i);
            for (int block = first; block < last; block++) {
                if (transposeA) {
                    int depth = start(block + 1) - start(block);
                    long source = a + start(block) * 4L * lda + 4L * i;
                    int width = roundUp(depth, LANES);
                    Packing.transpose(source, 4L * lda, rows, depth, width, aRows[worker], 0, MicroKernel.ROW_STEP);
                }
                int panels = (start(block) - start(first)) * panelsStep;
                multiplyRows(i, rows, column, columns, block, panels, worker);
            }
        }
    }

    /** First k of a block. Blocks start on whole vectors, which transposing likes. */
    private int start(int block) {
        return block == blocks ? k : (int) ((long) k * block / blocks) / LANES * LANES;
    }

    private void packB(int block, int column, int columns, float[] panels, int at, int worker) {
        int from = start(block);
        int depth = start(block + 1) - from;
        long source = transposeB ? b + column * 4L * ldb + 4L * from : b + from * 4L * ldb + 4L * column;
        if (StoredWeights.isStored(b)) {
            widenB(source, depth, columns, panels, at, widened + 4L * worker * MicroKernel.COLUMNS * WIDENED);
        } else if (transposeB) {
            for (int j = 0; j < columns; j += MicroKernel.COLUMNS) {
                int count = Math.min(MicroKernel.COLUMNS, columns - j);
                transposePanel(source + j * 4L * ldb, 4L * ldb, depth, count, panels, at + j * depth);
            }
        } else {
            Packing.copy(source, 4L * ldb, depth, columns, panels, at, depth);
        }
    }

    private static void transposePanel(long source, long step, int depth, int count, float[] panels, int at) {
        Packing.transpose(source, step, depth, count, MicroKernel.COLUMNS, panels, at, MicroKernel.COLUMNS);
    }

    /** The same by way of floats of a few rows. */
    private void widenB(long source, int depth, int columns, float[] panels, int at, long floats) {
        if (transposeB) {
            for (int j = 0; j < columns; j += MicroKernel.COLUMNS) {
                int count = Math.min(MicroKernel.COLUMNS, columns - j);
                for (int k = 0; k < depth; k += WIDENED) {
                    int part = Math.min(WIDENED, depth - k);
                    for (int i = 0; i < count; i++) {
                        stored.widen(source + (j + i) * 4L * ldb + 4L * k, part, floats + 4L * i * WIDENED);
                    }
                    transposePanel(floats, 4L * WIDENED, part, count, panels, at + j * depth + k * MicroKernel.COLUMNS);
                }
            }
        } else {
            for (int j = 0; j < columns; j += MicroKernel.COLUMNS * WIDENED) {
                int part = Math.min(MicroKernel.COLUMNS * WIDENED, columns - j);
                for (int k = 0; k < depth; k++) {
                    stored.widen(source + k * 4L * ldb + 4L * j, part, floats);
                    Packing.copy(floats, 0, 1, part, panels, at + j * depth + k * MicroKernel.COLUMNS, depth);
                }
            }
        }
    }

    private void multiplyRows(int row, int rows, int column, int columns, int block, int panels, int worker) {
        int depth = start(block + 1) - start(block);
        float[] tile = tiles[worker];
        for (int i = 0; i < rows; i += MicroKernel.ROWS) {
            int count = Math.min(MicroKernel.ROWS, rows - i);
            int at = i * MicroKernel.ROW_STEP;
            if (!transposeA) {
                at = 0;
                copyRows(a + (row + i) * 4L * lda + 4L * start(block), count, depth, aRows[worker]);
            }
            for (int j = 0; j < columns; j += MicroKernel.COLUMNS) {
                MicroKernel.multiply(aRows[worker], at, bPanels[worker], panels + j * depth, tile, depth);
                finish(tile, row + i, count, column + j, Math.min(MicroKernel.COLUMNS, columns - j), block > 0);
            }
        }
    }

    private void copyRows(long source, int rows, int depth, float[] to) {
        for (int r = 0; r < rows; r++) {
            Memory.copy(source + r * 4L * lda, to, r * MicroKernel.ROW_STEP, depth);
        }
    }

    private void finish(float[] tile, int row, int rows, int column, int columns, boolean more) {
        long step = 4L * ldc;
        long target = c + row * step + 4L * column;
        if (more || accumulate) {
            put(tile, target, step, target, step, rows, columns);
        } else if (bias != 0) {
            put(tile, target, step, bias + 4L * column, 0, rows, columns);
        } else {
            put(tile, target, step, ZEROS, 0, rows, columns);
        }
    }

    /** target = tile + addend, by rows. */
    private static void put(float[] tile, long target, long step, long addend, long addendStep, int rows, int columns) {
        if (columns == MicroKernel.COLUMNS) {
            for (int i = 0; i < rows; i++) {
                FloatVector left = fromArray(SPECIES, tile, 2 * i * LANES);
                FloatVector right = fromArray(SPECIES, tile, (2 * i + 1) * LANES);
                FloatVector l = left.add(fromMemorySegment(SPECIES, ALL, addend + i * addendStep, ORDER));
                FloatVector r = right.add(fromMemorySegment(SPECIES, ALL, addend + i * addendStep + VECTOR, ORDER));
                l.intoMemorySegment(ALL, target + i * step, ORDER);
                r.intoMemorySegment(ALL, target + i * step + VECTOR, ORDER);
            }
        } else {
            for (int j = 0; j < columns; j += LANES) {
                putPart(tile, j, target + 4L * j, step, addend + 4L * j, addendStep, rows, columns - j);
            }
        }
    }

    private static void putPart(
            float[] tile, int at, long target, long step, long addend, long addendStep, int rows, int columns) {
        VectorMask<Float> mask = Memory.firstLanes(columns);
        for (int i = 0; i < rows; i++) {
            fromArray(SPECIES, tile, at + i * MicroKernel.COLUMNS)
                    .add(fromMemorySegment(SPECIES, ALL, addend + i * addendStep, ORDER, mask))
                    .intoMemorySegment(ALL, target + i * step, ORDER, mask);
        }
    }
}
