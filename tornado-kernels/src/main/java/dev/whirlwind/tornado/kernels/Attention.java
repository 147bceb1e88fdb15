package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Causal attention with grouped key/value heads that never holds a sequence x sequence matrix: softmax while running
 * (arXiv 1805.02867, 2205.14135), and P computed again from the kept log-sum-exp going back. A work item owns sixteen
 * queries (forward, dq) or keys (dk, dv), so nothing is added to by two, and meets the other side in blocks of 64. The ints
 * after the tensors are the dropout's site, how many latest keys a query sees, and the square of what scores are divided
 * by.
 *
 * <p>The sixteen are lanes of vector registers: what belongs to them lies in private arrays [.][16], neighbours next to each
 * other. Compilers for CPUs make vectors of loops over private arrays, exponentials too, since they know what overlaps; of
 * loops over the arguments they do not. Both products of a block are {@link #wProduct}, four rows in registers at a time.
 */
public final class Attention {
    /** Queries or keys of a work item. */
    public static final int LANES = 16;

    private Attention() {}

    /** out = softmax(q k^T / sqrt(divisor)) v, lse = log of the sum of exp(scores). */
    public static void wAttention(
            IntArray c,
            int at,
            IntArray documents,
            FloatArray qkv,
            FloatArray lse,
            FloatArray out,
            int batchHeads,
            int sequence,
            int heads,
            int kvHeads,
            int headDim,
            int threshold,
            float keptScale) {
        int qkv0 = c.get(at);
        int lse0 = c.get(at + 1);
        int out0 = c.get(at + 2);
        int site = c.get(at + 3);
        int window = c.get(at + 4);
        float divisor = c.get(at + 5);
        int width = (heads + 2 * kvHeads) * headDim;
        float scale = 1f / TornadoMath.sqrt(divisor);
        for (@Parallel int bh = 0; bh < batchHeads; bh++) {
            for (@Parallel int tile = 0; tile < (sequence + 15) / 16; tile++) {
                int b = bh / heads;
                int h = bh % heads;
                int t = tile * 16;
                int keys = qkv0 + b * sequence * width + (heads + h / (heads / kvHeads)) * headDim;
                float[] q = new float[16 * ((headDim + 3) / 4 * 4)];
                float[] sums = new float[16 * ((headDim + 3) / 4 * 4)];
                float[] scores = new float[1024];
                float[] max = new float[16];
                float[] shrink = new float[16];
                float[] denominator = new float[16];
                int[] bits = new int[4];
                int[] first = new int[16];
                wFirstKeys(first, documents, b * sequence, t, sequence, window);
                wTake(q, qkv, qkv0 + (b * sequence + t) * width + h * headDim, width, sequence - t, headDim);
                wClear(sums, headDim);
                for (int lane = 0; lane < 16; lane++) {
                    max[lane] = -1e30f;
                    denominator[lane] = 0f;
                }
                int end = TornadoMath.min(t + 16, sequence);
                for (int s = first[0]; s < end; s += 64) {
                    int key = keys + s * width;
                    int count = TornadoMath.min(64, end - s);
                    wScores(scores, q, qkv, key, width, count, headDim);
                    for (int j = 0; j < count; j++) {
                        for (int lane = 0; lane < 16; lane++) {
                            scores[j * 16 + lane] =
                                    scores[j * 16 + lane] * scale + wHidden(t + lane, s + j, first[lane]);
                        }
                    }
                    wSoftmax(scores, max, shrink, denominator, count);
                    if (threshold != 0) {
                        for (int lane = 0; lane < 16; lane++) {
                            for (int j = 0; j < count; j++) {
                                long element = ((long) bh * sequence + t + lane) * sequence + s + j;
                                int word = (int) (element & 3);
                                if (word == 0 || j == 0) {
                                    Random.wBlock(c, element >> 2, site, bits);
                                }
                                scores[j * 16 + lane] *= Random.wKept(bits[word], threshold, keptScale);
                            }
                        }
                    }
                    wScale(sums, shrink, headDim);
                    wAdd(sums, scores, qkv, key + kvHeads * headDim, width, count, headDim);
                }
                for (int lane = 0; lane < 16; lane++) {
                    shrink[lane] = 1f / denominator[lane];
                    max[lane] += TornadoMath.log(denominator[lane]);
                }
                wScale(sums, shrink, headDim);
                wGive(lse, lse0 + bh * sequence + t, 1, sequence - t, max, 1);
                wGive(
                        out,
                        out0 + ((b * sequence + t) * heads + h) * headDim,
                        heads * headDim,
                        sequence - t,
                        sums,
                        headDim);
            }
        }
    }

    /** delta = dout . out, which is also the sum over keys of P dP (arXiv 2205.14135, section B.2). */
    public static void wAttentionDelta(
            IntArray c,
            int at,
            FloatArray dout,
            FloatArray out,
            FloatArray delta,
            int batchHeads,
            int sequence,
            int heads,
            int headDim) {
        int dout0 = c.get(at);
        int out0 = c.get(at + 1);
        int delta0 = c.get(at + 2);
        for (@Parallel int bh = 0; bh < batchHeads; bh++) {
            for (@Parallel int t = 0; t < sequence; t++) {
                int row = ((bh / heads * sequence + t) * heads + bh % heads) * headDim;
                delta.set(delta0 + bh * sequence + t, wDot(dout, dout0 + row, out, out0 + row, headDim));
            }
        }
    }

    /** With P = exp(score - lse), dP = mask * (dout . v), dS = P (dP - delta) / sqrt(divisor): dq = sum of dS k. */
    public static void wAttentionQueryBackward(
            IntArray c,
            int at,
            IntArray documents,
            FloatArray qkv,
            FloatArray dout,
            FloatArray lse,
            FloatArray delta,
            FloatArray dqkv,
            int batchHeads,
            int sequence,
            int heads,
            int kvHeads,
            int headDim,
            int threshold,
            float keptScale) {
        int qkv0 = c.get(at);
        int dout0 = c.get(at + 1);
        int lse0 = c.get(at + 2);
        int delta0 = c.get(at + 3);
        int dqkv0 = c.get(at + 4);
        int site = c.get(at + 5);
        int window = c.get(at + 6);
        float divisor = c.get(at + 7);
        int width = (heads + 2 * kvHeads) * headDim;
        float scale = 1f / TornadoMath.sqrt(divisor);
        for (@Parallel int bh = 0; bh < batchHeads; bh++) {
            for (@Parallel int tile = 0; tile < (sequence + 15) / 16; tile++) {
                int b = bh / heads;
                int h = bh % heads;
                int t = tile * 16;
                int keys = qkv0 + b * sequence * width + (heads + h / (heads / kvHeads)) * headDim;
                int query = (b * sequence + t) * width + h * headDim;
                int gradient = dout0 + ((b * sequence + t) * heads + h) * headDim;
                float[] q = new float[16 * ((headDim + 3) / 4 * 4)];
                float[] g = new float[16 * ((headDim + 3) / 4 * 4)];
                float[] sums = new float[16 * ((headDim + 3) / 4 * 4)];
                float[] scores = new float[1024];
                float[] dp = new float[1024];
                float[] logSum = new float[16];
                float[] d = new float[16];
                int[] bits = new int[4];
                int[] first = new int[16];
                wFirstKeys(first, documents, b * sequence, t, sequence, window);
                wTake(q, qkv, qkv0 + query, width, sequence - t, headDim);
                wTake(g, dout, gradient, heads * headDim, sequence - t, headDim);
                wTake(logSum, lse, lse0 + bh * sequence + t, 1, sequence - t, 1);
                wTake(d, delta, delta0 + bh * sequence + t, 1, sequence - t, 1);
                wClear(sums, headDim);
                int end = TornadoMath.min(t + 16, sequence);
                for (int s = first[0]; s < end; s += 64) {
                    int key = keys + s * width;
                    int count = TornadoMath.min(64, end - s);
                    wScores(scores, q, qkv, key, width, count, headDim);
                    wScores(dp, g, qkv, key + kvHeads * headDim, width, count, headDim);
                    if (threshold != 0) {
                        for (int lane = 0; lane < 16; lane++) {
                            for (int j = 0; j < count; j++) {
                                long element = ((long) bh * sequence + t + lane) * sequence + s + j;
                                int word = (int) (element & 3);
                                if (word == 0 || j == 0) {
                                    Random.wBlock(c, element >> 2, site, bits);
                                }
                                dp[j * 16 + lane] *= Random.wKept(bits[word], threshold, keptScale);
                            }
                        }
                    }
                    for (int j = 0; j < count; j++) {
                        for (int lane = 0; lane < 16; lane++) {
                            float hidden = wHidden(t + lane, s + j, first[lane]);
                            float p = TornadoMath.exp(scores[j * 16 + lane] * scale + hidden - logSum[lane]);
                            scores[j * 16 + lane] = p * (dp[j * 16 + lane] - d[lane]) * scale;
                        }
                    }
                    wAdd(sums, scores, qkv, key, width, count, headDim);
                }
                wGive(dqkv, dqkv0 + query, width, sequence - t, sums, headDim);
            }
        }
    }

    /** dk = sum over the group's heads and the later queries of dS q, dv = sum of mask * P dout. */
    public static void wAttentionKeyValueBackward(
            IntArray c,
            int at,
            IntArray documents,
            FloatArray qkv,
            FloatArray dout,
            FloatArray lse,
            FloatArray delta,
            FloatArray dqkv,
            int batchKvHeads,
            int sequence,
            int heads,
            int kvHeads,
            int headDim,
            int threshold,
            float keptScale) {
        int qkv0 = c.get(at);
        int dout0 = c.get(at + 1);
        int lse0 = c.get(at + 2);
        int delta0 = c.get(at + 3);
        int dqkv0 = c.get(at + 4);
        int site = c.get(at + 5);
        int window = c.get(at + 6);
        float divisor = c.get(at + 7);
        int width = (heads + 2 * kvHeads) * headDim;
        float scale = 1f / TornadoMath.sqrt(divisor);
        int group = heads / kvHeads;
        for (@Parallel int bg = 0; bg < batchKvHeads; bg++) {
            for (@Parallel int tile = 0; tile < (sequence + 15) / 16; tile++) {
                int b = bg / kvHeads;
                int s = tile * 16;
                int key = (b * sequence + s) * width + (heads + bg % kvHeads) * headDim;
                float[] k = new float[16 * ((headDim + 3) / 4 * 4)];
                float[] v = new float[16 * ((headDim + 3) / 4 * 4)];
                float[] dk = new float[16 * ((headDim + 3) / 4 * 4)];
                float[] dv = new float[16 * ((headDim + 3) / 4 * 4)];
                float[] scores = new float[1024];
                float[] dp = new float[1024];
                float[] mask = new float[1024];
                int[] bits = new int[4];
                wTake(k, qkv, qkv0 + key, width, sequence - s, headDim);
                wTake(v, qkv, qkv0 + key + kvHeads * headDim, width, sequence - s, headDim);
                wClear(dk, headDim);
                wClear(dv, headDim);
                int lastKey = TornadoMath.min(s + 15, sequence - 1);
                int end = TornadoMath.min(sequence, s + 15 + window);
                end = TornadoMath.min(end, documents.get(batchKvHeads / kvHeads * sequence + b * sequence + lastKey));
                for (int h = bg % kvHeads * group; h < (bg % kvHeads + 1) * group; h++) {
                    int bh = b * heads + h;
                    for (int t = s; t < end; t += 64) {
                        int count = TornadoMath.min(64, end - t);
                        int query = qkv0 + (b * sequence + t) * width + h * headDim;
                        int gradient = dout0 + ((b * sequence + t) * heads + h) * headDim;
                        wScores(scores, k, qkv, query, width, count, headDim);
                        wScores(dp, v, dout, gradient, heads * headDim, count, headDim);
                        if (threshold != 0) {
                            for (int j = 0; j < count; j++) {
                                for (int lane = 0; lane < 16; lane++) {
                                    long element = ((long) bh * sequence + t + j) * sequence + s + lane;
                                    int word = (int) (element & 3);
                                    if (word == 0 || lane == 0) {
                                        Random.wBlock(c, element >> 2, site, bits);
                                    }
                                    mask[j * 16 + lane] = Random.wKept(bits[word], threshold, keptScale);
                                }
                            }
                        }
                        for (int j = 0; j < count; j++) {
                            int row = bh * sequence + t + j;
                            float logSum = lse.get(lse0 + row);
                            float d = delta.get(delta0 + row);
                            int start = documents.get(b * sequence + t + j);
                            int first = TornadoMath.max(start, t + j - window + 1);
                            for (int lane = 0; lane < 16; lane++) {
                                float hidden = wHidden(t + j, s + lane, first);
                                float p = TornadoMath.exp(scores[j * 16 + lane] * scale + hidden - logSum);
                                float kept = threshold != 0 ? mask[j * 16 + lane] : 1f;
                                scores[j * 16 + lane] = p * (dp[j * 16 + lane] * kept - d) * scale;
                                dp[j * 16 + lane] = p * kept;
                            }
                        }
                        wAdd(dk, scores, qkv, query, width, count, headDim);
                        wAdd(dv, dp, dout, gradient, heads * headDim, count, headDim);
                    }
                }
                wGive(dqkv, dqkv0 + key, width, sequence - s, dk, headDim);
                wGive(dqkv, dqkv0 + key + kvHeads * headDim, width, sequence - s, dv, headDim);
            }
        }
    }

    /** Copies the rows' keys and values to the cache's places from the cursor's position on. */
    public static void wStoreKeysAndValues(
            IntArray c, int at, FloatArray qkv, FloatArray cache, int rows, int offset, int kvWidth) {
        int qkv0 = c.get(at);
        int cache0 = c.get(at + 1) + c.get(Cursor.POSITION) * kvWidth;
        for (@Parallel int r = 0; r < rows; r++) {
            for (@Parallel int i = 0; i < kvWidth; i++) {
                cache.set(cache0 + r * kvWidth + i, qkv.get(qkv0 + r * (offset + kvWidth) + offset + i));
            }
        }
    }

    /**
     * As {@link #wAttention} of one sequence whose keys and values lie in the cache. A work item's sixteen are queries of rows
     * and of heads that read the same keys, in this order: of one row if there are so many heads, else of several.
     */
    public static void wCachedAttention(
            IntArray c,
            int at,
            FloatArray qkv,
            FloatArray cache,
            FloatArray out,
            int rows,
            int heads,
            int kvHeads,
            int headDim) {
        int qkv0 = c.get(at);
        int cache0 = c.get(at + 1);
        int out0 = c.get(at + 2);
        int window = c.get(at + 3);
        float divisor = c.get(at + 4);
        int position = c.get(Cursor.POSITION);
        float scale = 1f / TornadoMath.sqrt(divisor);
        int group = heads / kvHeads;
        int width = 2 * kvHeads * headDim;
        for (@Parallel int g = 0; g < kvHeads; g++) {
            for (@Parallel int tile = 0; tile < (rows * group + 15) / 16; tile++) {
                float[] q = new float[16 * ((headDim + 3) / 4 * 4)];
                float[] sums = new float[16 * ((headDim + 3) / 4 * 4)];
                float[] scores = new float[1024];
                float[] max = new float[16];
                float[] shrink = new float[16];
                float[] denominator = new float[16];
                int[] time = new int[16];
                int lanes = TornadoMath.min(16, rows * group - tile * 16);
                wClear(q, headDim);
                wClear(sums, headDim);
                for (int lane = 0; lane < 16; lane++) {
                    max[lane] = -1e30f;
                    denominator[lane] = 0f;
                    time[lane] = position + (tile * 16 + lane) / group;
                }
                for (int lane = 0; lane < lanes; lane++) {
                    int query = tile * 16 + lane;
                    int from = qkv0 + (query / group * (heads + 2 * kvHeads) + g * group + query % group) * headDim;
                    for (int i = 0; i < headDim; i++) {
                        q[i * 16 + lane] = qkv.get(from + i);
                    }
                }
                int end = position + (tile * 16 + lanes - 1) / group + 1;
                for (int s = TornadoMath.max(0, position + tile * 16 / group - window + 1); s < end; s += 64) {
                    int count = TornadoMath.min(64, end - s);
                    int key = cache0 + g * headDim + s * width;
                    wScores(scores, q, cache, key, width, count, headDim);
                    for (int j = 0; j < count; j++) {
                        for (int lane = 0; lane < 16; lane++) {
                            scores[j * 16 + lane] =
                                    scores[j * 16 + lane] * scale + wHidden(time[lane], s + j, time[lane] - window + 1);
                        }
                    }
                    wSoftmax(scores, max, shrink, denominator, count);
                    wScale(sums, shrink, headDim);
                    wAdd(sums, scores, cache, key + kvHeads * headDim, width, count, headDim);
                }
                for (int lane = 0; lane < lanes; lane++) {
                    int query = tile * 16 + lane;
                    int to = out0 + (query / group * heads + g * group + query % group) * headDim;
                    for (int i = 0; i < headDim; i++) {
                        out.set(to + i, sums[i * 16 + lane] / denominator[lane]);
                    }
                }
            }
        }
    }

    /** Rows as lanes, [headDim][16]; zeros beyond. */
    private static void wTake(float[] lanes, FloatArray a, int a0, int stride, int rows, int headDim) {
        wClear(lanes, headDim);
        for (int lane = 0; lane < TornadoMath.min(16, rows); lane++) {
            for (int i = 0; i < headDim; i++) {
                lanes[i * 16 + lane] = a.get(a0 + lane * stride + i);
            }
        }
    }

    /** The other way round, without the lanes beyond the rows. */
    private static void wGive(FloatArray a, int a0, int stride, int rows, float[] lanes, int headDim) {
        for (int lane = 0; lane < TornadoMath.min(16, rows); lane++) {
            for (int i = 0; i < headDim; i++) {
                a.set(a0 + lane * stride + i, lanes[i * 16 + lane]);
            }
        }
    }

    private static void wClear(float[] lanes, int headDim) {
        for (int i = 0; i < headDim; i++) {
            for (int lane = 0; lane < 16; lane++) {
                lanes[i * 16 + lane] = 0f;
            }
        }
    }

    /** scores[row] = row of a . lanes. */
    private static void wScores(
            float[] scores, float[] lanes, FloatArray a, int a0, int stride, int rows, int headDim) {
        wClear(scores, 64);
        for (int row = 0; row < rows; row += 4) {
            wProduct(scores, row * 16, lanes, a, a0 + row * stride, stride, 1, rows - row, headDim);
        }
    }

    /** sums += rows of a, by their weights. */
    private static void wAdd(float[] sums, float[] weights, FloatArray a, int a0, int stride, int rows, int headDim) {
        for (int i = 0; i < headDim; i += 4) {
            wProduct(sums, i * 16, weights, a, a0 + i, 1, stride, headDim - i, rows);
        }
    }

    /** y[row] += sum over i of a(row, i) lanes[i], for four rows; where there are fewer, the last one comes again. */
    private static void wProduct(
            float[] y, int y0, float[] lanes, FloatArray a, int a0, int rowStride, int stride, int rows, int depth) {
        float[] sums = new float[64];
        for (int row = 0; row < 4; row++) {
            for (int lane = 0; lane < 16; lane++) {
                sums[row * 16 + lane] = 0f;
            }
        }
        for (int i = 0; i < depth; i++) {
            for (int row = 0; row < 4; row++) {
                float value = a.get(a0 + TornadoMath.min(row, rows - 1) * rowStride + i * stride);
                for (int lane = 0; lane < 16; lane++) {
                    sums[row * 16 + lane] += value * lanes[i * 16 + lane];
                }
            }
        }
        for (int row = 0; row < 4; row++) {
            for (int lane = 0; lane < 16; lane++) {
                y[y0 + row * 16 + lane] += sums[row * 16 + lane];
            }
        }
    }

    private static void wScale(float[] sums, float[] factors, int headDim) {
        for (int i = 0; i < headDim; i++) {
            for (int lane = 0; lane < 16; lane++) {
                sums[i * 16 + lane] *= factors[lane];
            }
        }
    }

    /** Scores become exp(score - max) with each lane's new maximum; what was summed before must shrink. */
    private static void wSoftmax(float[] scores, float[] max, float[] shrink, float[] denominator, int rows) {
        for (int lane = 0; lane < 16; lane++) {
            shrink[lane] = max[lane];
        }
        for (int j = 0; j < rows; j++) {
            for (int lane = 0; lane < 16; lane++) {
                max[lane] = TornadoMath.max(max[lane], scores[j * 16 + lane]);
            }
        }
        for (int lane = 0; lane < 16; lane++) {
            shrink[lane] = TornadoMath.exp(shrink[lane] - max[lane]);
            denominator[lane] *= shrink[lane];
        }
        for (int j = 0; j < rows; j++) {
            for (int lane = 0; lane < 16; lane++) {
                scores[j * 16 + lane] = TornadoMath.exp(scores[j * 16 + lane] - max[lane]);
                denominator[lane] += scores[j * 16 + lane];
            }
        }
    }

    /** What makes a score too low to count, unless query t, which sees no key before the first, sees key s: a number, as conditions keep compilers from vectors. */
    private static float wHidden(int t, int s, int firstKey) {
        return 1e20f * TornadoMath.min(0, TornadoMath.min(t - s, s - firstKey));
    }

    /** What sixteen queries from t on see first; none less than the one before. Beyond the end they see what the last does. */
    private static void wFirstKeys(int[] first, IntArray documents, int row, int t, int sequence, int window) {
        for (int lane = 0; lane < 16; lane++) {
            int start = documents.get(row + TornadoMath.min(t + lane, sequence - 1));
            first[lane] = TornadoMath.max(start, t + lane - window + 1);
        }
    }

    /** In four sums, as an addition waits for the one before it. */
    private static float wDot(FloatArray a, int a0, FloatArray b, int b0, int n) {
        float sum0 = 0f;
        float sum1 = 0f;
        float sum2 = 0f;
        float sum3 = 0f;
        int quarters = n / 4 * 4;
        for (int i = 0; i < quarters; i += 4) {
            sum0 += a.get(a0 + i) * b.get(b0 + i);
            sum1 += a.get(a0 + i + 1) * b.get(b0 + i + 1);
            sum2 += a.get(a0 + i + 2) * b.get(b0 + i + 2);
            sum3 += a.get(a0 + i + 3) * b.get(b0 + i + 3);
        }
        for (int i = quarters; i < n; i++) {
            sum0 += a.get(a0 + i) * b.get(b0 + i);
        }
        return sum0 + sum1 + (sum2 + sum3);
    }
}
