package dev.whirlwind.cli.terminal;

/** Figures as people read them. */
public final class Figures {
    private static final double LARGE = 1e6;

    private Figures() {}

    /** With so many decimals; those without bounds, as the perplexity of a model that learnt nothing, in four digits. */
    public static String of(double value, int decimals) {
        boolean large = Math.abs(value) >= LARGE && Double.isFinite(value);
        return large ? "%.3e".formatted(value) : ("%." + decimals + "f").formatted(value);
    }
}
