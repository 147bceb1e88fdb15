package dev.whirlwind.cpu;

import dev.whirlwind.model.AttentionLayer;
import dev.whirlwind.model.AttentionShape;
import dev.whirlwind.model.Dropout;
import dev.whirlwind.model.Inputs;

/**
 * Causal attention in tiles of queries and keys that never holds a sequence x sequence matrix (Dao, FlashAttention-2,
 * arXiv 2307.08691). Per head, with Z the dropout mask (0, or 1 / (1 - p)) and "*" element by element:
 *
 * <p>forward: S = Q K^T / divisor; P = softmax(S); O = (P * Z) V; lse = log sum exp S. Tiles of queries are
 * independent tasks; each goes through the keys it sees with an online softmax.
 *
 * <p>backward: P = exp(S - lse) again; dV = (P * Z)^T dO; dP = Z * (dO V^T); dS = P * (dP - delta), where delta, the sum of
 * dO * O over head_dim, is the sum of P * dP over keys; dQ = dS K / divisor; dK = dS^T Q / divisor. One
 * pass takes five products of tiles, but gives no more tasks than there are key/value heads in the batch. Where these
 * would leave threads idle, two passes take seven: tiles of keys are the tasks for dK and dV, then tiles of queries for
 * dQ. Both add the same terms in the same order, so the choice, like the number of threads, does not show in any bit.
 */
final class Attention {
    /** One pass pays while it keeps more than this share of the threads busy. */
    private static final double ONE_PASS_SHARE = 5.0 / 7;

    private final Workers workers;
    private final Mask mask = new Mask();
    private final AttentionTile[] tiles;
    private final Workers.Task forward = this::forward;
    private final Workers.Task deltas = this::deltas;
    private final Workers.Task onePass = this::onePass;
    private final Workers.Task keyPass = this::keyPass;
    private final Workers.Task queryPass = this::queryPass;

    // The call in progress; addresses.
    private long out;
    private long lse;
    private long qkv;
    private long dqkv;
    private long dout;
    private long delta;
    private AttentionShape shape;
    private AttentionLayer kind;
    private Inputs inputs;
    private float scale;
    private boolean drops;
    private float keptScale;
    private int tilesPerHead;
    private long qkvStep;
    private long outStep;

    Attention(Workers workers) {
        this.workers = workers;
        tiles = new AttentionTile[workers.threads()];
        for (int i = 0; i < tiles.length; i++) {
            tiles[i] = new AttentionTile();
        }
    }

    private void begin(long out, long lse, long qkv, AttentionShape shape, Dropout dropout, Inputs inputs, int layer) {
        this.out = out;
        this.lse = lse;
        this.qkv = qkv;
        this.shape = shape;
        kind = shape.layer(layer);
        scale = kind.scale();
        drops = dropout.active();
        keptScale = dropout.keptScale();
        this.inputs = inputs;
        mask.begin(inputs, layer, dropout);
        tilesPerHead = Math.ceilDiv(shape.sequence(), AttentionTile.SIZE);
        qkvStep = 4L * shape.qkvWidth();
        outStep = 4L * shape.outWidth();
        for (AttentionTile tile : tiles) {
            tile.place(shape.headDim());
        }
    }

    void forward(long out, long lse, long qkv, AttentionShape shape, Dropout dropout, Inputs inputs, int layer) {
        begin(out, lse, qkv, shape, dropout, inputs, layer);
        workers.run(shape.batch() * shape.heads() * tilesPerHead, forward);
    }

    /** One tile of queries of one head; the last tiles, which see most keys, come first. */
    private void forward(int task, int worker) {
        AttentionTile tile = tiles[worker];
        int queryTile = tilesPerHead - 1 - task % tilesPerHead;
        int batch = task / tilesPerHead / shape.heads();
        int head = task / tilesPerHead % shape.heads();
        int kvHead = head / (shape.heads() / shape.kvHeads());
        int query = queryTile * AttentionTile.SIZE;
        int rows = count(queryTile);
        tile.load(queries(qkv, batch, head, query), qkvStep, rows, scale, tile.queries);
        tile.beginSoftmax();
        for (int keyTile = firstKeyTile(batch, queryTile); keyTile <= queryTile; keyTile++) {
            int key = keyTile * AttentionTile.SIZE;
            int keyCount = count(keyTile);
            tile.loadTransposed(keys(qkv, batch, kvHead, key), qkvStep, keyCount, tile.keysT);
            tile.load(values(qkv, batch, kvHead, key), qkvStep, keyCount, 1, tile.values);
            tile.begin(query, rows, key, keyCount);
            tile.score(kind, inputs.starts, batch * shape.sequence() + query);
            tile.softmax();
            if (drops) {
                drop(tile, tile.scores, batch, head, query, key, rows);
            }
            tile.addToQueries(tile.scores, tile.values);
        }
        for (int r = 0; r < rows; r++) {
            float total = tile.total(r);
            long to = out + outStep * ((long) batch * shape.sequence() + query + r) + 4L * head * shape.headDim();
            tile.unloadSums(r, 1 / total, to);
            Memory.set(lse + 4 * place(batch, head, query + r), (float) (tile.maximum(r) + Math.log(total)));
        }
    }

