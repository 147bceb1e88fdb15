package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.vectors.Float16;

/**
 * Matrix products for devices with vector registers. One kernel does all three orientations: the operand a supplies
 * sixteen neighbours at once (a panel of lanes), the operand b single elements, so a work item keeps 16 x 8 elements of
 * the product in eight vector registers (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication",
 * 2008). {@link #wPack} makes a's lanes neighbours first, and a panel one stretch of memory.
 */
public final class Gemm {
    /** Lanes of a panel. */
    public static final int LANES = 16;

    /** Add to the result instead of overwriting it. */
    public static final int ACCUMULATE = 1;

    /** Lanes run along the columns of the result; else along its rows. */
    public static final int LANES_ARE_COLUMNS = 2;

    /** The result starts from a bias for each j. */
    public static final int BIAS = 4;

    private Gemm() {}

    /** Panels [tile][k][16] of a, whose element (lane, k) lies at lane * laneStride + k * kStride; zeros beyond. */
    public static void wPack(
            IntArray c, int at, FloatArray a, FloatArray panels, int lanes, int k, int laneStride, int kStride) {
        int a0 = c.get(at);
        int panels0 = c.get(at + 1);
        for (@Parallel int tile = 0; tile < (lanes + 15) / 16; tile++) {
            for (@Parallel int row = 0; row < k; row++) {
                for (int i = 0; i < 16; i++) {
                    int lane = 16 * tile + i;
                    float value = 0f;
                    if (lane < lanes) {
                        value = a.get(a0 + lane * laneStride + row * kStride);
                    }
                    panels.set(panels0 + (tile * k + row) * 16 + i, value);
                }
            }
        }
    }

