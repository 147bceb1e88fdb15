package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Causal attention with grouped key/value heads that never holds a sequence x sequence matrix: softmax while running
 * (arXiv 1805.02867, 2205.14135), and P computed again from the kept log-sum-exp going back. A work item owns a query
 * (forward, dq) or a key (dk, dv), so nothing is added to by two. The ints after the tensors are the dropout's site, how
 * many latest keys a query sees, and the square of what scores are divided by.
 */
public final class Attention {
    private Attention() {}

    /** out = softmax(q k^T / sqrt(divisor)) v, lse = log of the sum of exp(scores). */
    public static void wAttention(
            IntArray c,
            int at,
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
            for (@Parallel int t = 0; t < sequence; t++) {
                int b = bh / heads;
                int h = bh % heads;
                int query = qkv0 + (b * sequence + t) * width + h * headDim;
                int keys = qkv0 + b * sequence * width + (heads + h / (heads / kvHeads)) * headDim;
                float[] sum = new float[headDim];
                for (int i = 0; i < headDim; i++) {
                    sum[i] = 0f;
                }
                int[] bits = new int[4];
                float max = -1e30f;
                float denominator = 0f;
                int first = TornadoMath.max(0, t - window + 1);
                for (int s = first; s <= t; s++) {
                    int key = keys + s * width;
                    int value = key + kvHeads * headDim;
                    float score = wDot(qkv, query, qkv, key, headDim) * scale;
                    float newMax = TornadoMath.max(max, score);
                    float shrink = TornadoMath.exp(max - newMax);
                    float p = TornadoMath.exp(score - newMax);
                    denominator = denominator * shrink + p;
                    if (threshold != 0) {
                        long element = ((long) bh * sequence + t) * sequence + s;
                        int word = (int) (element & 3);
                        if (word == 0 || s == first) {
                            Random.wBlock(c, element >> 2, site, bits);
                        }
                        p *= Random.wKept(bits[word], threshold, keptScale);
                    }
                    for (int i = 0; i < headDim; i++) {
                        sum[i] = sum[i] * shrink + p * qkv.get(value + i);
                    }
                    max = newMax;
                }
                lse.set(lse0 + bh * sequence + t, max + TornadoMath.log(denominator));
                int to = out0 + ((b * sequence + t) * heads + h) * headDim;
                for (int i = 0; i < headDim; i++) {
                    out.set(to + i, sum[i] / denominator);
                }
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
            for (@Parallel int t = 0; t < sequence; t++) {
                int b = bh / heads;
                int h = bh % heads;
                int query = (b * sequence + t) * width + h * headDim;
                int keys = qkv0 + b * sequence * width + (heads + h / (heads / kvHeads)) * headDim;
                int gradient = dout0 + ((b * sequence + t) * heads + h) * headDim;
                float logSum = lse.get(lse0 + bh * sequence + t);
                float d = delta.get(delta0 + bh * sequence + t);
                float[] sum = new float[headDim];
                for (int i = 0; i < headDim; i++) {
                    sum[i] = 0f;
                }
                int[] bits = new int[4];
                int first = TornadoMath.max(0, t - window + 1);
                for (int s = first; s <= t; s++) {
                    int key = keys + s * width;
                    int value = key + kvHeads * headDim;
                    float p = TornadoMath.exp(wDot(qkv, qkv0 + query, qkv, key, headDim) * scale - logSum);
                    float dp = wDot(dout, gradient, qkv, value, headDim);
                    if (threshold != 0) {
                        long element = ((long) bh * sequence + t) * sequence + s;
                        int word = (int) (element & 3);
                        if (word == 0 || s == first) {
                            Random.wBlock(c, element >> 2, site, bits);
                        }
                        dp *= Random.wKept(bits[word], threshold, keptScale);
                    }
                    float ds = p * (dp - d) * scale;
                    for (int i = 0; i < headDim; i++) {
                        sum[i] += ds * qkv.get(key + i);
                    }
                }
                for (int i = 0; i < headDim; i++) {
                    dqkv.set(dqkv0 + query + i, sum[i]);
                }
            }
        }
    }

    /** dk = sum over the group's heads and the later queries of dS q, dv = sum of mask * P dout. */
    public static void wAttentionKeyValueBackward(
            IntArray c,
            int at,
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
            for (@Parallel int s = 0; s < sequence; s++) {
                int b = bg / kvHeads;
                int g = bg % kvHeads;
                int key = (b * sequence + s) * width + (heads + g) * headDim;
                int value = key + kvHeads * headDim;
                float[] dk = new float[headDim];
                float[] dv = new float[headDim];
                for (int i = 0; i < headDim; i++) {
                    dk[i] = 0f;
                    dv[i] = 0f;
                }
                int[] bits = new int[4];
                int end = TornadoMath.min(sequence, s + window);
                for (int h = g * group; h < (g + 1) * group; h++) {
                    int bh = b * heads + h;
                    for (int t = s; t < end; t++) {
                        int query = qkv0 + (b * sequence + t) * width + h * headDim;
                        int gradient = dout0 + ((b * sequence + t) * heads + h) * headDim;
                        float score = wDot(qkv, query, qkv, qkv0 + key, headDim) * scale;
                        float p = TornadoMath.exp(score - lse.get(lse0 + bh * sequence + t));
                        float dp = wDot(dout, gradient, qkv, qkv0 + value, headDim);
                        float dropped = p;
                        if (threshold != 0) {
                            long element = ((long) bh * sequence + t) * sequence + s;
                            Random.wBlock(c, element >> 2, site, bits);
                            float mask = Random.wKept(bits[(int) (element & 3)], threshold, keptScale);
                            dp *= mask;
                            dropped *= mask;
                        }
                        float ds = p * (dp - delta.get(delta0 + bh * sequence + t)) * scale;
                        for (int i = 0; i < headDim; i++) {
                            dk[i] += ds * qkv.get(query + i);
                            dv[i] += dropped * dout.get(gradient + i);
                        }
                    }
                }
                for (int i = 0; i < headDim; i++) {
                    dqkv.set(dqkv0 + key + i, dk[i]);
                    dqkv.set(dqkv0 + value + i, dv[i]);
                }
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

    /** As {@link #wAttention} of one sequence whose keys and values lie in the cache. */
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
        for (@Parallel int r = 0; r < rows; r++) {
            for (@Parallel int h = 0; h < heads; h++) {
                int query = qkv0 + (r * (heads + 2 * kvHeads) + h) * headDim;
                int keys = cache0 + h / (heads / kvHeads) * headDim;
                float[] sum = new float[headDim];
                for (int i = 0; i < headDim; i++) {
                    sum[i] = 0f;
                }
                float max = -1e30f;
                float denominator = 0f;
                int first = TornadoMath.max(0, position + r - window + 1);
                for (int s = first; s <= position + r; s++) {
                    int key = keys + s * 2 * kvHeads * headDim;
                    int value = key + kvHeads * headDim;
                    float score = wDot(qkv, query, cache, key, headDim) * scale;
                    float newMax = TornadoMath.max(max, score);
                    float shrink = TornadoMath.exp(max - newMax);
                    float p = TornadoMath.exp(score - newMax);
                    denominator = denominator * shrink + p;
                    for (int i = 0; i < headDim; i++) {
                        sum[i] = sum[i] * shrink + p * cache.get(value + i);
                    }
                    max = newMax;
                }
                for (int i = 0; i < headDim; i++) {
                    out.set(out0 + (r * heads + h) * headDim + i, sum[i] / denominator);
                }
            }
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
