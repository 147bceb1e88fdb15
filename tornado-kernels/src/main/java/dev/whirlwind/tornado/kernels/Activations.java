package dev.whirlwind.tornado.kernels;

import dev.whirlwind.model.Activation;
import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Activations f(x) = x p(x), plain and gated (arXiv 2002.05202). Which one is an argument, so it is folded into the kernel:
 * a form, and for the logistic one the factors of p(x) = s(linear x + cubic x^3). A work item has a share of neighbours,
 * as in {@link Elementwise}.
 */
public final class Activations {
    public static final int LOGISTIC = 0;
    public static final int NORMAL = 1;
    public static final int STEP = 2;

    private Activations() {}

    public static int form(Activation f) {
        return switch (f) {
            case SILU, QUICK_GELU, GELU_TANH -> LOGISTIC;
            case GELU -> NORMAL;
            case RELU -> STEP;
        };
    }

    public static float linear(Activation f) {
        return form(f) == LOGISTIC ? (float) f.linear() : 0;
    }

    /** out = f(x). */
    public static void wActivation(
            IntArray c, int at, FloatArray x, FloatArray out, int n, int share, int form, float linear, float cubic) {
        int x0 = c.get(at);
        int out0 = c.get(at + 1);
        for (@Parallel int block = 0; block < (n + share - 1) / share; block++) {
            int end = TornadoMath.min(n, (block + 1) * share);
            for (int i = block * share; i < end; i++) {
                float v = x.get(x0 + i);
                out.set(out0 + i, v * wPart(v, form, linear, cubic));
            }
        }
    }

    /** dx = dout * f'(x). */
    public static void wActivationBackward(
            IntArray c,
            int at,
            FloatArray dout,
            FloatArray x,
            FloatArray dx,
            int n,
            int share,
            int form,
            float linear,
            float cubic) {
        int dout0 = c.get(at);
        int x0 = c.get(at + 1);
        int dx0 = c.get(at + 2);
        for (@Parallel int block = 0; block < (n + share - 1) / share; block++) {
            int end = TornadoMath.min(n, (block + 1) * share);
            for (int i = block * share; i < end; i++) {
                float v = x.get(x0 + i);
                float p = wPart(v, form, linear, cubic);
                dx.set(dx0 + i, dout.get(dout0 + i) * wSlope(v, p, form, linear, cubic));
            }
        }
    }

    /** out = f(gate) * up. */
    public static void wGated(
            IntArray c,
            int at,
            FloatArray x,
            FloatArray out,
            int rows,
            int width,
            int form,
            float linear,
            float cubic) {
        int x0 = c.get(at);
        int out0 = c.get(at + 1);
        for (@Parallel int r = 0; r < rows; r++) {
            for (@Parallel int i = 0; i < width; i++) {
                int gate = x0 + r * 2 * width + i;
                float g = x.get(gate);
                out.set(out0 + r * width + i, g * wPart(g, form, linear, cubic) * x.get(gate + width));
            }
        }
    }

    /** dgate = dout * up * f'(gate), dup = dout * f(gate). */
    public static void wGatedBackward(
            IntArray c,
            int at,
            FloatArray dout,
            FloatArray x,
            FloatArray dx,
            int rows,
            int width,
            int form,
            float linear,
            float cubic) {
        int dout0 = c.get(at);
        int x0 = c.get(at + 1);
        int dx0 = c.get(at + 2);
        for (@Parallel int r = 0; r < rows; r++) {
            for (@Parallel int i = 0; i < width; i++) {
                int gate = r * 2 * width + i;
                float g = x.get(x0 + gate);
                float p = wPart(g, form, linear, cubic);
                float d = dout.get(dout0 + r * width + i);
                dx.set(dx0 + gate, d * x.get(x0 + gate + width) * wSlope(g, p, form, linear, cubic));
                dx.set(dx0 + gate + width, d * g * p);
            }
        }
    }

    /** p(x). */
    private static float wPart(float x, int form, float linear, float cubic) {
        if (form == LOGISTIC) {
            return wSigmoid(x * (linear + cubic * x * x));
        }
        if (form == NORMAL) {
            return wNormal(x);
        }
        return x > 0f ? 1f : 0f;
    }

    /** f'(x) = p + x p'(x). */
    private static float wSlope(float x, float p, int form, float linear, float cubic) {
        if (form == LOGISTIC) {
            return p + x * (linear + 3f * cubic * x * x) * p * (1f - p);
        }
        if (form == NORMAL) {
            return p + x * 0.3989423f * wBell(x);
        }
        return p;
    }

    /** 1 / (1 + exp(-x)); the bound keeps exp finite. */
    private static float wSigmoid(float x) {
        return 1f / (1f + TornadoMath.exp(TornadoMath.min(-x, 80f)));
    }

    /** exp(-x^2 / 2). */
    private static float wBell(float x) {
        return TornadoMath.exp(TornadoMath.max(-0.5f * x * x, -80f));
    }

    /**
     * The normal distribution function, by minimax polynomials, our own fits: (Phi(x) - 1/2) / x in x^2 up to |x| = 1, and
     * the tail Phi(-x) exp(x^2 / 2) / r in r = 1 / (1 + x / 2) beyond.
     */
    private static float wNormal(float x) {
        float size = TornadoMath.max(x, -x);
        if (size < 1f) {
            float z = x * x;
            float centre = 0.00011350748f - 7.662608e-6f * z;
            centre = 0.00997333f + z * (-0.0011863485f + z * centre);
            return 0.5f + x * (0.3989423f + z * (-0.06649036f + z * centre));
        }
        float r = 1f / (1f + 0.5f * size);
        float tail = 0.3736067f - 0.12756044f * r;
        tail = 0.0054519163f + r * (-0.3406083f + r * tail);
        tail = 0.15051712f + r * (0.03873814f + r * tail);
        tail = 0.19947042f + r * (0.19944857f + r * tail);
        tail = tail * r * wBell(x);
        return x > 0f ? 1f - tail : tail;
    }
}
