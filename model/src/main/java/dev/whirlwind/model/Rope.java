package dev.whirlwind.model;

/**
 * Rotary position frequencies (arXiv 2104.09864) with the scalings of {@code transformers}.
 *
 * @param theta base of the frequencies
 * @param type {@code default}, {@code linear}, or {@code llama3}
 * @param factor by how much the scaling stretches positions (linear, llama3)
 * @param lowFrequencyFactor llama3: wavelengths above originalPositions / this are stretched whole
 * @param highFrequencyFactor llama3: wavelengths below originalPositions / this are left alone
 * @param originalPositions llama3: positions of the first pre-training
 */
public record Rope(
        double theta,
        String type,
        double factor,
        double lowFrequencyFactor,
        double highFrequencyFactor,
        int originalPositions) {
    /** Radians per position, [headDim / 2]. */
    double[] inverseFrequencies(int headDim) {
        double[] frequencies = new double[headDim / 2];
        for (int i = 0; i < frequencies.length; i++) {
            double frequency = 1 / Math.pow(theta, 2.0 * i / headDim);
            frequencies[i] = switch (type) {
                case "linear" -> frequency / factor;
                case "llama3" -> llama3(frequency);
                default -> frequency;
            };
        }
        return frequencies;
    }

    private double llama3(double frequency) {
        double wavelength = 2 * Math.PI / frequency;
        if (wavelength > originalPositions / lowFrequencyFactor) {
            return frequency / factor;
        }
        if (wavelength < originalPositions / highFrequencyFactor) {
            return frequency;
        }
        double smooth =
                (originalPositions / wavelength - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
        return (1 - smooth) * frequency / factor + smooth * frequency;
    }
}
