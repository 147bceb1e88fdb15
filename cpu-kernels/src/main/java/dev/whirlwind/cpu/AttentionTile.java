package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromArray;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import dev.whirlwind.model.AttentionLayer;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * One worker's tile of {@link Attention}: up to SIZE queries against up to SIZE keys, with copies of their rows. All
 * matrices are cut into blocks of SIZE x SIZE floats in one array: scores are one block, the rows of a head one for each
 * SIZE of head_dim, the last filled up to whole vectors. What lies there, or in rows beyond the sequence, is never used.
 */
final class AttentionTile {
    /** Queries, and keys, of a tile: a block takes 16 KiB, and a tile stays in the second-level cache. */
    static final int SIZE = TileProduct.STEP;

    private static final int BLOCK = SIZE * SIZE;

    /** Queries that are worked on together where the causal mask hides part of a tile: see {@link #reach}. */
    private static final int BAND = 16;

    /** A score that is not seen: so low that its exponential is 0, but unlike infinity it can be subtracted from itself. */
    private static final float MASKED = -1e30f;

    private float[] floats = {};

    // Places of SIZE rows of head_dim; those with T hold head_dim rows of SIZE.
    int queries;
    int dout;
    int keys;
    int keysT;
    int values;
    int valuesT;
    int dkeys;
    int dvalues;

    /** The output in forward, gradients of the queries in backward. */
    int sums;

    // Places of the scores, then probabilities; of the gradients of the scores.
    int scores;
    int dscores;

    // One for each query: maximum so far, factor to bring sums to the new maximum; and lanes of sums.
    private int maxima;
    private int factors;
    private int totals;

    private int headDim;
    private int blocks;

    private int query;
    private int rows;
    private int key;
    private int keyCount;
    private int band;

    /** Lays the tile out. */
    void place(int headDim) {
        this.headDim = headDim;
        blocks = Math.ceilDiv(headDim, SIZE);
        int matrix = blocks * BLOCK;
        queries = 0;
        dout = queries + matrix;
        keys = dout + matrix;
        keysT = keys + matrix;
        values = keysT + matrix;
        valuesT = values + matrix;
        dkeys = valuesT + matrix;
        dvalues = dkeys + matrix;
        sums = dvalues + matrix;
        scores = sums + matrix;
        dscores = scores + BLOCK;
        maxima = dscores + BLOCK;
        factors = maxima + SIZE;
        totals = factors + SIZE;
        int size = totals + SIZE * LANES;
        if (floats.length < size) {
            floats = new float[size];
        }
    }

    /** Floats of a block's rows. */
    private int width(int block) {
        return Math.min(SIZE, headDim - block * SIZE);
    }

    /** The same, filled up to whole vectors. */
    private int wholeWidth(int block) {
        return Math.ceilDiv(width(block), LANES) * LANES;
    }

    /** Rows of a head, times a factor, into a matrix of this tile. */
    void load(long from, long fromStep, int rows, float factor, int to) {
        for (int block = 0; block < blocks; block++) {
            for (int r = 0; r < rows; r++) {
                long source = from + r * fromStep + 4L * block * SIZE;
                load(source, floats, to + block * BLOCK + r * SIZE, factor, width(block));
            }
        }
    }

    private static void load(long from, float[] to, int at, float factor, int width) {
        int full = SPECIES.loopBound(width);
        for (int c = 0; c < full; c += LANES) {
            fromMemorySegment(SPECIES, ALL, from + 4L * c, ORDER).mul(factor).intoArray(to, at + c);
        }
        for (int c = full; c < width; c++) {
            to[at + c] = Memory.get(from + 4L * c) * factor;
        }
    }

    /** Rows of a head into a transposed matrix of this tile. */
    void loadTransposed(long from, long fromStep, int rows, int to) {
        Packing.transpose(from, fromStep, headDim, rows, SIZE, floats, to, SIZE);
    }

    /** A matrix of this tile, times a factor, to rows of a head: added, or stored where that is the first. */
    void unload(int from, int rows, float factor, long to, long toStep, boolean add) {
        for (int r = 0; r < rows; r++) {
            unloadRow(from, r, factor, to + r * toStep, add);
        }
    }

    /** A row of {@link #sums}, times a factor, to a row of a head. */
    void unloadSums(int row, float factor, long to) {
        unloadRow(sums, row, factor, to, false);
    }

    private void unloadRow(int from, int row, float factor, long to, boolean add) {
        for (int block = 0; block < blocks; block++) {
            int source = from + block * BLOCK + row * SIZE;
            long target = to + 4L * block * SIZE;
            if (add) {
                addScaled(floats, source, target, factor, width(block));
            } else {
                storeScaled(floats, source, target, factor, width(block));
            }
        }
    }

