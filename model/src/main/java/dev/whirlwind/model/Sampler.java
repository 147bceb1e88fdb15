package dev.whirlwind.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * Draws the next token from logits, as {@code transformers} does: temperature, then the top k, then the smallest set of
 * tokens whose probabilities reach top p (nucleus sampling, arXiv 1904.09751).
 */
public final class Sampler {
    private final double temperature;
    private final int topK;
    private final double topP;
    private final SplittableRandom random;

    /**
     * @param temperature what logits are divided by; 0 always takes the likeliest token
     * @param topK how many of the likeliest tokens may be drawn; 0 for all
     * @param topP how much probability the tokens that may be drawn share; 1 for all
     */
    public Sampler(double temperature, int topK, double topP, long seed) {
        if (!(temperature >= 0) || topK < 0 || !(topP > 0 && topP <= 1)) {
            throw new UsageException("sampling needs temperature >= 0, top-k >= 0 and 0 < top-p <= 1, not "
                    + temperature + ", " + topK + ", " + topP);
        }
        this.temperature = temperature;
        this.topK = topK;
        this.topP = topP;
        random = new SplittableRandom(seed);
    }

    /** Always the likeliest token. */
    public static Sampler greedy() {
        return new Sampler(0, 0, 1, 0);
    }

    /** The next token; of equally likely ones the lowest id comes first. */
    public int sample(MemorySegment logits, int vocabulary) {
        float[] values = new float[vocabulary];
        MemorySegment.copy(logits, ValueLayout.JAVA_FLOAT, 0, values, 0, vocabulary);
        float max = Float.NEGATIVE_INFINITY;
        for (float logit : values) {
            // NaN, if there is one.
            max = Math.max(max, logit);
        }
        if (!Float.isFinite(max)) {
            throw new UserException("the model's scores for the next token are not finite (" + max
                    + "): its weights are so large that computing with them overflows; take another checkpoint");
        }
        if (temperature == 0) {
            int best = 0;
            for (int i = 1; i < vocabulary; i++) {
                if (values[i] > values[best]) {
                    best = i;
                }
            }
            return best;
        }
        return draw(values, max);
    }

    private int draw(float[] logits, float max) {
        int allowed = topK == 0 ? logits.length : Math.min(topK, logits.length);
        // With every token allowed their order does not matter, and sorting it would take as long as a small model.
        long[] ranked = allowed == logits.length && topP == 1 ? null : ranked(logits);
        double[] weights = new double[allowed];
        double total = 0;
        for (int i = 0; i < allowed; i++) {
            weights[i] = Math.exp((logits[token(ranked, i)] - max) / temperature);
            total += weights[i];
        }
        double nucleus = 0;
        int kept = 0;
        while (kept < allowed && nucleus < topP * total) {
            nucleus += weights[kept++];
        }
        double place = random.nextDouble() * nucleus;
        for (int i = 0; i < kept - 1; i++) {
            place -= weights[i];
            if (place < 0) {
                return token(ranked, i);
            }
        }
        return token(ranked, kept - 1);
    }

    /** Tokens in descending order of their logits, as keys for {@link #token}; of equals the lowest id first. */
    private static long[] ranked(float[] logits) {
        long[] keys = new long[logits.length];
        for (int i = 0; i < keys.length; i++) {
            int bits = Float.floatToIntBits(logits[i]);
            // Descending: the order of negative floats is that of their bits reversed, so one kind is inverted.
            int descending = bits < 0 ? bits & Integer.MAX_VALUE : ~bits;
            keys[i] = (long) descending << Integer.SIZE | i;
        }
        Arrays.sort(keys);
        return keys;
    }

    private static int token(long[] ranked, int place) {
        return ranked == null ? place : (int) ranked[place];
    }
}
