package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** Operations on matrices that are some columns of wider rows, whose width is a step. */
public final class ColumnLoops {
    private ColumnLoops() {}

    /** out += factor * x. */
    public static void wAddColumns(
            IntArray c,
            int at,
            FloatArray x,
            FloatArray out,
            int rows,
            int width,
            int xStep,
            int outStep,
            float factor) {
        int x0 = c.get(at);
        int out0 = c.get(at + 1);
        for (@Parallel int r = 0; r < rows; r++) {
            for (@Parallel int i = 0; i < width; i++) {
                int place = out0 + r * outStep + i;
                out.set(place, out.get(place) + factor * x.get(x0 + r * xStep + i));
            }
        }
    }

    /** out = factor * x. */
    public static void wCopyColumns(
            IntArray c,
            int at,
            FloatArray x,
            FloatArray out,
            int rows,
            int width,
            int xStep,
            int outStep,
            float factor) {
        int x0 = c.get(at);
        int out0 = c.get(at + 1);
        for (@Parallel int r = 0; r < rows; r++) {
            for (@Parallel int i = 0; i < width; i++) {
                out.set(out0 + r * outStep + i, factor * x.get(x0 + r * xStep + i));
            }
        }
    }

    /** out = scales * (out - bias) + bias, by column; without a bias, bias is any array. */
    public static void wScaleColumns(
            IntArray c,
            int at,
            FloatArray scales,
            FloatArray bias,
            FloatArray out,
            int rows,
            int width,
            int outStep,
            int hasBias) {
        int scales0 = c.get(at);
        int bias0 = c.get(at + 1);
        int out0 = c.get(at + 2);
        for (@Parallel int r = 0; r < rows; r++) {
            for (@Parallel int i = 0; i < width; i++) {
                int place = out0 + r * outStep + i;
                float about = 0f;
                if (hasBias == 1) {
                    about = bias.get(bias0 + i);
                }
                out.set(place, scales.get(scales0 + i) * (out.get(place) - about) + about);
            }
        }
    }

    /** out = scales / divisors * a * b, by column; out [rows, width] is contiguous. */
    public static void wColumnProducts(
            IntArray c,
            int at,
            FloatArray a,
            FloatArray b,
            FloatArray scales,
            FloatArray divisors,
            FloatArray out,
            int rows,
            int width,
            int aStep,
            int bStep) {
        int a0 = c.get(at);
        int b0 = c.get(at + 1);
        int scales0 = c.get(at + 2);
        int divisors0 = c.get(at + 3);
        int out0 = c.get(at + 4);
        for (@Parallel int r = 0; r < rows; r++) {
            for (@Parallel int i = 0; i < width; i++) {
                float factor = scales.get(scales0 + i) / divisors.get(divisors0 + i);
                out.set(out0 + r * width + i, factor * a.get(a0 + r * aStep + i) * b.get(b0 + r * bStep + i));
            }
        }
    }

    /** DoRA's scales: out = magnitudes / sqrt(squares + 2 scale wa . b + scale^2 baa . b), by row; share is 1. */
    public static void wRowScales(
            IntArray c,
            int at,
            FloatArray magnitudes,
            FloatArray squares,
            FloatArray b,
            FloatArray wa,
            FloatArray baa,
            FloatArray out,
            int rows,
            int share,
            int rank,
            float scale) {
        int magnitudes0 = c.get(at);
        int squares0 = c.get(at + 1);
        int b0 = c.get(at + 2);
        int wa0 = c.get(at + 3);
        int baa0 = c.get(at + 4);
        int out0 = c.get(at + 5);
        for (@Parallel int r = 0; r < (rows + share - 1) / share; r++) {
            float square = squares.get(squares0 + r);
            for (int k = 0; k < rank; k++) {
                int i = r * rank + k;
                square += scale * b.get(b0 + i) * (2f * wa.get(wa0 + i) + scale * baa.get(baa0 + i));
            }
            out.set(out0 + r, magnitudes.get(magnitudes0 + r) / TornadoMath.sqrt(square));
        }
    }
}
