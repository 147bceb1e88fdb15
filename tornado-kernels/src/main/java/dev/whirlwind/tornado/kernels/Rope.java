package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** Rotary positions (arXiv 2104.09864), half-rotation form. */
public final class Rope {
    private Rope() {}

    /**
     * (a, b) becomes (a cos - b sin, b cos + a sin) for each pair of the first {@code heads} heads of a row, in place.
     * The gradient turns the other way: {@code direction} is 1 forward, -1 backward.
     */
    public static void wRope(
            IntArray c,
            int at,
            IntArray documents,
            FloatArray cos,
            FloatArray sin,
            FloatArray qkv,
            int rows,
            int sequence,
            int heads,
            int headDim,
            int qkvWidth,
            float direction) {
        int cos0 = c.get(at);
        int sin0 = c.get(at + 1);
        int qkv0 = c.get(at + 2);
        int position = c.get(Cursor.POSITION);
        int half = headDim / 2;
        for (@Parallel int r = 0; r < rows; r++) {
            for (@Parallel int pair = 0; pair < heads * half; pair++) {
                int i = pair % half;
                int angle = (position + r % sequence - documents.get(r)) * half + i;
                float x = cos.get(cos0 + angle);
                float y = sin.get(sin0 + angle) * direction;
                int first = qkv0 + r * qkvWidth + pair / half * headDim + i;
                float a = qkv.get(first);
                float b = qkv.get(first + half);
                qkv.set(first, a * x - b * y);
                qkv.set(first + half, b * x + a * y);
            }
        }
    }
}
