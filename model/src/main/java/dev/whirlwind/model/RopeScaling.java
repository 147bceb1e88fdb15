package dev.whirlwind.model;

import java.util.List;

/**
 * How the frequencies of rotary positions are changed for texts longer than those of the first pre-training: the kinds
 * of {@code transformers} (modeling_rope_utils.py), computed in double. A frequency is in radians per position; pair i
 * of a head's {@code pairs} has theta^(-i / pairs) before scaling.
 */
sealed interface RopeScaling {
    /** Radians per position, [pairs], for a text of so many tokens. */
    double[] frequencies(double theta, int pairs, int length);

    /** What cosines and sines are multiplied by, so that scores are by its square. */
    default double attentionFactor() {
        return 1;
    }

    /** Longest text that frequencies do not depend on the length of. */
    default int fixedUpTo() {
        return Integer.MAX_VALUE;
    }

    /** Longest text that the scaling is meant for, in a model of so many positions. */
    default long longestText(int positions) {
        return positions;
    }

    private static double[] unscaled(double theta, int pairs) {
        double[] frequencies = new double[pairs];
        for (int i = 0; i < pairs; i++) {
            frequencies[i] = 1 / Math.pow(theta, (double) i / pairs);
        }
        return frequencies;
    }

    /** No scaling. */
    record None() implements RopeScaling {
        @Override
        public double[] frequencies(double theta, int pairs, int length) {
            return unscaled(theta, pairs);
        }
    }

    /** Positions are divided by the factor (arXiv 2306.15595). */
    record Linear(double factor) implements RopeScaling {
        @Override
        public double[] frequencies(double theta, int pairs, int length) {
            double[] frequencies = unscaled(theta, pairs);
            for (int i = 0; i < pairs; i++) {
                frequencies[i] /= factor;
            }
            return frequencies;
        }

        @Override
        public long longestText(int positions) {
            return Math.max(positions, (long) (positions * factor));
        }
    }

    /** The first {@code turned} of all pairs turn, at frequencies divided by the factor; the others stand still. */
    record Proportional(double factor, double turned) implements RopeScaling {
        @Override
        public double[] frequencies(double theta, int pairs, int length) {
            double[] frequencies = unscaled(theta, pairs);
            int moving = (int) (turned * pairs);
            for (int i = 0; i < pairs; i++) {
                frequencies[i] = i < moving ? frequencies[i] / factor : 0;
            }
            return frequencies;
        }
    }

    /**
     * The base grows with the text beyond the model's positions ("dynamic NTK"), so that the slowest pair turns as far
     * as if positions were divided by factor * length / positions - (factor - 1).
     */
    record Dynamic(double factor, int positions) implements RopeScaling {
        @Override
        public double[] frequencies(double theta, int pairs, int length) {
            double stretch = factor * Math.max(length, positions) / positions - (factor - 1);
            return unscaled(theta * Math.pow(stretch, pairs / (pairs - 1.0)), pairs);
        }

        @Override
        public int fixedUpTo() {
            return positions;
        }

        @Override
        public long longestText(int positions) {
            return Integer.MAX_VALUE;
        }
    }

    /** Llama 3.1: wavelengths above original / low are stretched, those below original / high are not; between, a blend. */
    record Llama3(double factor, double low, double high, int original) implements RopeScaling {
        @Override
        public double[] frequencies(double theta, int pairs, int length) {
            double[] frequencies = unscaled(theta, pairs);
            for (int i = 0; i < pairs; i++) {
                double wavelength = 2 * Math.PI / frequencies[i];
                if (wavelength > original / low) {
                    frequencies[i] /= factor;
                } else if (wavelength >= original / high) {
                    double smooth = (original / wavelength - low) / (high - low);
                    frequencies[i] = (1 - smooth) * frequencies[i] / factor + smooth * frequencies[i];
                }
            }
            return frequencies;
        }
    }

    /**
     * YaRN (arXiv 2309.00071): pairs that turn more than {@code fast} times in the original length are left alone, those
     * that turn less than {@code slow} times are stretched, and those between get a blend.
     *
     * @param truncate the blend begins and ends at whole pairs
     */
    record Yarn(double factor, int original, double fast, double slow, boolean truncate, double attentionFactor)
            implements RopeScaling {
        @Override
        public double[] frequencies(double theta, int pairs, int length) {
            double[] frequencies = unscaled(theta, pairs);
            double begin = pairAt(fast, theta, pairs);
            double end = pairAt(slow, theta, pairs);
            if (truncate) {
                begin = Math.floor(begin);
                end = Math.ceil(end);
            }
            begin = Math.max(begin, 0);
            end = Math.min(end, 2 * pairs - 1);
            double width = begin == end ? 0.001 : end - begin;
            for (int i = 0; i < pairs; i++) {
                double stretched = Math.clamp((i - begin) / width, 0, 1);
                frequencies[i] = frequencies[i] / factor * stretched + frequencies[i] * (1 - stretched);
            }
            return frequencies;
        }

        /** The pair, with a fraction, that turns so many times in the original length. */
        private double pairAt(double turns, double theta, int pairs) {
            return pairs * Math.log(original / (turns * 2 * Math.PI)) / Math.log(theta);
        }

        @Override
        public long longestText(int positions) {
            return Math.max(positions, (long) (original * factor));
        }
    }

    /** LongRoPE (arXiv 2402.13753): a stretch for each pair, one set for texts up to the original length, one beyond. */
    record LongRope(
            List<Double> shortFactors, List<Double> longFactors, double factor, int original, double attentionFactor)
            implements RopeScaling {
        @Override
        public double[] frequencies(double theta, int pairs, int length) {
            double[] frequencies = unscaled(theta, pairs);
            List<Double> factors = length > original ? longFactors : shortFactors;
            for (int i = 0; i < pairs; i++) {
                frequencies[i] /= factors.get(i);
            }
            return frequencies;
        }

        @Override
        public int fixedUpTo() {
            return original;
        }

        @Override
        public long longestText(int positions) {
            return Math.max(positions, (long) (original * factor));
        }
    }
}
