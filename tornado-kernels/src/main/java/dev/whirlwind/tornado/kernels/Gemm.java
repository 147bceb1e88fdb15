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

    /** b is packed, too; else its elements are neighbours in depth. */
    public static final int B_PACKED = 8;

    /** Work items of a group, which share a panel. */
    public static final int BLOCKS = 16;

    public static final int PACKED_ROWS = 64;

    /** Places in the array of what differs from call to call: sizes are no literals, so that a kernel is compiled once. */
    private static final int AT = 0;

    private static final int LANE_COUNT = 1;
    private static final int ROWS = 1;
    private static final int K = 2;
    private static final int LANE_STRIDE = 3;
    private static final int K_STRIDE = 4;
    private static final int JS = 3;
    private static final int COLUMNS = 3;
    private static final int PANEL_DEPTH = 4;

    private Gemm() {}

    /**
     * Panels [tile][k][16] of a, whose element (lane, k) lies at lane * laneStride + k * kStride; zeros beyond.
     *
     * @param sizes at, lanes, k, laneStride, kStride
     */
    public static void wPack(IntArray c, IntArray sizes, FloatArray a, FloatArray panels) {
        int at = sizes.get(AT);
        int lanes = sizes.get(LANE_COUNT);
        int k = sizes.get(K);
        int laneStride = sizes.get(LANE_STRIDE);
        int kStride = sizes.get(K_STRIDE);
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
     * depth; so is b where B_PACKED, else its element (j, k) lies at j * panelDepth + k. y is row-major, and its columns are lanes
     * or js. The number of lanes is a multiple of 16.
     *
     * @param sizes at, lanes, k, js, panelDepth
     */
    public static void wGemm(
            IntArray c, IntArray sizes, FloatArray a, FloatArray b, FloatArray bias, FloatArray y, int flags) {
        int at = sizes.get(AT);
        int lanes = sizes.get(LANE_COUNT);
        int k = sizes.get(K);
        int js = sizes.get(JS);
        int panelDepth = sizes.get(PANEL_DEPTH);
        int a0 = c.get(at);
        int b0 = c.get(at + 1);
        int bias0 = c.get(at + 2);
        int y0 = c.get(at + 3);
        int yLane = (flags & LANES_ARE_COLUMNS) != 0 ? 1 : js;
        int yj = (flags & LANES_ARE_COLUMNS) != 0 ? lanes : 1;
        int bk = (flags & B_PACKED) != 0 ? LANES : 1;
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
                int p0 = wStartOfB(b0, j0, panelDepth, flags);
                int p1 = wStartOfB(b0, j1, panelDepth, flags);
                int p2 = wStartOfB(b0, j2, panelDepth, flags);
                int p3 = wStartOfB(b0, j3, panelDepth, flags);
                int p4 = wStartOfB(b0, j4, panelDepth, flags);
                int p5 = wStartOfB(b0, j5, panelDepth, flags);
                int p6 = wStartOfB(b0, j6, panelDepth, flags);
                int p7 = wStartOfB(b0, j7, panelDepth, flags);
                float start0 = wStart(bias, bias0 + j0, flags);
                float start1 = wStart(bias, bias0 + j1, flags);
                float start2 = wStart(bias, bias0 + j2, flags);
                float start3 = wStart(bias, bias0 + j3, flags);
                float start4 = wStart(bias, bias0 + j4, flags);
                float start5 = wStart(bias, bias0 + j5, flags);
                float start6 = wStart(bias, bias0 + j6, flags);
                float start7 = wStart(bias, bias0 + j7, flags);
                // Of an operation's result: TornadoVM cannot add up within a loop what was created by new.
                Float16 ones = new Float16(1f, 1f, 1f, 1f, 1f, 1f, 1f, 1f, 1f, 1f, 1f, 1f, 1f, 1f, 1f, 1f);
                Float16 s0 = Float16.mult(ones, start0);
                Float16 s1 = Float16.mult(ones, start1);
                Float16 s2 = Float16.mult(ones, start2);
                Float16 s3 = Float16.mult(ones, start3);
                Float16 s4 = Float16.mult(ones, start4);
                Float16 s5 = Float16.mult(ones, start5);
                Float16 s6 = Float16.mult(ones, start6);
                Float16 s7 = Float16.mult(ones, start7);
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
                float[] sums = new float[128];
                sums[0] = s0.getS0();
                sums[1] = s0.getS1();
                sums[2] = s0.getS2();
                sums[3] = s0.getS3();
                sums[4] = s0.getS4();
                sums[5] = s0.getS5();
                sums[6] = s0.getS6();
                sums[7] = s0.getS7();
                sums[8] = s0.getS8();
                sums[9] = s0.getS9();
                sums[10] = s0.getS10();
                sums[11] = s0.getS11();
                sums[12] = s0.getS12();
                sums[13] = s0.getS13();
                sums[14] = s0.getS14();
                sums[15] = s0.getS15();
                sums[16] = s1.getS0();
                sums[17] = s1.getS1();
                sums[18] = s1.getS2();
                sums[19] = s1.getS3();
                sums[20] = s1.getS4();
                sums[21] = s1.getS5();
                sums[22] = s1.getS6();
                sums[23] = s1.getS7();
                sums[24] = s1.getS8();
                sums[25] = s1.getS9();
                sums[26] = s1.getS10();
                sums[27] = s1.getS11();
                sums[28] = s1.getS12();
                sums[29] = s1.getS13();
                sums[30] = s1.getS14();
                sums[31] = s1.getS15();
                sums[32] = s2.getS0();
                sums[33] = s2.getS1();
                sums[34] = s2.getS2();
                sums[35] = s2.getS3();
                sums[36] = s2.getS4();
                sums[37] = s2.getS5();
                sums[38] = s2.getS6();
                sums[39] = s2.getS7();
                sums[40] = s2.getS8();
                sums[41] = s2.getS9();
                sums[42] = s2.getS10();
                sums[43] = s2.getS11();
                sums[44] = s2.getS12();
                sums[45] = s2.getS13();
                sums[46] = s2.getS14();
                sums[47] = s2.getS15();
                sums[48] = s3.getS0();
                sums[49] = s3.getS1();
                sums[50] = s3.getS2();
                sums[51] = s3.getS3();
                sums[52] = s3.getS4();
                sums[53] = s3.getS5();
                sums[54] = s3.getS6();
                sums[55] = s3.getS7();
                sums[56] = s3.getS8();
                sums[57] = s3.getS9();
                sums[58] = s3.getS10();
                sums[59] = s3.getS11();
                sums[60] = s3.getS12();
                sums[61] = s3.getS13();
                sums[62] = s3.getS14();
                sums[63] = s3.getS15();
                sums[64] = s4.getS0();
                sums[65] = s4.getS1();
                sums[66] = s4.getS2();
                sums[67] = s4.getS3();
                sums[68] = s4.getS4();
                sums[69] = s4.getS5();
                sums[70] = s4.getS6();
                sums[71] = s4.getS7();
                sums[72] = s4.getS8();
                sums[73] = s4.getS9();
                sums[74] = s4.getS10();
                sums[75] = s4.getS11();
                sums[76] = s4.getS12();
                sums[77] = s4.getS13();
                sums[78] = s4.getS14();
                sums[79] = s4.getS15();
                sums[80] = s5.getS0();
                sums[81] = s5.getS1();
                sums[82] = s5.getS2();
                sums[83] = s5.getS3();
                sums[84] = s5.getS4();
                sums[85] = s5.getS5();
                sums[86] = s5.getS6();
                sums[87] = s5.getS7();
                sums[88] = s5.getS8();
                sums[89] = s5.getS9();
                sums[90] = s5.getS10();
                sums[91] = s5.getS11();
                sums[92] = s5.getS12();
                sums[93] = s5.getS13();
                sums[94] = s5.getS14();
                sums[95] = s5.getS15();
                sums[96] = s6.getS0();
                sums[97] = s6.getS1();
                sums[98] = s6.getS2();
                sums[99] = s6.getS3();
                sums[100] = s6.getS4();
                sums[101] = s6.getS5();
                sums[102] = s6.getS6();
                sums[103] = s6.getS7();
                sums[104] = s6.getS8();
                sums[105] = s6.getS9();
                sums[106] = s6.getS10();
                sums[107] = s6.getS11();
                sums[108] = s6.getS12();
                sums[109] = s6.getS13();
                sums[110] = s6.getS14();
                sums[111] = s6.getS15();
                sums[112] = s7.getS0();
                sums[113] = s7.getS1();
                sums[114] = s7.getS2();
                sums[115] = s7.getS3();
                sums[116] = s7.getS4();
                sums[117] = s7.getS5();
                sums[118] = s7.getS6();
                sums[119] = s7.getS7();
                sums[120] = s7.getS8();
                sums[121] = s7.getS9();
                sums[122] = s7.getS10();
                sums[123] = s7.getS11();
                sums[124] = s7.getS12();
                sums[125] = s7.getS13();
                sums[126] = s7.getS14();
                sums[127] = s7.getS15();
                int to = y0 + 16 * tile * yLane + j * yj;
                for (int row = 0; row < 8; row++) {
                    if (j + row < js) {
                        for (int lane = 0; lane < 16; lane++) {
                            wPut(y, to + row * yj + lane * yLane, sums[row * 16 + lane], flags);
                        }
                    }
                }
            }
        }
    }

    private static int wStartOfB(int b0, int j, int panelDepth, int flags) {
        int start = b0 + j * panelDepth;
        if ((flags & B_PACKED) != 0) {
            start = b0 + j / LANES * LANES * panelDepth + j % LANES;
        }
        return start;
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

    /**
     * y[rows, columns] = x[rows, k] times weight[columns, k] transposed, plus bias, for few rows: reading the weights is all
     * the work, so lanes run along depth, and nothing is packed.
     *
     * @param sizes at, rows, k, columns
     */
    public static void wGemv(
            IntArray c, IntArray sizes, FloatArray x, FloatArray weight, FloatArray bias, FloatArray y, int flags) {
        int at = sizes.get(AT);
        int rows = sizes.get(ROWS);
        int k = sizes.get(K);
        int columns = sizes.get(COLUMNS);
        int x0 = c.get(at);
        int weight0 = c.get(at + 1);
        int bias0 = c.get(at + 2);
        int y0 = c.get(at + 3);
        for (@Parallel int row = 0; row < rows; row++) {
            for (@Parallel int column = 0; column < columns; column++) {
                int xi = x0 + row * k;
                int wi = weight0 + column * k;
                float[] sums = new float[64];
                for (int lane = 0; lane < 64; lane++) {
                    sums[lane] = 0f;
                }
                int i = 0;
                for (; i + 63 < k; i += 64) {
                    for (int lane = 0; lane < 64; lane++) {
                        sums[lane] += x.get(xi + i + lane) * weight.get(wi + i + lane);
                    }
                }
                float sum = wStart(bias, bias0 + column, flags);
                for (; i < k; i++) {
                    sum += x.get(xi + i) * weight.get(wi + i);
                }
                for (int lane = 0; lane < 64; lane++) {
                    sum += sums[lane];
                }
                y.set(y0 + row * columns + column, sum);
            }
        }
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
