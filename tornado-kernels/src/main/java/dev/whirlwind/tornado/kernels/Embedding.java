package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** Rows of the token table, and of the position table where there is one. */
public final class Embedding {
    private Embedding() {}

    /** out[r] = wte[token[r]] + wpe[position + r % sequence]. */
    public static void wEmbed(
            IntArray c,
            int at,
            IntArray tokens,
            IntArray documents,
            FloatArray wte,
            FloatArray wpe,
            FloatArray out,
            int rows,
            int sequence,
            int width) {
        int wte0 = c.get(at);
        int wpe0 = c.get(at + 1);
        int out0 = c.get(at + 2);
        int position = c.get(Cursor.POSITION);
        for (@Parallel int r = 0; r < rows; r++) {
            for (@Parallel int i = 0; i < width; i++) {
                float token = wte.get(wte0 + tokens.get(r) * width + i);
                float place = wpe.get(wpe0 + (position + r % sequence - documents.get(r)) * width + i);
                out.set(out0 + r * width + i, token + place);
            }
        }
    }

    /** out[r] = wte[token[r]]. */
    public static void wEmbedTokens(
            IntArray c, int at, IntArray tokens, FloatArray wte, FloatArray out, int rows, int width) {
        int wte0 = c.get(at);
        int out0 = c.get(at + 1);
        for (@Parallel int r = 0; r < rows; r++) {
            for (@Parallel int i = 0; i < width; i++) {
                out.set(out0 + r * width + i, wte.get(wte0 + tokens.get(r) * width + i));
            }
        }
    }

    /** The same of tables of 16 bits; without {@code places} of the first alone. */
    public static void wEmbedHalves(
            IntArray c,
            int at,
            IntArray tokens,
            IntArray documents,
            FloatArray table,
            IntArray wte,
            IntArray wpe,
            FloatArray out,
            int rows,
            int sequence,
            int width,
            int exponentBits,
            int places) {
        int wte0 = c.get(at);
        int wpe0 = c.get(at + 1);
        int out0 = c.get(at + 2);
        int position = c.get(Cursor.POSITION);
        for (@Parallel int r = 0; r < rows; r++) {
            for (@Parallel int i = 0; i < width; i++) {
                float sum = Half.wElementOf(wte, table, wte0 + tokens.get(r) * width + i, exponentBits);
                if (places != 0) {
                    int place = wpe0 + (position + r % sequence - documents.get(r)) * width + i;
                    sum = sum + Half.wElementOf(wpe, table, place, exponentBits);
                }
                out.set(out0 + r * width + i, sum);
            }
        }
    }

    /** dwte[token[r]] += dout[r]: each work item owns a column, so that tokens may repeat. */
    public static void wEmbedTokensBackward(
            IntArray c, int at, IntArray tokens, FloatArray dout, FloatArray dwte, int rows, int width) {
        int dout0 = c.get(at);
        int dwte0 = c.get(at + 1);
        for (@Parallel int i = 0; i < width; i++) {
            for (int r = 0; r < rows; r++) {
                int to = dwte0 + tokens.get(r) * width + i;
                dwte.set(to, dwte.get(to) + dout.get(dout0 + r * width + i));
            }
        }
    }

    /** dwpe[t] += the sum of dout over the rows at position t, of which each document that is long enough has one. */
    public static void wEmbedPositionsBackward(
            IntArray c,
            int at,
            IntArray documents,
            FloatArray dout,
            FloatArray dwpe,
            int batch,
            int sequence,
            int width) {
        int dout0 = c.get(at);
        int dwpe0 = c.get(at + 1);
        for (@Parallel int t = 0; t < sequence; t++) {
            for (@Parallel int i = 0; i < width; i++) {
                float sum = 0f;
                for (int b = 0; b < batch; b++) {
                    int start = 0;
                    while (start + t < sequence) {
                        int row = b * sequence + start;
                        int end = documents.get(batch * sequence + row);
                        if (start + t < end) {
                            sum += dout.get(dout0 + (row + t) * width + i);
                        }
                        start = TornadoMath.min(sequence, end);
                    }
                }
                int to = dwpe0 + t * width + i;
                dwpe.set(to, dwpe.get(to) + sum);
            }
        }
    }
}
