package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import dev.whirlwind.model.AttentionShape;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * One worker's tile of {@link Attention}: up to SIZE queries against up to SIZE keys, with copies of their rows that lie
 * close together and start on vectors. Rows of scores are SIZE floats apart, rows of heads {@link #headStep} bytes; what
 * lies between head_dim and the step is never used, nor are rows beyond the sequence.
 */
final class AttentionTile {
    /** Queries, and keys, of a tile: a matrix of 64 x 64 takes 16 KiB, and a tile stays in the L2 cache. */
    static final int SIZE = 64;

    /** Queries that are worked on together where the causal mask hides part of a tile: see {@link #reach}. */
    private static final int BAND = 16;

    /** Bytes from one row of scores to the next. */
    static final long SCORE_STEP = 4L * SIZE;

    /** A score that is not seen: so low that its exponential is 0, but unlike infinity it can be subtracted from itself. */
    private static final float MASKED = -1e30f;

    private static final int MATRICES = 9;

    // Addresses of SIZE rows of head_dim; those with T hold head_dim rows of SIZE.
    long queries;
    long dout;
    long keys;
    long keysT;
    long values;
    long valuesT;
    long dkeys;
    long dvalues;

    /** The output in forward, gradients of the queries in backward. */
    long sums;

    // Scores, then probabilities; gradients of the scores.
    long scores;
    long dscores;

    // One for each query: maximum so far, factor to bring sums to the new maximum; and lanes of sums.
    private long maxima;
    private long factors;
    private long totals;

    private int headDim;
    private int paddedDim;
    long headStep;

    private int query;
    private int rows;
    private int key;
    private int keyCount;
    private int band;

    /** Floats that a tile needs. */
    static long floats(int headDim) {
        return matrix(headDim) * MATRICES + 2L * SIZE * SIZE + 2L * SIZE + (long) SIZE * LANES;
    }

    private static long matrix(int headDim) {
        return (long) SIZE * pad(headDim);
    }

    private static int pad(int headDim) {
        return Math.ceilDiv(headDim, LANES) * LANES;
    }

    /** Lays the tile out from an address on. */
    void place(long address, int headDim) {
        this.headDim = headDim;
        paddedDim = pad(headDim);
        headStep = 4L * paddedDim;
        long bytes = 4 * matrix(headDim);
        queries = address;
        dout = queries + bytes;
        keys = dout + bytes;
        keysT = keys + bytes;
        values = keysT + bytes;
        valuesT = values + bytes;
        dkeys = valuesT + bytes;
        dvalues = dkeys + bytes;
        sums = dvalues + bytes;
        scores = sums + bytes;
        dscores = scores + SIZE * SCORE_STEP;
        maxima = dscores + SIZE * SCORE_STEP;
        factors = maxima + 4 * SIZE;
        totals = factors + 4 * SIZE;
    }

    /** Rows of a head, times a factor, into a matrix of this tile. */
    void load(long from, long fromStep, int rows, float factor, long to) {
        for (int r = 0; r < rows; r++) {
            scale(from + r * fromStep, to + r * headStep, factor, headDim);
        }
    }

    /** Rows of a head into a transposed matrix of this tile. */
    void loadTransposed(long from, long fromStep, int rows, long to) {
        Packing.transpose(from, fromStep, headDim, rows, SIZE, to);
    }

    /** A matrix of this tile, times a factor, to rows of a head: added, or stored where that is the first. */
    void unload(long from, int rows, float factor, long to, long toStep, boolean add) {
        for (int r = 0; r < rows; r++) {
            if (add) {
                addScaled(from + r * headStep, to + r * toStep, factor, headDim);
            } else {
                scale(from + r * headStep, to + r * toStep, factor, headDim);
            }
        }
    }

    /** Matrix of this tile = 0. */
    void clear(long matrix) {
        Memory.zero(matrix, matrix(headDim));
    }

    /** Which queries and keys the methods that follow are about. */
    void begin(int query, int rows, int key, int keyCount) {
        this.query = query;
        this.rows = rows;
        this.key = key;
        this.keyCount = keyCount;
        band = query == key ? BAND : SIZE;
    }

    /** Scores; those of the future, or out of the window, are MASKED. */
    void score(AttentionShape shape) {
        Memory.zero(scores, (long) SIZE * SIZE);
        if (query == key || key < shape.firstKey(query + rows - 1)) {
            for (int r = 0; r < rows; r++) {
                long row = scores + r * SCORE_STEP;
                hide(row, 0, Math.clamp(shape.firstKey(query + r) - key, 0, SIZE));
                hide(row, query + r + 1 - key, reach(r));
            }
        }
        multiply(scores, queries, keysT);
    }

    private static void hide(long row, int from, int to) {
        for (int c = from; c < to; c++) {
            Memory.set(row + 4L * c, MASKED);
        }
    }

    /** Gradients of the probabilities: dout values^T, into dscores. */
    void gradeProbabilities() {
        Memory.zero(dscores, (long) SIZE * SIZE);
        multiply(dscores, dout, valuesT);
    }

    /** result [queries, keys] += a [queries, head_dim] * b [head_dim, keys]. */
    private void multiply(long result, long a, long b) {
        for (int r = 0; r < rows; r += band) {
            TileProduct.add(
                    result + r * SCORE_STEP,
                    SCORE_STEP,
                    a + r * headStep,
                    headStep,
                    4,
                    b,
                    SCORE_STEP,
                    whole(Math.min(band, rows - r)),
                    Math.ceilDiv(Math.min(keyCount, reach(r)), LANES) * LANES,
                    headDim);
        }
    }

    /** sums += matrix * rowsOfKeys, where the matrix [queries, keys] is scores or dscores. */
    void addToQueries(long matrix, long rowsOfKeys) {
        for (int r = 0; r < rows; r += band) {
            TileProduct.add(
                    sums + r * headStep,
                    headStep,
                    matrix + r * SCORE_STEP,
                    SCORE_STEP,
                    4,
                    rowsOfKeys,
                    headStep,
                    whole(Math.min(band, rows - r)),
                    paddedDim,
                    Math.min(keyCount, reach(r)));
        }
    }

    /** result += matrix^T * rowsOfQueries, where the matrix [queries, keys] is scores or dscores. */
    void addToKeys(long result, long matrix, long rowsOfQueries) {
        for (int c = 0; c < keyCount; c += band) {
            int first = query == key ? c : 0;
            TileProduct.add(
                    result + c * headStep,
                    headStep,
                    matrix + first * SCORE_STEP + 4L * c,
                    4,
                    SCORE_STEP,
                    rowsOfQueries + first * headStep,
                    headStep,
                    whole(Math.min(band, keyCount - c)),
                    paddedDim,
                    rows - first);
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
        Memory.zero(totals, (long) SIZE * LANES);
        for (int r = 0; r < SIZE; r++) {
            Memory.set(maxima + 4L * r, MASKED);
            Memory.set(factors + 4L * r, MASKED);
        }
    }

    /**
     * The online softmax (Milakov and Gimelshein, arXiv 1805.02867): scores become exp(score - maximum so far), and sums
     * so far are brought to the new maximum.
     */
    void softmax() {
        for (int r = 0; r < rows; r++) {
            float max = Math.max(Memory.get(maxima + 4L * r), rowMaximum(scores + r * SCORE_STEP, reach(r)));
            Memory.set(factors + 4L * r, max);
        }
        newMaxima(maxima, factors);
        for (int r = 0; r < rows; r++) {
            float factor = Memory.get(factors + 4L * r);
            if (factor != 1) {
                scale(sums + r * headStep, sums + r * headStep, factor, paddedDim);
            }
            long row = scores + r * SCORE_STEP;
            VectorMath.exponentials(row, Memory.get(maxima + 4L * r), reach(r));
            addLanes(totals + 4L * r * LANES, factor, row, reach(r));
        }
    }

    private static float rowMaximum(long row, int width) {
        FloatVector max = fromMemorySegment(SPECIES, ALL, row, ORDER);
        for (int c = LANES; c < width; c += LANES) {
            max = max.max(fromMemorySegment(SPECIES, ALL, row + 4L * c, ORDER));
        }
        return max.reduceLanes(VectorOperators.MAX);
    }

    /** factors holds the new maxima: they go to maxima, and exp(old - new) to factors. */
    private static void newMaxima(long maxima, long factors) {
        for (int r = 0; r < SIZE; r += LANES) {
            FloatVector old = fromMemorySegment(SPECIES, ALL, maxima + 4L * r, ORDER);
            FloatVector now = fromMemorySegment(SPECIES, ALL, factors + 4L * r, ORDER);
            now.intoMemorySegment(ALL, maxima + 4L * r, ORDER);
            old.sub(now).intoMemorySegment(ALL, factors + 4L * r, ORDER);
        }
        VectorMath.exponentials(factors, 0, SIZE);
    }

    /** total = total * factor + the row's lanes. */
    private static void addLanes(long total, float factor, long row, int width) {
        FloatVector sum = fromMemorySegment(SPECIES, ALL, total, ORDER).mul(factor);
        for (int c = 0; c < width; c += LANES) {
            sum = sum.add(fromMemorySegment(SPECIES, ALL, row + 4L * c, ORDER));
        }
        sum.intoMemorySegment(ALL, total, ORDER);
    }

    /** Zeroes the floats of a row whose bit in {@code kept} is 0, and scales the others. */
    static void drop(long row, long kept, float keptScale) {
        for (int c = 0; c < SIZE; c += LANES) {
            VectorMask<Float> lanes = VectorMask.fromLong(SPECIES, kept >>> c);
            FloatVector scaled =
                    fromMemorySegment(SPECIES, ALL, row + 4L * c, ORDER).mul(keptScale);
            FloatVector.zero(SPECIES).blend(scaled, lanes).intoMemorySegment(ALL, row + 4L * c, ORDER);
        }
    }

    /** The sum of a query's exponentials. */
    float total(int row) {
        return VectorMath.sum(fromMemorySegment(SPECIES, ALL, totals + 4L * row * LANES, ORDER));
    }

    float maximum(int row) {
        return Memory.get(maxima + 4L * row);
    }

    /** A row of scores S becomes P = exp(S - lse), its gradients dP become dS = P (dP - delta). */
    void gradeScores(int row, float lse, float delta) {
        VectorMath.exponentials(scores + row * SCORE_STEP, lse, reach(row));
        differences(scores + row * SCORE_STEP, dscores + row * SCORE_STEP, delta, reach(row));
    }

    private static void differences(long p, long d, float delta, int width) {
        for (int c = 0; c < width; c += LANES) {
            fromMemorySegment(SPECIES, ALL, d + 4L * c, ORDER)
                    .sub(delta)
                    .mul(fromMemorySegment(SPECIES, ALL, p + 4L * c, ORDER))
                    .intoMemorySegment(ALL, d + 4L * c, ORDER);
        }
    }

    /** to = from * factor. */
    static void scale(long from, long to, float factor, int width) {
        int full = SPECIES.loopBound(width);
        for (int c = 0; c < full; c += LANES) {
            fromMemorySegment(SPECIES, ALL, from + 4L * c, ORDER)
                    .mul(factor)
                    .intoMemorySegment(ALL, to + 4L * c, ORDER);
        }
        for (int c = full; c < width; c++) {
            Memory.set(to + 4L * c, Memory.get(from + 4L * c) * factor);
        }
    }

    private static void addScaled(long from, long to, float factor, int width) {
        int full = SPECIES.loopBound(width);
        for (int c = 0; c < full; c += LANES) {
            FloatVector v =
                    fromMemorySegment(SPECIES, ALL, from + 4L * c, ORDER).mul(factor);
            v.add(fromMemorySegment(SPECIES, ALL, to + 4L * c, ORDER)).intoMemorySegment(ALL, to + 4L * c, ORDER);
        }
        for (int c = full; c < width; c++) {
            Memory.set(to + 4L * c, Memory.get(to + 4L * c) + Memory.get(from + 4L * c) * factor);
        }
    }
}
