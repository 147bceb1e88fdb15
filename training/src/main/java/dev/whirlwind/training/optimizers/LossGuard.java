package dev.whirlwind.training.optimizers;

/** Knows how the loss has moved lately, and so when it jumps: exponential mean and variance over about 20 steps. */
public final class LossGuard {
    private static final double WEIGHT = 0.05;
    private static final int ENOUGH = 20;

    /** Below this many nats nothing is a jump, however still the loss has been. */
    private static final double SMALLEST_JUMP = 0.1;

    public double mean;
    public double variance;
    public long count;

    /** Whether a loss is more than {@code sigma} standard deviations above the recent mean. */
    public boolean isJump(double loss, double sigma) {
        return count >= ENOUGH && loss > mean + Math.max(SMALLEST_JUMP, sigma * Math.sqrt(variance));
    }

    public void add(double loss) {
        double weight = Math.max(WEIGHT, 1.0 / ++count);
        double difference = loss - mean;
        mean += weight * difference;
        variance = (1 - weight) * (variance + weight * difference * difference);
    }
}