    void backward(
            long dqkv,
            long dout,
            long out,
            long lse,
            long qkv,
            long delta,
            AttentionShape shape,
            Dropout dropout,
            Inputs inputs,
            int layer) {
        begin(out, lse, qkv, shape, dropout, inputs, layer);
        this.dqkv = dqkv;
        this.dout = dout;
        this.delta = delta;
        int chunks = Math.ceilDiv(shape.rows(), Chunks.rowsPerTask(shape.outWidth()));
        workers.run(chunks, deltas);
        int kvHeads = shape.batch() * shape.kvHeads();
        int rounds = Math.ceilDiv(kvHeads, workers.threads());
        if (kvHeads >= ONE_PASS_SHARE * rounds * workers.threads()) {
            workers.run(kvHeads, onePass);
        } else {
            workers.run(kvHeads * tilesPerHead, keyPass);
            workers.run(shape.batch() * shape.heads() * tilesPerHead, queryPass);
        }
    }

    private void deltas(int task, int worker) {
        int chunk = Chunks.rowsPerTask(shape.outWidth());
        int end = Math.min(shape.rows(), (task + 1) * chunk);
        for (int r = task * chunk; r < end; r++) {
            for (int h = 0; h < shape.heads(); h++) {
                long at = outStep * r + 4L * h * shape.headDim();
                float sum = RmsNorm.sumOfProducts(dout + at, out + at, shape.headDim());
                Memory.set(delta + 4 * place(r / shape.sequence(), h, r % shape.sequence()), sum);
            }
        }
    }

    /** All gradients of a key/value head and its query heads. */
    private void onePass(int task, int worker) {
        for (int keyTile = 0; keyTile < tilesPerHead; keyTile++) {
            keyGradients(tiles[worker], task / shape.kvHeads(), task % shape.kvHeads(), keyTile, true);
        }
    }

    /** dK and dV of a tile of keys; the first tiles, which most queries see, come first. */
    private void keyPass(int task, int worker) {
        int keyTile = task / (shape.batch() * shape.kvHeads());
        int head = task % (shape.batch() * shape.kvHeads());
        keyGradients(tiles[worker], head / shape.kvHeads(), head % shape.kvHeads(), keyTile, false);
    }

    private void keyGradients(AttentionTile tile, int batch, int kvHead, int keyTile, boolean withQueries) {
        int key = keyTile * AttentionTile.SIZE;
        int keyCount = count(keyTile);
        int group = shape.heads() / shape.kvHeads();
        loadKeys(tile, batch, kvHead, keyTile);
        tile.clear(tile.dkeys);
        tile.clear(tile.dvalues);
        for (int head = kvHead * group; head < (kvHead + 1) * group; head++) {
            for (int queryTile = keyTile; queryTile <= lastQueryTile(batch, keyTile); queryTile++) {
                int rows = count(queryTile);
                loadQueries(tile, batch, head, queryTile);
                gradeScores(tile, batch, head, queryTile, keyTile);
                tile.addToKeys(tile.dkeys, tile.dscores, tile.queries);
                if (withQueries) {
                    addQueryGradients(tile, batch, head, queryTile, keyTile);
                }
                if (drops) {
                    drop(tile, tile.scores, batch, head, queryTile * AttentionTile.SIZE, key, rows);
                }
                tile.addToKeys(tile.dvalues, tile.scores, tile.dout);
            }
        }
        tile.unload(tile.dkeys, keyCount, 1, keys(dqkv, batch, kvHead, key), qkvStep, false);
        tile.unload(tile.dvalues, keyCount, 1, values(dqkv, batch, kvHead, key), qkvStep, false);
    }