    private static void storeScaled(float[] from, int at, long to, float factor, int width) {
        int full = SPECIES.loopBound(width);
        for (int c = 0; c < full; c += LANES) {
            fromArray(SPECIES, from, at + c).mul(factor).intoMemorySegment(ALL, to + 4L * c, ORDER);
        }
        for (int c = full; c < width; c++) {
            Memory.set(to + 4L * c, from[at + c] * factor);
        }
    }

    private static void addScaled(float[] from, int at, long to, float factor, int width) {
        int full = SPECIES.loopBound(width);
        for (int c = 0; c < full; c += LANES) {
            FloatVector v = fromArray(SPECIES, from, at + c).mul(factor);
            v.add(fromMemorySegment(SPECIES, ALL, to + 4L * c, ORDER)).intoMemorySegment(ALL, to + 4L * c, ORDER);
        }
        for (int c = full; c < width; c++) {
            Memory.set(to + 4L * c, Memory.get(to + 4L * c) + from[at + c] * factor);
        }
    }

    /** Matrix of this tile = 0. */
    void clear(int matrix) {
        Arrays.fill(floats, matrix, matrix + blocks * BLOCK, 0);
    }

    /** Which queries and keys the methods that follow are about. */
    void begin(int query, int rows, int key, int keyCount) {
        this.query = query;
        this.rows = rows;
        this.key = key;
        this.keyCount = keyCount;
        band = query == key ? BAND : SIZE;
    }

    /**
     * Scores; those of the future, or out of the window or the document, are MASKED.
     *
     * @param starts of documents, from that of the first query on at {@code first}
     */
    void score(AttentionLayer kind, int[] starts, int first) {
        Arrays.fill(floats, scores, scores + BLOCK, 0);
        if (query == key || key < Math.max(kind.firstKey(query + rows - 1), starts[first + rows - 1])) {
            for (int r = 0; r < rows; r++) {
                int firstKey = Math.max(kind.firstKey(query + r), starts[first + r]);
                hide(r, 0, Math.clamp(firstKey - key, 0, SIZE));
                hide(r, query + r + 1 - key, reach(r));
            }
        }
        multiply(scores, queries, keysT);
    }

    private void hide(int row, int from, int to) {
        if (from < to) {
            Arrays.fill(floats, scores + row * SIZE + from, scores + row * SIZE + to, MASKED);
        }
    }

    /** Gradients of the probabilities: dout values^T, into dscores. */
    void gradeProbabilities() {
        Arrays.fill(floats, dscores, dscores + BLOCK, 0);
        multiply(dscores, dout, valuesT);
    }

    /** result [queries, keys] += a [queries, head_dim] * b [head_dim, keys]. */
    private void multiply(int result, int a, int b) {
        for (int r = 0; r < rows; r += band) {
            int count = whole(Math.min(band, rows - r));
            int columns = Math.ceilDiv(Math.min(keyCount, reach(r)), LANES) * LANES;
            for (int block = 0; block < blocks; block++) {
                int left = a + block * BLOCK + r * SIZE;
                TileProduct.add(
                        floats, result + r * SIZE, left, false, b + block * BLOCK, count, columns, width(block));
            }
        }
    }

    /** sums += matrix * rowsOfKeys, where the matrix [queries, keys] is scores or dscores. */
    void addToQueries(int matrix, int rowsOfKeys) {
        for (int r = 0; r < rows; r += band) {
            int count = whole(Math.min(band, rows - r));
            int depth = Math.min(keyCount, reach(r));
            for (int block = 0; block < blocks; block++) {
                int result = sums + block * BLOCK + r * SIZE;
                int right = rowsOfKeys + block * BLOCK;
                TileProduct.add(floats, result, matrix + r * SIZE, false, right, count, wholeWidth(block), depth);
            }
        }
    }

    /** result += matrix^T * rowsOfQueries, where the matrix [queries, keys] is scores or dscores. */
    void addToKeys(int result, int matrix, int rowsOfQueries) {
        for (int c = 0; c < keyCount; c += band) {
            int first = query == key ? c : 0;
            int count = whole(Math.min(band, keyCount - c));
            for (int block = 0; block < blocks; block++) {
                int to = result + block * BLOCK + c * SIZE;
                int left = matrix + first * SIZE + c;
                int right = rowsOfQueries + block * BLOCK + first * SIZE;
                TileProduct.add(floats, to, left, true, right, count, wholeWidth(block), rows - first);
            }
        }
    }

