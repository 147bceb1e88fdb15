package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * {@link Attention} for GPUs (FlashAttention-2, arXiv 2307.08691): a group of 16 x 16 work items owns 64 queries (forward,
 * dq) or 64 keys (dk, dv) of a head, and meets the other side in tiles of 64. A tile's scores are one matrix product, what
 * they weigh another, and both go through local memory as in {@link GemmBlocked}. Nothing is added to by two groups.
 *
 * <p>Work item (x, z) computes the scores of rows 4 z to 4 z + 3 and columns 4 x to 4 x + 3, so that dropout's random bits,
 * four elements a block, are mostly used by the one who draws them; of the weighted sums it has columns x, x + 16, ...
 * Operands of the first product lie in {@code tile} in transposed slices of 16 by 64, row 4 n + m at place 16 m + n so that
 * neighbours read neighbours, in strides of 65 so that they write to different banks; the weights follow in their place.
 * The loops are written out in each kernel since TornadoVM addresses local memory wrongly in a helper, and nested, of at
 * most eight rounds where they count through registers, as it does not unroll longer ones.
 */
public final class AttentionTiled {
    /** Queries or keys of a group. */
    public static final int TILE = 64;

    /** Work items of a group in each direction. */
    public static final int SIDE = 16;

    /** A work item keeps the sums of 4 rows and headDim / 16 columns in registers; wider heads take the plain form. */
    public static final int MAX_HEAD_DIM = 256;

    private AttentionTiled() {}

