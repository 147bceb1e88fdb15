package dev.whirlwind.training;

import dev.whirlwind.model.UserException;
import dev.whirlwind.training.Evaluation.Window;
import java.util.Arrays;
import java.util.List;
import org.apache.commons.math3.random.Well19937c;
import org.apache.commons.math3.stat.descriptive.rank.Percentile;
import org.apache.commons.math3.stat.inference.TTest;

/**
 * Whether one model predicts a text better than another, or the windows just happened to suit it.
 *
 * @param difference mean negative log-likelihood of the second minus that of the first, nats per token: below 0 when the
 *     second is better
 * @param low lower end of the difference's 95 % confidence interval, by bootstrap over windows (Efron 1979)
 * @param high upper end
 * @param pValue two-sided, of the paired t-test over the windows' means; NaN with fewer than 2 windows
 * @param windows number of windows compared
 */
public record Comparison(double difference, double low, double high, double pValue, int windows) {
    private static final int RESAMPLES = 10_000;
    private static final int SEED = 20_240_611;

    /** Compares two evaluations of the same windows. */
    public static Comparison of(Evaluation first, Evaluation second) {
        List<Window> a = first.windows();
        List<Window> b = second.windows();
        int n = a.size();
        int[] predicted = a.stream().mapToInt(Window::predicted).toArray();
        if (!Arrays.equals(predicted, b.stream().mapToInt(Window::predicted).toArray())) {
            throw new UserException(first.data() + " and " + second.data()
                    + " are not cut into the same windows; compare models on one text with one tokenizer");
        }
        double[] differences = new double[n];
        for (int i = 0; i < n; i++) {
            differences[i] = b.get(i).nll() - a.get(i).nll();
        }
        double[] resampled = bootstrap(differences, predicted);
        Percentile percentile = new Percentile();
        percentile.setData(resampled);
        return new Comparison(
                second.meanNll() - first.meanNll(),
                percentile.evaluate(2.5),
                percentile.evaluate(97.5),
                pValue(means(a), means(b)),
                n);
    }

    /** Whether the t-test rejects that both are equally good, at 5 %. */
    public boolean significant() {
        return pValue < 0.05;
    }

    private static double pValue(double[] a, double[] b) {
        if (Arrays.equals(a, b)) {
            return 1;
        }
        return a.length < 2 ? Double.NaN : new TTest().pairedTTest(a, b);
    }

    private static double[] means(List<Window> windows) {
        return windows.stream().mapToDouble(Window::meanNll).toArray();
    }

    /** Mean differences per token of windows drawn with replacement. */
    private static double[] bootstrap(double[] differences, int[] predicted) {
        Well19937c random = new Well19937c(SEED);
        double[] means = new double[RESAMPLES];
        for (int r = 0; r < RESAMPLES; r++) {
            double sum = 0;
            long tokens = 0;
            for (int i = 0; i < differences.length; i++) {
                int drawn = random.nextInt(differences.length);
                sum += differences[drawn];
                tokens += predicted[drawn];
            }
            means[r] = sum / tokens;
        }
        return means;
    }
}
