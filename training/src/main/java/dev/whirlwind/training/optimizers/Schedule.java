package dev.whirlwind.training.optimizers;

/**
 * The learning rate of each step, counted from 0. Every shape first rises linearly, {@code peak * (s + 1) / warmup}; r is
 * how much of the rest is over, {@code (s - warmup) / (steps - warmup)}.
 *
 * @param shape what follows the warm-up
 * @param steps optimizer steps of the whole run
 * @param warmup steps of the rise
 * @param decay steps of the final fall of {@link Shape#WSD} and {@link Shape#INFINITE}
 * @param peak highest learning rate
 * @param min learning rate at the end
 * @param fall how {@link Shape#WSD} comes to it
 */
public record Schedule(Shape shape, long steps, long warmup, long decay, double peak, double min, Fall fall) {
    /** What follows the warm-up. */
    public enum Shape {
        /** Half a cosine wave from peak to min (arXiv 1608.03983). */
        COSINE,
        /** A straight line from peak to min. */
        LINEAR,
        /** Stays at peak. */
        CONSTANT,
        /** Warm-up, stable, decay (arXiv 2404.06395): stays at peak, then falls. */
        WSD,
        /**
         * A run that others continue (arXiv 2403.08763, section 7): a cosine from peak to the mean of peak and min during
         * the first 60 % of the steps, constant, then from where that has come to an exponential fall to min, which
         * therefore is above 0. A continued run starts where the fall began.
         */
        INFINITE,
        /**
         * peak * sqrt(w / s) at step s, after a warm-up of w steps, as transformers' {@code get_inverse_sqrt_schedule}, but not
         * below min; w is 10,000 where there is no warm-up. It knows nothing of the run's length.
         */
        INVERSE_SQRT
    }

    /** How the learning rate of {@link Shape#WSD} falls from peak to min; r is how much of the fall is over. */
    public enum Fall {
        /** A straight line. */
        LINEAR,
        /** 1 - sqrt(r), the best of those tried in arXiv 2405.18392. */
        SQRT,
        /** Half a cosine wave. */
        COSINE,
        /** peak * (min / peak)^r, so that min is above 0. */
        EXPONENTIAL
    }

    private static final double WITHOUT_WARMUP = 10_000;

    /** One that falls in a straight line, if its shape has a fall of its own. */
    public Schedule(Shape shape, long steps, long warmup, long decay, double peak, double min) {
        this(shape, steps, warmup, decay, peak, min, Fall.LINEAR);
    }

    private static final double COOLDOWN = 0.6;

    /** The learning rate of optimizer step {@code s}. */
    public double at(long s) {
        if (s < warmup) {
            return peak * (s + 1) / warmup;
        }
        double r = progress(s, warmup, steps);
        return switch (shape) {
            case CONSTANT -> peak;
            case COSINE -> cosine(peak, min, r);
            case LINEAR -> min + (1 - r) * (peak - min);
            case WSD -> fallen(progress(s, decayStart(), steps));
            case INVERSE_SQRT -> {
                double scale = warmup == 0 ? WITHOUT_WARMUP : warmup;
                yield Math.max(min, peak * Math.sqrt(scale / (s - warmup + scale)));
            }
            case INFINITE -> {
                double reached = cooled(Math.min(s, decayStart()));
                yield reached * Math.pow(min / reached, progress(s, decayStart(), steps));
            }
        };
    }

    private double fallen(double r) {
        return switch (fall) {
            case LINEAR -> min + (1 - r) * (peak - min);
            case SQRT -> min + (1 - Math.sqrt(r)) * (peak - min);
            case COSINE -> cosine(peak, min, r);
            case EXPONENTIAL -> peak * Math.pow(min / peak, r);
        };
    }

    /** The step that the plateau ends with, which others may go on from; -1 where there is no plateau, or no fall after it. */
    public long plateauEnd() {
        boolean falls = shape == Shape.WSD || shape == Shape.INFINITE;
        return falls && decayStart() > warmup && decayStart() < steps ? decayStart() : -1;
    }

    /** The cosine and the constant rate after it. */
    private double cooled(long s) {
        return cosine(peak, (peak + min) / 2, Math.min(1, progress(s, warmup, steps) / COOLDOWN));
    }

    /** A decay longer than what the warm-up leaves of the run begins with its end. */
    private long decayStart() {
        return Math.max(warmup, steps - decay);
    }

    private static double progress(long s, long from, long to) {
        return s < from ? 0 : s >= to ? 1 : (double) (s - from) / (to - from);
    }

    private static double cosine(double from, double to, double r) {
        return to + 0.5 * (1 + Math.cos(Math.PI * r)) * (from - to);
    }
}