    /**
     * y (+)= the sum over k of a(lane, k) b(j, k), plus bias[j]. a is packed, in panels of which k may be a part of the
     * depth; b's element (j, k) lies at j * bj + k * bk. y is row-major, and its columns are lanes or js. The number of
     * lanes is a multiple of 16.
     */
    public static void wGemm(
            IntArray c,
            int at,
            FloatArray a,
            FloatArray b,
            FloatArray bias,
            FloatArray y,
            int lanes,
            int js,
            int k,
            int panelDepth,
            int bj,
            int bk,
            int flags) {
        int a0 = c.get(at);
        int b0 = c.get(at + 1);
        int bias0 = c.get(at + 2);
        int y0 = c.get(at + 3);
        int yLane = (flags & LANES_ARE_COLUMNS) != 0 ? 1 : js;
        int yj = (flags & LANES_ARE_COLUMNS) != 0 ? lanes : 1;
        for (@Parallel int tile = 0; tile < lanes / 16; tile++) {
            for (@Parallel int block = 0; block < (js + 7) / 8; block++) {
                int j = block * 8;
                int j0 = j;
                int j1 = TornadoMath.min(j + 1, js - 1);
                int j2 = TornadoMath.min(j + 2, js - 1);
                int j3 = TornadoMath.min(j + 3, js - 1);
                int j4 = TornadoMath.min(j + 4, js - 1);
                int j5 = TornadoMath.min(j + 5, js - 1);
                int j6 = TornadoMath.min(j + 6, js - 1);
                int j7 = TornadoMath.min(j + 7, js - 1);
                int p0 = b0 + j0 * bj;
                int p1 = b0 + j1 * bj;
                int p2 = b0 + j2 * bj;
                int p3 = b0 + j3 * bj;
                int p4 = b0 + j4 * bj;
                int p5 = b0 + j5 * bj;
                int p6 = b0 + j6 * bj;
                int p7 = b0 + j7 * bj;
                float start0 = wStart(bias, bias0 + j0, flags);
                float start1 = wStart(bias, bias0 + j1, flags);
                float start2 = wStart(bias, bias0 + j2, flags);
                float start3 = wStart(bias, bias0 + j3, flags);
                float start4 = wStart(bias, bias0 + j4, flags);
                float start5 = wStart(bias, bias0 + j5, flags);
                float start6 = wStart(bias, bias0 + j6, flags);
                float start7 = wStart(bias, bias0 + j7, flags);
                Float16 s0 = new Float16(
                        start0, start0, start0, start0, start0, start0, start0, start0, start0, start0, start0, start0,
                        start0, start0, start0, start0);
                Float16 s1 = new Float16(
                        start1, start1, start1, start1, start1, start1, start1, start1, start1, start1, start1, start1,
                        start1, start1, start1, start1);
                Float16 s2 = new Float16(
                        start2, start2, start2, start2, start2, start2, start2, start2, start2, start2, start2, start2,
                        start2, start2, start2, start2);
                Float16 s3 = new Float16(
                        start3, start3, start3, start3, start3, start3, start3, start3, start3, start3, start3, start3,
                        start3, start3, start3, start3);
                Float16 s4 = new Float16(
                        start4, start4, start4, start4, start4, start4, start4, start4, start4, start4, start4, start4,
                        start4, start4, start4, start4);
                Float16 s5 = new Float16(
                        start5, start5, start5, start5, start5, start5, start5, start5, start5, start5, start5, start5,
                        start5, start5, start5, start5);
                Float16 s6 = new Float16(
                        start6, start6, start6, start6, start6, start6, start6, start6, start6, start6, start6, start6,
                        start6, start6, start6, start6);
                Float16 s7 = new Float16(
                        start7, start7, start7, start7, start7, start7, start7, start7, start7, start7, start7, start7,
                        start7, start7, start7, start7);
                int from = a0 + tile * 16 * panelDepth;
                for (int i = 0; i < k; i++) {
                    Float16 v = new Float16(
                            a.get(from + 0),
                            a.get(from + 1),
                            a.get(from + 2),
                            a.get(from + 3),
                            a.get(from + 4),
                            a.get(from + 5),
                            a.get(from + 6),
                            a.get(from + 7),
                            a.get(from + 8),
                            a.get(from + 9),
                            a.get(from + 10),
                            a.get(from + 11),
                            a.get(from + 12),
                            a.get(from + 13),
                            a.get(from + 14),
                            a.get(from + 15));
                    s0 = Float16.add(s0, Float16.mult(v, b.get(p0 + i * bk)));
                    s1 = Float16.add(s1, Float16.mult(v, b.get(p1 + i * bk)));
                    s2 = Float16.add(s2, Float16.mult(v, b.get(p2 + i * bk)));
                    s3 = Float16.add(s3, Float16.mult(v, b.get(p3 + i * bk)));
                    s4 = Float16.add(s4, Float16.mult(v, b.get(p4 + i * bk)));
                    s5 = Float16.add(s5, Float16.mult(v, b.get(p5 + i * bk)));
                    s6 = Float16.add(s6, Float16.mult(v, b.get(p6 + i * bk)));
                    s7 = Float16.add(s7, Float16.mult(v, b.get(p7 + i * bk)));
                    from += 16;
                }
                int to = y0 + 16 * tile * yLane + j * yj;
                wPut(y, to, s0.getS0(), flags);
                wPut(y, to + yLane, s0.getS1(), flags);
                wPut(y, to + 2 * yLane, s0.getS2(), flags);
                wPut(y, to + 3 * yLane, s0.getS3(), flags);
                wPut(y, to + 4 * yLane, s0.getS4(), flags);
                wPut(y, to + 5 * yLane, s0.getS5(), flags);
                wPut(y, to + 6 * yLane, s0.getS6(), flags);
                wPut(y, to + 7 * yLane, s0.getS7(), flags);
                wPut(y, to + 8 * yLane, s0.getS8(), flags);
                wPut(y, to + 9 * yLane, s0.getS9(), flags);
                wPut(y, to + 10 * yLane, s0.getS10(), flags);
                wPut(y, to + 11 * yLane, s0.getS11(), flags);
                wPut(y, to + 12 * yLane, s0.getS12(), flags);
                wPut(y, to + 13 * yLane, s0.getS13(), flags);
                wPut(y, to + 14 * yLane, s0.getS14(), flags);
                wPut(y, to + 15 * yLane, s0.getS15(), flags);
                if (j + 1 < js) {
                    int to1 = to + 1 * yj;
                    wPut(y, to1, s1.getS0(), flags);
                    wPut(y, to1 + yLane, s1.getS1(), flags);
                    wPut(y, to1 + 2 * yLane, s1.getS2(), flags);
                    wPut(y, to1 + 3 * yLane, s1.getS3(), flags);
                    wPut(y, to1 + 4 * yLane, s1.getS4(), flags);
                    wPut(y, to1 + 5 * yLane, s1.getS5(), flags);
                    wPut(y, to1 + 6 * yLane, s1.getS6(), flags);
                    wPut(y, to1 + 7 * yLane, s1.getS7(), flags);
                    wPut(y, to1 + 8 * yLane, s1.getS8(), flags);
                    wPut(y, to1 + 9 * yLane, s1.getS9(), flags);
                    wPut(y, to1 + 10 * yLane, s1.getS10(), flags);
                    wPut(y, to1 + 11 * yLane, s1.getS11(), flags);
                    wPut(y, to1 + 12 * yLane, s1.getS12(), flags);
                    wPut(y, to1 + 13 * yLane, s1.getS13(), flags);
                    wPut(y, to1 + 14 * yLane, s1.getS14(), flags);
                    wPut(y, to1 + 15 * yLane, s1.getS15(), flags);
                }
                if (j + 2 < js) {
                    int to2 = to + 2 * yj;
                    wPut(y, to2, s2.getS0(), flags);
                    wPut(y, to2 + yLane, s2.getS1(), flags);
                    wPut(y, to2 + 2 * yLane, s2.getS2(), flags);
                    wPut(y, to2 + 3 * yLane, s2.getS3(), flags);
                    wPut(y, to2 + 4 * yLane, s2.getS4(), flags);
                    wPut(y, to2 + 5 * yLane, s2.getS5(), flags);
                    wPut(y, to2 + 6 * yLane, s2.getS6(), flags);
                    wPut(y, to2 + 7 * yLane, s2.getS7(), flags);
                    wPut(y, to2 + 8 * yLane, s2.getS8(), flags);
                    wPut(y, to2 + 9 * yLane, s2.getS9(), flags);
                    wPut(y, to2 + 10 * yLane, s2.getS10(), flags);
                    wPut(y, to2 + 11 * yLane, s2.getS11(), flags);
                    wPut(y, to2 + 12 * yLane, s2.getS12(), flags);
                    wPut(y, to2 + 13 * yLane, s2.getS13(), flags);
                    wPut(y, to2 + 14 * yLane, s2.getS14(), flags);
                    wPut(y, to2 + 15 * yLane, s2.getS15(), flags);
                }
                if (j + 3 < js) {
                    int to3 = to + 3 * yj;
                    wPut(y, to3, s3.getS0(), flags);
                    wPut(y, to3 + yLane, s3.getS1(), flags);
                    wPut(y, to3 + 2 * yLane, s3.getS2(), flags);
                    wPut(y, to3 + 3 * yLane, s3.getS3(), flags);
                    wPut(y, to3 + 4 * yLane, s3.getS4(), flags);
                    wPut(y, to3 + 5 * yLane, s3.getS5(), flags);
                    wPut(y, to3 + 6 * yLane, s3.getS6(), flags);
                    wPut(y, to3 + 7 * yLane, s3.getS7(), flags);
                    wPut(y, to3 + 8 * yLane, s3.getS8(), flags);
                    wPut(y, to3 + 9 * yLane, s3.getS9(), flags);
                    wPut(y, to3 + 10 * yLane, s3.getS10(), flags);
                    wPut(y, to3 + 11 * yLane, s3.getS11(), flags);
                    wPut(y, to3 + 12 * yLane, s3.getS12(), flags);
                    wPut(y, to3 + 13 * yLane, s3.getS13(), flags);
                    wPut(y, to3 + 14 * yLane, s3.getS14(), flags);
                    wPut(y, to3 + 15 * yLane, s3.getS15(), flags);
                }
                if (j + 4 < js) {
                    int to4 = to + 4 * yj;
                    wPut(y, to4, s4.getS0(), flags);
                    wPut(y, to4 + yLane, s4.getS1(), flags);
                    wPut(y, to4 + 2 * yLane, s4.getS2(), flags);
                    wPut(y, to4 + 3 * yLane, s4.getS3(), flags);
                    wPut(y, to4 + 4 * yLane, s4.getS4(), flags);
                    wPut(y, to4 + 5 * yLane, s4.getS5(), flags);
                    wPut(y, to4 + 6 * yLane, s4.getS6(), flags);
                    wPut(y, to4 + 7 * yLane, s4.getS7(), flags);
                    wPut(y, to4 + 8 * yLane, s4.getS8(), flags);
                    wPut(y, to4 + 9 * yLane, s4.getS9(), flags);
                    wPut(y, to4 + 10 * yLane, s4.getS10(), flags);
                    wPut(y, to4 + 11 * yLane, s4.getS11(), flags);
                    wPut(y, to4 + 12 * yLane, s4.getS12(), flags);
                    wPut(y, to4 + 13 * yLane, s4.getS13(), flags);
                    wPut(y, to4 + 14 * yLane, s4.getS14(), flags);
                    wPut(y, to4 + 15 * yLane, s4.getS15(), flags);
                }
                if (j + 5 < js) {
                    int to5 = to + 5 * yj;
                    wPut(y, to5, s5.getS0(), flags);
                    wPut(y, to5 + yLane, s5.getS1(), flags);
                    wPut(y, to5 + 2 * yLane, s5.getS2(), flags);
                    wPut(y, to5 + 3 * yLane, s5.getS3(), flags);
                    wPut(y, to5 + 4 * yLane, s5.getS4(), flags);
                    wPut(y, to5 + 5 * yLane, s5.getS5(), flags);
                    wPut(y, to5 + 6 * yLane, s5.getS6(), flags);
                    wPut(y, to5 + 7 * yLane, s5.getS7(), flags);
                    wPut(y, to5 + 8 * yLane, s5.getS8(), flags);
                    wPut(y, to5 + 9 * yLane, s5.getS9(), flags);
                    wPut(y, to5 + 10 * yLane, s5.getS10(), flags);
                    wPut(y, to5 + 11 * yLane, s5.getS11(), flags);
                    wPut(y, to5 + 12 * yLane, s5.getS12(), flags);
                    wPut(y, to5 + 13 * yLane, s5.getS13(), flags);
                    wPut(y, to5 + 14 * yLane, s5.getS14(), flags);
                    wPut(y, to5 + 15 * yLane, s5.getS15(), flags);
                }
                if (j + 6 < js) {
                    int to6 = to + 6 * yj;
                    wPut(y, to6, s6.getS0(), flags);
                    wPut(y, to6 + yLane, s6.getS1(), flags);
                    wPut(y, to6 + 2 * yLane, s6.getS2(), flags);
                    wPut(y, to6 + 3 * yLane, s6.getS3(), flags);
                    wPut(y, to6 + 4 * yLane, s6.getS4(), flags);
                    wPut(y, to6 + 5 * yLane, s6.getS5(), flags);
                    wPut(y, to6 + 6 * yLane, s6.getS6(), flags);
                    wPut(y, to6 + 7 * yLane, s6.getS7(), flags);
                    wPut(y, to6 + 8 * yLane, s6.getS8(), flags);
                    wPut(y, to6 + 9 * yLane, s6.getS9(), flags);
                    wPut(y, to6 + 10 * yLane, s6.getS10(), flags);
                    wPut(y, to6 + 11 * yLane, s6.getS11(), flags);
                    wPut(y, to6 + 12 * yLane, s6.getS12(), flags);
                    wPut(y, to6 + 13 * yLane, s6.getS13(), flags);
                    wPut(y, to6 + 14 * yLane, s6.getS14(), flags);
                    wPut(y, to6 + 15 * yLane, s6.getS15(), flags);
                }
                if (j + 7 < js) {
                    int to7 = to + 7 * yj;
                    wPut(y, to7, s7.getS0(), flags);
                    wPut(y, to7 + yLane, s7.getS1(), flags);
                    wPut(y, to7 + 2 * yLane, s7.getS2(), flags);
                    wPut(y, to7 + 3 * yLane, s7.getS3(), flags);
                    wPut(y, to7 + 4 * yLane, s7.getS4(), flags);
                    wPut(y, to7 + 5 * yLane, s7.getS5(), flags);
                    wPut(y, to7 + 6 * yLane, s7.getS6(), flags);
                    wPut(y, to7 + 7 * yLane, s7.getS7(), flags);
                    wPut(y, to7 + 8 * yLane, s7.getS8(), flags);
                    wPut(y, to7 + 9 * yLane, s7.getS9(), flags);
                    wPut(y, to7 + 10 * yLane, s7.getS10(), flags);
                    wPut(y, to7 + 11 * yLane, s7.getS11(), flags);
                    wPut(y, to7 + 12 * yLane, s7.getS12(), flags);
                    wPut(y, to7 + 13 * yLane, s7.getS13(), flags);
                    wPut(y, to7 + 14 * yLane, s7.getS14(), flags);
                    wPut(y, to7 + 15 * yLane, s7.getS15(), flags);
                }
            }
        }
    }

    private static float wStart(FloatArray bias, int at, int flags) {
        float start = 0f;
        if ((flags & BIAS) != 0) {
            start = bias.get(at);
        }
        return start;
    }

    private static void wPut(FloatArray y, int to, float value, int flags) {
        float sum = value;
        if ((flags & ACCUMULATE) != 0) {
            sum += y.get(to);
        }
        y.set(to, sum);
    }

    /** y[rows, width] (+)= the first columns of x[rows, stride]: for results whose lanes were no multiple of 16. */
    public static void wTrim(
            IntArray c, int at, FloatArray x, FloatArray y, int rows, int width, int stride, int flags) {
        int x0 = c.get(at);
        int y0 = c.get(at + 1);
        for (@Parallel int r = 0; r < rows; r++) {
            for (@Parallel int i = 0; i < width; i++) {
                float value = x.get(x0 + r * stride + i);
                if ((flags & ACCUMULATE) != 0) {
                    value += y.get(y0 + r * width + i);
                }
                y.set(y0 + r * width + i, value);
            }
        }
    }
}