    /** out = softmax(q k^T / sqrt(divisor)) v, lse = log of the sum of exp(scores). */
    public static void wAttentionTiled(
            IntArray c,
            int at,
            KernelContext context,
            IntArray documents,
            FloatArray qkv,
            FloatArray lse,
            FloatArray out,
            int sequence,
            int heads,
            int kvHeads,
            int headDim,
            int threshold,
            float keptScale) {
        float[] tile = context.allocateFloatLocalArray(4160);
        float[] rows = context.allocateFloatLocalArray(2048);
        int site = c.get(at + 3);
        int window = c.get(at + 4);
        float divisor = c.get(at + 5);
        int x = context.localIdx;
        int z = context.localIdy;
        int bh = context.groupIdy;
        int b = bh / heads;
        int h = bh % heads;
        int firstQuery = context.groupIdx * 64;
        int width = (heads + 2 * kvHeads) * headDim;
        int queries = c.get(at) + (b * sequence + firstQuery) * width + h * headDim;
        float scale = 1f / TornadoMath.sqrt(divisor);
        int columns = (headDim + 15) / 16;
        int share = headDim > 128 ? 8 : 16;
        float[] scores = new float[16];
        float[] sums = new float[4 * ((headDim + 15) / 16)];
        float[] max = new float[4];
        float[] shrink = new float[4];
        float[] denominator = new float[4];
        int[] bits = new int[4];
        int[] firsts = new int[4];
        for (int row = 0; row < 4; row++) {
            firsts[row] = wFirstKey(documents, b * sequence, firstQuery + 4 * z + row, sequence, window);
            max[row] = -1e30f;
            denominator[row] = 0f;
            for (int j = 0; j < columns; j++) {
                sums[row * columns + j] = 0f;
            }
        }
        int start = wFirstKey(documents, b * sequence, firstQuery, sequence, window) / 64 * 64;
        for (int firstKey = start; firstKey <= firstQuery; firstKey += 64) {
            int keys = c.get(at) + (b * sequence + firstKey) * width + (heads + h / (heads / kvHeads)) * headDim;
            for (int row = 0; row < 4; row++) {
                for (int column = 0; column < 4; column++) {
                    scores[row * 4 + column] = 0f;
                }
            }
            for (int depth = 0; depth < headDim; depth += 16) {
                for (int i = 0; i < 4; i++) {
                    int row = 4 * z + i;
                    int place = x * 65 + 16 * i + z;
                    boolean inside = depth + x < headDim;
                    tile[place] = wRead(qkv, queries + row * width + depth + x, inside && row < sequence - firstQuery);
                    tile[1040 + place] =
                            wRead(qkv, keys + row * width + depth + x, inside && row < sequence - firstKey);
                }
                context.localBarrier();
                for (int i = 0; i < TornadoMath.min(16, headDim - depth); i++) {
                    for (int row = 0; row < 4; row++) {
                        float value0 = tile[i * 65 + 16 * row + z];
                        for (int column = 0; column < 4; column++) {
                            scores[row * 4 + column] += value0 * tile[1040 + i * 65 + 16 * column + x];
                        }
                    }
                }
                context.localBarrier();
            }
            for (int row = 0; row < 4; row++) {
                float most = -1e30f;
                for (int column = 0; column < 4; column++) {
                    if (wSight(firstQuery + 4 * z + row, firstKey + 4 * x + column, sequence, firsts[row]) >= 0) {
                        most = TornadoMath.max(most, scores[row * 4 + column] * scale);
                    }
                }
                rows[(4 * z + row) * 16 + x] = most;
            }
            context.localBarrier();
            for (int row = 0; row < 4; row++) {
                float most = max[row];
                for (int i = 0; i < 16; i++) {
                    most = TornadoMath.max(most, rows[(4 * z + row) * 16 + i]);
                }
                shrink[row] = TornadoMath.exp(max[row] - most);
                max[row] = most;
            }
            for (int row = 0; row < 4; row++) {
                denominator[row] *= shrink[row];
                for (int j = 0; j < columns; j++) {
                    sums[row * columns + j] *= shrink[row];
                }
            }
            for (int row = 0; row < 4; row++) {
                for (int column = 0; column < 4; column++) {
                    int sight = wSight(firstQuery + 4 * z + row, firstKey + 4 * x + column, sequence, firsts[row]);
                    float p = sight >= 0 ? TornadoMath.exp(scores[row * 4 + column] * scale - max[row]) : 0f;
                    denominator[row] += p;
                    scores[row * 4 + column] = p;
                }
            }
            if (threshold != 0) {
                for (int row = 0; row < 4; row++) {
                    for (int column = 0; column < 4; column++) {
                        int t = firstQuery + 4 * z + row;
                        int s = firstKey + 4 * x + column;
                        long element = ((long) bh * sequence + t) * sequence + s;
                        int word = (int) (element & 3);
                        if (word == 0 || column == 0) {
                            Random.wBlock(c, element >> 2, site, bits);
                        }
                        scores[row * 4 + column] *= Random.wKept(bits[word], threshold, keptScale);
                    }
                }
            }
            for (int row = 0; row < 4; row++) {
                for (int column = 0; column < 4; column++) {
                    tile[(4 * z + row) * 65 + 4 * x + column] = scores[row * 4 + column];
                }
            }
            context.localBarrier();
            int values = keys + kvHeads * headDim;
            for (int first = 0; first < 64; first += share) {
                for (int place = 16 * z + x; place < share * headDim; place += 256) {
                    int row = first + place / headDim;
                    rows[place] = wRead(qkv, values + row * width + place % headDim, row < sequence - firstKey);
                }
                int deep = TornadoMath.min(share, sequence - firstKey - first);
                context.localBarrier();
                for (int i = 0; i < deep; i++) {
                    for (int row = 0; row < 4; row++) {
                        float weight = tile[(4 * z + row) * 65 + first + i];
                        for (int j = 0; j < columns; j++) {
                            sums[row * columns + j] += weight * rows[i * headDim + 16 * j + x];
                        }
                    }
                }
                context.localBarrier();
            }
        }
        for (int row = 0; row < 4; row++) {
            rows[(4 * z + row) * 16 + x] = denominator[row];
        }
        context.localBarrier();
        for (int row = 0; row < 4; row++) {
            int t = firstQuery + 4 * z + row;
            float total = 0f;
            for (int i = 0; i < 16; i++) {
                total += rows[(4 * z + row) * 16 + i];
            }
            if (t < sequence) {
                lse.set(c.get(at + 1) + bh * sequence + t, max[row] + TornadoMath.log(total));
                int to = c.get(at + 2) + ((b * sequence + t) * heads + h) * headDim;
                for (int j = 0; j < columns; j++) {
                    if (x + 16 * j < headDim) {
                        out.set(to + x + 16 * j, sums[row * columns + j] / total);
                    }
                }
            }
        }
    }