    /** dQ of a tile of queries; the last tiles come first. */
    private void queryPass(int task, int worker) {
        AttentionTile tile = tiles[worker];
        int heads = shape.batch() * shape.heads();
        int queryTile = tilesPerHead - 1 - task / heads;
        int batch = task % heads / shape.heads();
        int head = task % heads % shape.heads();
        loadQueries(tile, batch, head, queryTile);
        for (int keyTile = firstKeyTile(batch, queryTile); keyTile <= queryTile; keyTile++) {
            loadKeys(tile, batch, head / (shape.heads() / shape.kvHeads()), keyTile);
            gradeScores(tile, batch, head, queryTile, keyTile);
            addQueryGradients(tile, batch, head, queryTile, keyTile);
        }
    }

    private void loadKeys(AttentionTile tile, int batch, int kvHead, int keyTile) {
        int key = keyTile * AttentionTile.SIZE;
        int keyCount = count(keyTile);
        tile.load(keys(qkv, batch, kvHead, key), qkvStep, keyCount, 1, tile.keys);
        tile.loadTransposed(keys(qkv, batch, kvHead, key), qkvStep, keyCount, tile.keysT);
        tile.loadTransposed(values(qkv, batch, kvHead, key), qkvStep, keyCount, tile.valuesT);
    }

    private void loadQueries(AttentionTile tile, int batch, int head, int queryTile) {
        int query = queryTile * AttentionTile.SIZE;
        int rows = count(queryTile);
        tile.load(queries(qkv, batch, head, query), qkvStep, rows, scale, tile.queries);
        long from = dout + outStep * ((long) batch * shape.sequence() + query) + 4L * head * shape.headDim();
        tile.load(from, outStep, rows, 1, tile.dout);
    }

    /** P into the tile's scores, dS into its dscores. */
    private void gradeScores(AttentionTile tile, int batch, int head, int queryTile, int keyTile) {
        int query = queryTile * AttentionTile.SIZE;
        int key = keyTile * AttentionTile.SIZE;
        int rows = count(queryTile);
        tile.begin(query, rows, key, count(keyTile));
        tile.score(kind, inputs.starts, batch * shape.sequence() + query);
        tile.gradeProbabilities();
        if (drops) {
            drop(tile, tile.dscores, batch, head, query, key, rows);
        }
        for (int r = 0; r < rows; r++) {
            long place = 4 * place(batch, head, query + r);
            tile.gradeScores(r, Memory.get(lse + place), Memory.get(delta + place));
        }
    }

    private void addQueryGradients(AttentionTile tile, int batch, int head, int queryTile, int keyTile) {
        int rows = count(queryTile);
        tile.clear(tile.sums);
        tile.addToQueries(tile.dscores, tile.keys);
        long to = queries(dqkv, batch, head, queryTile * AttentionTile.SIZE);
        tile.unload(tile.sums, rows, scale, to, qkvStep, keyTile > firstKeyTile(batch, queryTile));
    }

    private void drop(AttentionTile tile, int matrix, int batch, int head, int query, int key, int rows) {
        for (int r = 0; r < rows; r++) {
            long element = place(batch, head, query + r) * shape.sequence() + key;
            tile.drop(matrix, r, mask.kept(element), keptScale);
        }
    }

    /** Queries, or keys, of a tile. */
    private int count(int tile) {
        return Math.min(AttentionTile.SIZE, shape.sequence() - tile * AttentionTile.SIZE);
    }

    private int firstKeyTile(int batch, int queryTile) {
        int query = queryTile * AttentionTile.SIZE;
        int start = inputs.starts[batch * shape.sequence() + query];
        return Math.max(kind.firstKey(query), start) / AttentionTile.SIZE;
    }

    /** The last tile of which the first query sees the last key. */
    private int lastQueryTile(int batch, int keyTile) {
        int lastKey = Math.min((keyTile + 1) * AttentionTile.SIZE, shape.sequence()) - 1;
        long lastQuery = inputs.ends[batch * shape.sequence() + lastKey] - 1L;
        if (kind.window() != 0) {
            lastQuery = Math.min(lastQuery, (long) lastKey + kind.window() - 1);
        }
        return (int) Math.min(tilesPerHead - 1, lastQuery / AttentionTile.SIZE);
    }

    /** Where lse and delta of a query are. */
    private long place(int batch, int head, int query) {
        return ((long) batch * shape.heads() + head) * shape.sequence() + query;
    }

    private long queries(long qkv, int batch, int head, int query) {
        return qkv + qkvStep * ((long) batch * shape.sequence() + query) + 4L * head * shape.headDim();
    }

    private long keys(long qkv, int batch, int kvHead, int key) {
        return queries(qkv, batch, shape.heads() + kvHead, key);
    }

    private long values(long qkv, int batch, int kvHead, int key) {
        return queries(qkv, batch, shape.heads() + shape.kvHeads() + kvHead, key);
    }
}
