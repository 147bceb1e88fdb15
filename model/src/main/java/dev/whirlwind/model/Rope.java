package dev.whirlwind.model;

/**
 * Rotary positions (arXiv 2104.09864).
 *
 * @param theta base of the frequencies
 * @param scaling how they are changed for long texts
 */
public record Rope(double theta, RopeScaling scaling) {
    /** Whether a token's rotation depends on the length of its text. */
    boolean dependsOnLength() {
        return scaling.fixedUpTo() < Integer.MAX_VALUE;
    }

    /** Radians per position, [pairs], in a text of so many tokens. */
    double[] frequencies(int pairs, int length) {
        return scaling.frequencies(theta, pairs, length);
    }
}