    /** With P = exp(score - lse), dP = mask * (dout . v), dS = P (dP - delta) / sqrt(divisor): dq = sum of dS k. */
    public static void wAttentionQueryBackwardTiled(
            IntArray c,
            int at,
            KernelContext context,
            IntArray documents,
            FloatArray qkv,
            FloatArray dout,
            FloatArray lse,
            FloatArray delta,
            FloatArray dqkv,
            int sequence,
            int heads,
            int kvHeads,
            int headDim,
            int threshold,
            float keptScale) {
        float[] tile = context.allocateFloatLocalArray(4160);
        float[] rows = context.allocateFloatLocalArray(2048);
        int site = c.get(at + 5);
        int window = c.get(at + 6);
        float divisor = c.get(at + 7);
        int x = context.localIdx;
        int z = context.localIdy;
        int bh = context.groupIdy;
        int b = bh / heads;
        int h = bh % heads;
        int firstQuery = context.groupIdx * 64;
        int width = (heads + 2 * kvHeads) * headDim;
        int query = (b * sequence + firstQuery) * width + h * headDim;
        int queries = c.get(at) + query;
        int gradients = c.get(at + 1) + ((b * sequence + firstQuery) * heads + h) * headDim;
        int queriesLeft = sequence - firstQuery;
        float scale = 1f / TornadoMath.sqrt(divisor);
        int columns = (headDim + 15) / 16;
        int share = headDim > 128 ? 8 : 16;
        float[] scores = new float[16];
        float[] dp = new float[16];
        float[] sums = new float[4 * ((headDim + 15) / 16)];
        int[] bits = new int[4];
        int[] firsts = new int[4];
        for (int row = 0; row < 4; row++) {
            firsts[row] = wFirstKey(documents, b * sequence, firstQuery + 4 * z + row, sequence, window);
            for (int j = 0; j < columns; j++) {
                sums[row * columns + j] = 0f;
            }
        }
        int start = wFirstKey(documents, b * sequence, firstQuery, sequence, window) / 64 * 64;
        for (int firstKey = start; firstKey <= firstQuery; firstKey += 64) {
            int keys = c.get(at) + (b * sequence + firstKey) * width + (heads + h / (heads / kvHeads)) * headDim;
            int values = keys + kvHeads * headDim;
            int keysLeft = sequence - firstKey;
            for (int row = 0; row < 4; row++) {
                for (int column = 0; column < 4; column++) {
                    scores[row * 4 + column] = 0f;
                    dp[row * 4 + column] = 0f;
                }
            }
            for (int depth = 0; depth < headDim; depth += 16) {
                for (int i = 0; i < 4; i++) {
                    int row = 4 * z + i;
                    int place = x * 65 + 16 * i + z;
                    boolean inside = depth + x < headDim;
                    tile[place] = wRead(qkv, queries + row * width + depth + x, inside && row < queriesLeft);
                    tile[1040 + place] = wRead(qkv, keys + row * width + depth + x, inside && row < keysLeft);
                    tile[2080 + place] =
                            wRead(dout, gradients + row * heads * headDim + depth + x, inside && row < queriesLeft);
                    tile[3120 + place] = wRead(qkv, values + row * width + depth + x, inside && row < keysLeft);
                }
                context.localBarrier();
                for (int i = 0; i < TornadoMath.min(16, headDim - depth); i++) {
                    for (int row = 0; row < 4; row++) {
                        float value0 = tile[i * 65 + 16 * row + z];
                        float value1 = tile[2080 + i * 65 + 16 * row + z];
                        for (int column = 0; column < 4; column++) {
                            scores[row * 4 + column] += value0 * tile[1040 + i * 65 + 16 * column + x];
                            dp[row * 4 + column] += value1 * tile[3120 + i * 65 + 16 * column + x];
                        }
                    }
                }
                context.localBarrier();
            }
            for (int row = 0; row < 4; row++) {
                for (int column = 0; column < 4; column++) {
                    int t = firstQuery + 4 * z + row;
                    int s = firstKey + 4 * x + column;
                    float mask = 1f;
                    if (threshold != 0) {
                        long element = ((long) bh * sequence + t) * sequence + s;
                        int word = (int) (element & 3);
                        if (word == 0 || column == 0) {
                            Random.wBlock(c, element >> 2, site, bits);
                        }
                        mask = Random.wKept(bits[word], threshold, keptScale);
                    }
                    float ds = 0f;
                    if (wSight(t, s, sequence, firsts[row]) >= 0) {
                        int place = bh * sequence + t;
                        float p = TornadoMath.exp(scores[row * 4 + column] * scale - lse.get(c.get(at + 2) + place));
                        ds = p * (dp[row * 4 + column] * mask - delta.get(c.get(at + 3) + place)) * scale;
                    }
                    tile[(4 * z + row) * 65 + 4 * x + column] = ds;
                }
            }
            context.localBarrier();
            for (int first = 0; first < 64; first += share) {
                for (int place = 16 * z + x; place < share * headDim; place += 256) {
                    int row = first + place / headDim;
                    rows[place] = wRead(qkv, keys + row * width + place % headDim, row < keysLeft);
                }
                int deep = TornadoMath.min(share, keysLeft - first);
                context.localBarrier();
                for (int i = 0; i < deep; i++) {
                    for (int row = 0; row < 4; row++) {
                        float weight = tile[(4 * z + row) * 65 + first + i];
                        for (int j = 0; j < columns; j++) {
                            sums[row * columns + j] += weight * rows[i * headDim + 16 * j + x];
                        }
                    }
                }
                context.localBarrier();
            }
        }
        for (int row = 0; row < 4; row++) {
            if (4 * z + row < queriesLeft) {
                for (int j = 0; j < columns; j++) {
                    if (x + 16 * j < headDim) {
                        dqkv.set(c.get(at + 4) + query + (4 * z + row) * width + x + 16 * j, sums[row * columns + j]);
                    }
                }
            }
        }
    }