    /**
     * The end of the keys that a query is worked on with. On the diagonal of the causal mask that is the end of its band,
     * elsewhere the end of the tile.
     */
    private int reach(int row) {
        return query == key ? Math.min(SIZE, row - row % BAND + BAND) : SIZE;
    }

    /** Rows rounded up to what a product takes. */
    private static int whole(int rows) {
        return Math.ceilDiv(rows, TileProduct.ROWS) * TileProduct.ROWS;
    }

    /** No keys seen yet. */
    void beginSoftmax() {
        clear(sums);
        Arrays.fill(floats, totals, totals + SIZE * LANES, 0);
        Arrays.fill(floats, maxima, maxima + SIZE, MASKED);
        Arrays.fill(floats, factors, factors + SIZE, MASKED);
    }

    /**
     * The online softmax (Milakov and Gimelshein, arXiv 1805.02867): scores become exp(score - maximum so far), and sums
     * so far are brought to the new maximum.
     */
    void softmax() {
        for (int r = 0; r < rows; r++) {
            floats[factors + r] = Math.max(floats[maxima + r], rowMaximum(floats, scores + r * SIZE, reach(r)));
        }
        newMaxima(floats, maxima, factors);
        for (int r = 0; r < rows; r++) {
            float factor = floats[factors + r];
            if (factor != 1) {
                scaleSums(r, factor);
            }
            int row = scores + r * SIZE;
            VectorMath.exponentials(floats, row, floats[maxima + r], reach(r));
            addLanes(floats, totals + r * LANES, factor, row, reach(r));
        }
    }

    private static float rowMaximum(float[] m, int row, int width) {
        FloatVector max = fromArray(SPECIES, m, row);
        for (int c = LANES; c < width; c += LANES) {
            max = max.max(fromArray(SPECIES, m, row + c));
        }
        return max.reduceLanes(VectorOperators.MAX);
    }

    /** factors holds the new maxima: they go to maxima, and exp(old - new) to factors. */
    private static void newMaxima(float[] m, int maxima, int factors) {
        for (int r = 0; r < SIZE; r += LANES) {
            FloatVector old = fromArray(SPECIES, m, maxima + r);
            FloatVector now = fromArray(SPECIES, m, factors + r);
            now.intoArray(m, maxima + r);
            old.sub(now).intoArray(m, factors + r);
        }
        VectorMath.exponentials(m, factors, 0, SIZE);
    }

    private void scaleSums(int row, float factor) {
        for (int block = 0; block < blocks; block++) {
            scale(floats, sums + block * BLOCK + row * SIZE, factor, wholeWidth(block));
        }
    }

    private static void scale(float[] m, int at, float factor, int width) {
        for (int c = 0; c < width; c += LANES) {
            fromArray(SPECIES, m, at + c).mul(factor).intoArray(m, at + c);
        }
    }

    /** total = total * factor + the row's lanes. */
    private static void addLanes(float[] m, int total, float factor, int row, int width) {
        FloatVector sum = fromArray(SPECIES, m, total).mul(factor);
        for (int c = 0; c < width; c += LANES) {
            sum = sum.add(fromArray(SPECIES, m, row + c));
        }
        sum.intoArray(m, total);
    }

    /** Zeroes the floats of a row of scores or dscores whose bit in {@code kept} is 0, and scales the others. */
    void drop(int matrix, int row, long kept, float keptScale) {
        drop(floats, matrix + row * SIZE, kept, keptScale);
    }

    private static void drop(float[] m, int row, long kept, float keptScale) {
        for (int c = 0; c < SIZE; c += LANES) {
            VectorMask<Float> lanes = VectorMask.fromLong(SPECIES, kept >>> c);
            FloatVector scaled = fromArray(SPECIES, m, row + c).mul(keptScale);
            FloatVector.zero(SPECIES).blend(scaled, lanes).intoArray(m, row + c);
        }
    }

    /** The sum of a query's exponentials. */
    float total(int row) {
        return VectorMath.sum(fromArray(SPECIES, floats, totals + row * LANES));
    }

    float maximum(int row) {
        return floats[maxima + row];
    }

    /** A row of scores S becomes P = exp(S - lse), its gradients dP become dS = P (dP - delta). */
    void gradeScores(int row, float lse, float delta) {
        VectorMath.exponentials(floats, scores + row * SIZE, lse, reach(row));
        differences(floats, scores + row * SIZE, dscores + row * SIZE, delta, reach(row));
    }

    private static void differences(float[] m, int p, int d, float delta, int width) {
        for (int c = 0; c < width; c += LANES) {
            fromArray(SPECIES, m, d + c)
                    .sub(delta)
                    .mul(fromArray(SPECIES, m, p + c))
                    .intoArray(m, d + c);
        }
    }
}
