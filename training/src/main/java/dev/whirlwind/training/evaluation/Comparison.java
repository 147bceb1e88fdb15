package dev.whirlwind.training.evaluation;

import dev.whirlwind.model.UserException;
import dev.whirlwind.training.evaluation.Evaluation.Part;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Whether one model predicts a text better than another, or the documents just happened to suit it: the difference, and the
 * interval and p-value of a paired, studentized {@link Bootstrap} over documents. What is drawn is a document as both models
 * predict it, for predictions within a document are not independent; it weighs by its tokens.
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

    /** Compares two evaluations of the same windows. */
    public static Comparison of(Evaluation first, Evaluation second) {
        if (!Arrays.equals(predicted(first.windows()), predicted(second.windows()))
                || !Arrays.equals(predicted(first.documents()), predicted(second.documents()))) {
            throw new UserException(first.data() + " and " + second.data()
                    + " are not cut into the same windows; compare models on one text with one tokenizer");
        }
        List<Part> documents = differences(first.documents(), second.documents());
        return equalWeights(documents) >= ENOUGH
                ? of(documents, Unit.DOCUMENTS)
                : of(blocks(differences(first.windows(), second.windows())), Unit.BLOCKS);
    }

    /** Whether the p-value rejects that both are equally good, at 5 %. */
    public boolean significant() {
        return pValue < 0.05;
    }

    private static Comparison of(List<Part> parts, Unit unit) {
        Bootstrap b = Bootstrap.ofMean(
                parts.stream().mapToDouble(Part::nll).toArray(),
                parts.stream().mapToDouble(Part::predicted).toArray());
        boolean equal = parts.stream().allMatch(part -> part.nll() == 0);
        boolean known = equal || (equalWeights(parts) >= ENOUGH && Double.isFinite(b.low()));
        return known
                ? new Comparison(b.score(), b.low(), b.high(), b.pValue(), b.count(), unit)
                : new Comparison(b.score(), Double.NaN, Double.NaN, Double.NaN, b.count(), unit);
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