    /**
     * dk = sum over the group's heads and the later queries of dS q, dv = sum of mask * P dout; rows are keys here. Where there
     * are few keys for a device, several groups share a key head's query heads, and their sums follow each other:
     * [row][part][2 kvHeads headDim], to be added up by {@link #wKeyValueParts}.
     */
    public static void wAttentionKeyValueBackwardTiled(
            IntArray c,
            int at,
            KernelContext context,
            IntArray documents,
            FloatArray qkv,
            FloatArray dout,
            FloatArray lse,
            FloatArray delta,
            FloatArray dqkv,
            int sequence,
            int heads,
            int kvHeads,
            int headDim,
            int threshold,
            float keptScale) {
        float[] tile = context.allocateFloatLocalArray(4160);
        float[] rows = context.allocateFloatLocalArray(2048);
        int site = c.get(at + 5);
        int window = c.get(at + 6);
        float divisor = c.get(at + 7);
        int parts = c.get(at + 8);
        int placesOfAll = c.get(at + 9);
        int x = context.localIdx;
        int z = context.localIdy;
        int part = context.groupIdy % parts;
        int b = context.groupIdy / parts / kvHeads;
        int g = context.groupIdy / parts % kvHeads;
        int shared = (heads / kvHeads + parts - 1) / parts;
        int firstHead = g * (heads / kvHeads) + part * shared;
        int lastHead = TornadoMath.min(firstHead + shared, (g + 1) * (heads / kvHeads));
        int firstKey = context.groupIdx * 64;
        int width = (heads + 2 * kvHeads) * headDim;
        int key = (b * sequence + firstKey) * width + (heads + g) * headDim;
        int keys = c.get(at) + key;
        int values = keys + kvHeads * headDim;
        int keysLeft = sequence - firstKey;
        float scale = 1f / TornadoMath.sqrt(divisor);
        int columns = (headDim + 15) / 16;
        int share = headDim > 128 ? 8 : 16;
        float[] scores = new float[16];
        float[] dp = new float[16];
        float[] dk = new float[4 * ((headDim + 15) / 16)];
        float[] dv = new float[4 * ((headDim + 15) / 16)];
        int[] bits = new int[4];
        for (int row = 0; row < 4; row++) {
            for (int j = 0; j < columns; j++) {
                dk[row * columns + j] = 0f;
                dv[row * columns + j] = 0f;
            }
        }
        int end = TornadoMath.min(sequence, firstKey + 63 + window);
        int lastKey = TornadoMath.min(firstKey + 63, sequence - 1);
        end = TornadoMath.min(end, documents.get(placesOfAll + b * sequence + lastKey));
        for (int h = firstHead; h < lastHead; h++) {
            for (int firstQuery = firstKey; firstQuery < end; firstQuery += 64) {
                int bh = b * heads + h;
                int queries = c.get(at) + (b * sequence + firstQuery) * width + h * headDim;
                int gradients = c.get(at + 1) + ((b * sequence + firstQuery) * heads + h) * headDim;
                int queriesLeft = sequence - firstQuery;
                for (int row = 0; row < 4; row++) {
                    for (int column = 0; column < 4; column++) {
                        scores[row * 4 + column] = 0f;
                        dp[row * 4 + column] = 0f;
                    }
                }
                for (int depth = 0; depth < headDim; depth += 16) {
                    for (int i = 0; i < 4; i++) {
                        int row = 4 * z + i;
                        int place = x * 65 + 16 * i + z;
                        boolean inside = depth + x < headDim;
                        tile[place] = wRead(qkv, keys + row * width + depth + x, inside && row < keysLeft);
                        tile[1040 + place] = wRead(qkv, queries + row * width + depth + x, inside && row < queriesLeft);
                        tile[2080 + place] = wRead(qkv, values + row * width + depth + x, inside && row < keysLeft);
                        tile[3120 + place] =
                                wRead(dout, gradients + row * heads * headDim + depth + x, inside && row < queriesLeft);
                    }
                    context.localBarrier();
                    for (int i = 0; i < TornadoMath.min(16, headDim - depth); i++) {
                        for (int row = 0; row < 4; row++) {
                            float value0 = tile[i * 65 + 16 * row + z];
                            float value1 = tile[2080 + i * 65 + 16 * row + z];
                            for (int column = 0; column < 4; column++) {
                                scores[row * 4 + column] += value0 * tile[1040 + i * 65 + 16 * column + x];
                                dp[row * 4 + column] += value1 * tile[3120 + i * 65 + 16 * column + x];
                            }
                        }
                    }
                    context.localBarrier();
                }
                for (int row = 0; row < 4; row++) {
                    for (int column = 0; column < 4; column++) {
                        int t = firstQuery + 4 * x + column;
                        int s = firstKey + 4 * z + row;
                        float dropped = 0f;
                        float ds = 0f;
                        if (wSight(t, s, sequence, wFirstKey(documents, b * sequence, t, sequence, window)) >= 0) {
                            float mask = 1f;
                            if (threshold != 0) {
                                long element = ((long) bh * sequence + t) * sequence + s;
                                Random.wBlock(c, element >> 2, site, bits);
                                mask = Random.wKept(bits[(int) (element & 3)], threshold, keptScale);
                            }
                            int place = bh * sequence + t;
                            float p =
                                    TornadoMath.exp(scores[row * 4 + column] * scale - lse.get(c.get(at + 2) + place));
                            ds = p * (dp[row * 4 + column] * mask - delta.get(c.get(at + 3) + place)) * scale;
                            dropped = p * mask;
                        }
                        tile[(4 * z + row) * 65 + 4 * x + column] = dropped;
                        scores[row * 4 + column] = ds;
                    }
                }
                context.localBarrier();
                for (int first = 0; first < 64; first += share) {
                    for (int place = 16 * z + x; place < share * headDim; place += 256) {
                        int row = first + place / headDim;
                        rows[place] =
                                wRead(dout, gradients + row * heads * headDim + place % headDim, row < queriesLeft);
                    }
                    int deep = TornadoMath.min(share, queriesLeft - first);
                    context.localBarrier();
                    for (int i = 0; i < deep; i++) {
                        for (int row = 0; row < 4; row++) {
                            float weight = tile[(4 * z + row) * 65 + first + i];
                            for (int j = 0; j < columns; j++) {
                                dv[row * columns + j] += weight * rows[i * headDim + 16 * j + x];
                            }
                        }
                    }
                    context.localBarrier();
                }
                for (int row = 0; row < 4; row++) {
                    for (int column = 0; column < 4; column++) {
                        tile[(4 * z + row) * 65 + 4 * x + column] = scores[row * 4 + column];
                    }
                }
                context.localBarrier();
                for (int first = 0; first < 64; first += share) {
                    for (int place = 16 * z + x; place < share * headDim; place += 256) {
                        int row = first + place / headDim;
                        rows[place] = wRead(qkv, queries + row * width + place % headDim, row < queriesLeft);
                    }
                    int deep = TornadoMath.min(share, queriesLeft - first);
                    context.localBarrier();
                    for (int i = 0; i < deep; i++) {
                        for (int row = 0; row < 4; row++) {
                            float weight = tile[(4 * z + row) * 65 + first + i];
                            for (int j = 0; j < columns; j++) {
                                dk[row * columns + j] += weight * rows[i * headDim + 16 * j + x];
                            }
                        }
                    }
                    context.localBarrier();
                }
            }
        }
        int stride = width;
        int to = c.get(at + 4) + key + 4 * z * width + x;
        if (parts != 1) {
            stride = parts * 2 * kvHeads * headDim;
            to = c.get(at + 4) + (b * sequence + firstKey + 4 * z) * stride + (part * 2 * kvHeads + g) * headDim + x;
        }
        for (int row = 0; row < 4; row++) {
            if (4 * z + row < keysLeft) {
                for (int j = 0; j < columns; j++) {
                    if (x + 16 * j < headDim) {
                        dqkv.set(to + row * stride + 16 * j, dk[row * columns + j]);
                    }
                }
            }
        }
        to += kvHeads * headDim;
        for (int row = 0; row < 4; row++) {
            if (4 * z + row < keysLeft) {
                for (int j = 0; j < columns; j++) {
                    if (x + 16 * j < headDim) {
                        dqkv.set(to + row * stride + 16 * j, dv[row * columns + j]);
                    }
                }
            }
        }
    }

