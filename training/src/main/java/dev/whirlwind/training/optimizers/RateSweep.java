package dev.whirlwind.training.optimizers;

import java.util.ArrayList;
import java.util.List;

/** Learning rates that rise exponentially from step to step, and what the loss says to them (arXiv 1506.01186). */
public final class RateSweep {
    /** How much the latest loss counts in the smoothed one. */
    private static final double LATEST = 0.1;

    /** A smoothed loss of so many times the lowest one, as fastai has it, is past any use. */
    private static final double EXPLODED = 4;

    /**
     * A step.
     *
     * @param loss before the update with this rate, which the rates before have led to
     */
    public record Point(double lr, double loss, double smoothed) {}

    /**
     * What came of it.
     *
     * @param steepest the rate where the smoothed loss falls fastest
     * @param lowest the rate where it is lowest
     * @param suggested a peak to train with: the smaller one of steepest and a tenth of lowest
     */
    public record Result(List<Point> points, double steepest, double lowest, double suggested) {
        public Result {
            points = List.copyOf(points);
        }
    }

    private final double from;
    private final double to;
    private final int steps;
    private final List<Point> points = new ArrayList<>();
    private double mean;
    private double lowest = Double.POSITIVE_INFINITY;
    private boolean exploded;

    public RateSweep(double from, double to, int steps) {
        this.from = from;
        this.to = to;
        this.steps = steps;
    }

    /** Of a step, from 0. */
    public double rate(int step) {
        return from * Math.pow(to / from, (double) step / (steps - 1));
    }

    /** The next step's loss. */
    public void add(double loss) {
        if (!Double.isFinite(loss)) {
            exploded = true;
            return;
        }
        int step = points.size();
        mean += LATEST * (loss - mean);
        double smoothed = mean / (1 - Math.pow(1 - LATEST, step + 1.0));
        points.add(new Point(rate(step), loss, smoothed));
        lowest = Math.min(lowest, smoothed);
        exploded = smoothed > EXPLODED * lowest;
    }

    /** Whether there is no use in higher rates. */
    public boolean hasExploded() {
        return exploded;
    }

    /** Of at least one step. */
    public Result result() {
        int low = 0;
        for (int i = 0; i < points.size(); i++) {
            low = points.get(i).smoothed() < points.get(low).smoothed() ? i : low;
        }
        // Over a tenth of the steps, as what falls from one step to the next is another batch more than another rate;
        // and after
        // so many, before which the mean is one of few batches.
        int span = Math.max(1, points.size() / 10);
        int steep = low;
        double fastest = 0;
        for (int i = 2 * span; i <= low; i++) {
            // Rates are a constant factor apart, so that differences are slopes over the rate's logarithm.
            double fall = points.get(i - span).smoothed() - points.get(i).smoothed();
            if (fall > fastest) {
                fastest = fall;
                steep = i - span / 2;
            }
        }
        double steepest = points.get(steep).lr();
        double lowestRate = points.get(low).lr();
        return new Result(points, steepest, lowestRate, Math.min(steepest, lowestRate / 10));
    }
}
