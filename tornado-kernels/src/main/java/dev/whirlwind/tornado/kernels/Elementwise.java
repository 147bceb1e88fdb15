package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Operations on single elements. c.get(at), c.get(at + 1), ... are where the tensors start, in argument order. A work item
 * has a share of neighbours: many on CPUs, whose compilers make vectors of them, and one on GPUs. The bound of such a loop is no plain argument, which
 * TornadoVM would take for the number of work items that we give it.
 */
public final class Elementwise {
    private Elementwise() {}

    /** out = a + b. */
    public static void wAdd(IntArray c, int at, FloatArray a, FloatArray b, FloatArray out, int n, int share) {
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
    public static void wCopy(IntArray c, int at, FloatArray x, FloatArray out, int n, int share) {
        int x0 = c.get(at);
        int out0 = c.get(at + 1);
        for (@Parallel int block = 0; block < (n + share - 1) / share; block++) {
            int end = TornadoMath.min(n, (block + 1) * share);
            for (int i = block * share; i < end; i++) {
                out.set(out0 + i, x.get(x0 + i));
            }
        }
    }

    /** x = 0. */
    public static void wZero(IntArray c, int at, FloatArray x, int n, int share) {
        int x0 = c.get(at);
        for (@Parallel int block = 0; block < (n + share - 1) / share; block++) {
            int end = TornadoMath.min(n, (block + 1) * share);
            for (int i = block * share; i < end; i++) {
                x.set(x0 + i, 0f);
            }
        }
    }

    /** x += magnitude * u, u in [-1, 1); four elements share a block of random bits. */
    public static void wAddNoise(IntArray c, int at, FloatArray x, int n, int site, float magnitude) {
        int x0 = c.get(at);
        for (@Parallel int block = 0; block < (n + 3) / 4; block++) {
            int[] bits = new int[4];
            Random.wBlock(c, block, site, bits);
            for (int word = 0; word < 4; word++) {
                int i = 4 * block + word;
                if (i < n) {
                    float uniform = (bits[word] >> 8) * 0x1p-23f;
                    x.set(x0 + i, x.get(x0 + i) + magnitude * uniform);
                }
            }
        }
    }

    /** out = x * mask / (1 - p), arXiv 1207.0580; four elements share a block of random bits. */
    public static void wDropout(
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
}
