package dev.whirlwind.tornado;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Operations on single elements. c.get(at), c.get(at + 1), ... are where the tensors start, in argument order. A work item
 * has a share of neighbours: many on CPUs, whose compilers make vectors of them, and one on GPUs.
 */
final class Elementwise {
    private Elementwise() {}

    /** out = a + b. */
    static void wAdd(IntArray c, int at, FloatArray a, FloatArray b, FloatArray out, int n, int share) {
        int a0 = c.get(at);
        int b0 = c.get(at + 1);
        int out0 = c.get(at + 2);
        for (@Parallel int block = 0; block < (n + share - 1) / share; block++) {
            int end = TornadoMath.min(n, (block + 1) * share);
            for (int i = block * share; i < end; i++) {
                out.set(out0 + i, a.get(a0 + i) + b.get(b0 + i));
            }
        }
    }

    /** out = x. */
    static void wCopy(IntArray c, int at, FloatArray x, FloatArray out, int n) {
        int x0 = c.get(at);
        int out0 = c.get(at + 1);
        for (@Parallel int i = 0; i < n; i++) {
            out.set(out0 + i, x.get(x0 + i));
        }
    }

    /** x = 0. */
    static void wZero(IntArray c, int at, FloatArray x, int n) {
        int x0 = c.get(at);
        for (@Parallel int i = 0; i < n; i++) {
            x.set(x0 + i, 0f);
        }
    }

    /**
     * out = 0.5 x (1 + tanh(u)), u = sqrt(2 / pi) (x + 0.044715 x^3), arXiv 1606.08415. 0.5 (1 + tanh(u)) is sigmoid(2 u),
     * which keeps its digits where tanh is near -1.
     */
    static void wGelu(IntArray c, int at, FloatArray x, FloatArray out, int n, int share) {
        int x0 = c.get(at);
        int out0 = c.get(at + 1);
        for (@Parallel int block = 0; block < (n + share - 1) / share; block++) {
            int end = TornadoMath.min(n, (block + 1) * share);
            for (int i = block * share; i < end; i++) {
                float v = x.get(x0 + i);
                out.set(out0 + i, v * wSigmoid(1.5957692f * (v + 0.044715f * v * v * v)));
            }
        }
    }

    /** With s = sigmoid(2 u): dx = dout * (s + x s (1 - s) 2 sqrt(2 / pi) (1 + 3 * 0.044715 x^2)). */
    static void wGeluBackward(IntArray c, int at, FloatArray dout, FloatArray x, FloatArray dx, int n, int share) {
        int dout0 = c.get(at);
        int x0 = c.get(at + 1);
        int dx0 = c.get(at + 2);
        for (@Parallel int block = 0; block < (n + share - 1) / share; block++) {
            int end = TornadoMath.min(n, (block + 1) * share);
            for (int i = block * share; i < end; i++) {
                float v = x.get(x0 + i);
                float s = wSigmoid(1.5957692f * (v + 0.044715f * v * v * v));
                float slope = 1.5957692f * (1f + 0.134145f * v * v);
                dx.set(dx0 + i, dout.get(dout0 + i) * (s + v * s * (1f - s) * slope));
            }
        }
    }

    /** out = silu(gate) * up, silu(g) = g / (1 + exp(-g)), arXiv 2002.05202. */
    static void wSwiglu(IntArray c, int at, FloatArray x, FloatArray out, int rows, int width) {
        int x0 = c.get(at);
        int out0 = c.get(at + 1);
        for (@Parallel int r = 0; r < rows; r++) {
            for (@Parallel int i = 0; i < width; i++) {
                int gate = x0 + r * 2 * width + i;
                float g = x.get(gate);
                out.set(out0 + r * width + i, g * wSigmoid(g) * x.get(gate + width));
            }
        }
    }

    /** With s = sigmoid(g): dgate = dout * up * s (1 + g (1 - s)), dup = dout * g s. */
    static void wSwigluBackward(IntArray c, int at, FloatArray dout, FloatArray x, FloatArray dx, int rows, int width) {
        int dout0 = c.get(at);
        int x0 = c.get(at + 1);
        int dx0 = c.get(at + 2);
        for (@Parallel int r = 0; r < rows; r++) {
            for (@Parallel int i = 0; i < width; i++) {
                int gate = r * 2 * width + i;
                float g = x.get(x0 + gate);
                float s = wSigmoid(g);
                float d = dout.get(dout0 + r * width + i);
                dx.set(dx0 + gate, d * x.get(x0 + gate + width) * s * (1f + g * (1f - s)));
                dx.set(dx0 + gate + width, d * g * s);
            }
        }
    }

    /** out = x * mask / (1 - p), arXiv 1207.0580; four elements share a block of random bits. */
    static void wDropout(
            IntArray c, int at, FloatArray x, FloatArray out, int n, int site, int threshold, float keptScale) {
        int x0 = c.get(at);
        int out0 = c.get(at + 1);
        for (@Parallel int block = 0; block < (n + 3) / 4; block++) {
            int[] bits = new int[4];
            Random.wBlock(c, block, site, bits);
            for (int word = 0; word < 4; word++) {
                int i = 4 * block + word;
                if (i < n) {
                    out.set(out0 + i, x.get(x0 + i) * Random.wKept(bits[word], threshold, keptScale));
                }
            }
        }
    }

    /** 1 / (1 + exp(-x)); the bound keeps exp finite. */
    private static float wSigmoid(float x) {
        return 1f / (1f + TornadoMath.exp(TornadoMath.min(-x, 80f)));
    }
}
