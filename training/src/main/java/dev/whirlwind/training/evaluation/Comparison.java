package dev.whirlwind.training.evaluation;

import dev.whirlwind.model.UserException;
import dev.whirlwind.training.evaluation.Evaluation.Part;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;
import org.apache.commons.math3.distribution.TDistribution;

/**
 * Whether one model predicts a text better than another, or the documents just happened to suit it.
 *
 * <p>Predictions within a document are not independent, so documents are what is counted: the difference is the ratio
 * R = sum of d / sum of n over the documents' summed differences d and predicted tokens n, its variance that of the
 * jackknife that leaves out one document at a time, {@code (G-1)/G * sum ((d - R n) / (N - n))^2} with G documents of N
 * tokens (CV3 of MacKinnon, Nielsen and Webb, arXiv 2205.03285), and the
 * interval and the p-value those of Student's t with one less degree of freedom than there are documents of equal weight,
 * N^2 / sum n^2 (Carter, Schnepel and Steigerwald 2017). With documents of one length it is the paired t-test.
 *
 * <p>A text of few documents is cut into as many blocks as there are windows in each instead (batch means, Flegal and
 * Jones, arXiv 0811.1729). What is found then holds for this text, and says nothing of others.
 *
 * @param difference mean negative log-likelihood of the second minus that of the first, nats per token: below 0 when the
 *     second is better
 * @param low lower end of the difference's 95 % confidence interval; NaN when there are too few parts to tell
 * @param high upper end
 * @param pValue two-sided; NaN when there are too few parts to tell
 * @param parts number of documents or blocks
 * @param unit which of them
 */
public record Comparison(double difference, double low, double high, double pValue, int parts, Unit unit) {
    /** What is taken as independent of each other. */
    public enum Unit {
        /** Whole documents: what is found holds for texts like these. */
        DOCUMENTS,

        /** Consecutive windows: what is found holds for this text. */
        BLOCKS
    }

    /** Five nearly equal parts; of fewer, the spread says too little. */
    private static final double ENOUGH = 4.5;

    private static final double CONFIDENCE = 0.95;

    /** Compares two evaluations of the same windows. */
    public static Comparison of(Evaluation first, Evaluation second) {
        Parts parts = Parts.of(first, second);
        return of(parts.differences(), parts.unit());
    }

    /** Differences of two evaluations by what is taken as independent. */
    record Parts(List<Part> differences, Unit unit) {
        static Parts of(Evaluation first, Evaluation second) {
            if (!Arrays.equals(predicted(first.windows()), predicted(second.windows()))
                    || !Arrays.equals(predicted(first.documents()), predicted(second.documents()))) {
                throw new UserException(first.data() + " and " + second.data()
                        + " are not cut into the same windows; compare models on one text with one tokenizer");
            }
            List<Part> differences = Comparison.differences(first.documents(), second.documents());
            return equalWeights(differences) >= ENOUGH
                    ? new Parts(differences, Unit.DOCUMENTS)
                    : new Parts(blocks(Comparison.differences(first.windows(), second.windows())), Unit.BLOCKS);
        }

        /** Whether there are enough to tell anything by. */
        boolean enough() {
            return equalWeights(differences) >= ENOUGH;
        }
    }

    /** Whether the p-value rejects that both are equally good, at 5 %. */
    public boolean significant() {
        return pValue < 1 - CONFIDENCE;
    }

    private static Comparison of(List<Part> parts, Unit unit) {
        double tokens = LongStream.of(predicted(parts)).sum();
        double difference = parts.stream().mapToDouble(Part::nll).sum() / tokens;
        double degrees = equalWeights(parts) - 1;
        if (parts.stream().allMatch(part -> part.nll() == 0)) {
            return new Comparison(0, 0, 0, 1, parts.size(), unit);
        }
        if (degrees < ENOUGH - 1) {
            return new Comparison(difference, Double.NaN, Double.NaN, Double.NaN, parts.size(), unit);
        }
        double squares = 0;
        for (Part part : parts) {
            double without = (part.nll() - difference * part.predicted()) / (tokens - part.predicted());
            squares += without * without;
        }
        double error = Math.sqrt(squares * (parts.size() - 1) / parts.size());
        TDistribution t = new TDistribution(null, degrees);
        double half = t.inverseCumulativeProbability((1 + CONFIDENCE) / 2) * error;
        double pValue = 2 * t.cumulativeProbability(-Math.abs(difference / error));
        return new Comparison(difference, difference - half, difference + half, pValue, parts.size(), unit);
    }

    /** How many parts of one size would weigh as evenly. */
    private static double equalWeights(List<Part> parts) {
        double tokens = 0;
        double squares = 0;
        for (Part part : parts) {
            tokens += part.predicted();
            squares += (double) part.predicted() * part.predicted();
        }
        return tokens * tokens / squares;
    }

    /** Joins windows that follow each other, n of them to about sqrt(n) blocks. */
    private static List<Part> blocks(List<Part> windows) {
        int count = (int) Math.sqrt(windows.size());
        List<Part> blocks = new ArrayList<>();
        for (int block = 0; block < count; block++) {
            int from = Math.toIntExact((long) block * windows.size() / count);
            int to = Math.toIntExact((block + 1L) * windows.size() / count);
            blocks.add(windows.subList(from, to).stream().reduce(new Part(0, 0), Part::plus));
        }
        return blocks;
    }

    private static List<Part> differences(List<Part> first, List<Part> second) {
        List<Part> differences = new ArrayList<>();
        for (int i = 0; i < first.size(); i++) {
            differences.add(new Part(
                    first.get(i).predicted(), second.get(i).nll() - first.get(i).nll()));
        }
        return differences;
    }

    private static long[] predicted(List<Part> parts) {
        return parts.stream().mapToLong(Part::predicted).toArray();
    }
}