    /** Adds the parts of every row's gradients of keys and values. */
    public static void wKeyValueParts(
            IntArray c, int at, FloatArray partial, FloatArray dqkv, int rows, int kvWidth, int parts, int keyOffset) {
        for (@Parallel int row = 0; row < rows; row++) {
            for (@Parallel int i = 0; i < kvWidth; i++) {
                float sum = 0f;
                for (int part = 0; part < parts; part++) {
                    sum += partial.get(c.get(at) + (row * parts + part) * kvWidth + i);
                }
                dqkv.set(c.get(at + 1) + row * (keyOffset + kvWidth) + keyOffset + i, sum);
            }
        }
    }

    /** The first key that a query sees; beyond the end that of the last one's document. */
    private static int wFirstKey(IntArray documents, int row, int t, int sequence, int window) {
        return TornadoMath.max(documents.get(row + TornadoMath.min(t, sequence - 1)), t - window + 1);
    }

    /**
     * Negative unless query t, which sees no key before the first, sees key s. A number, as TornadoVM turns one part of a condition of three around where it comes
     * a second time.
     */
    private static int wSight(int t, int s, int sequence, int firstKey) {
        int sight = TornadoMath.min(t - s, sequence - 1 - t);
        return TornadoMath.min(sight, s - firstKey);
    }

    /** 0 beyond the end. */
    private static float wRead(FloatArray a, int place, boolean inside) {
        float value = 0f;
        if (inside) {
            value = a.get(place);
        }
        return value;
    }
}
