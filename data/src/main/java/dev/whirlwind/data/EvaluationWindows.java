package dev.whirlwind.data;

import dev.whirlwind.model.UserException;
import java.util.Arrays;

/** A held-out token source cut into windows for measuring perplexity, in reading order. */
public final class EvaluationWindows {
    /** Which tokens are predicted. */
    public enum Convention {
        /** Windows of {@code window} tokens that share none: the first of each window is not predicted. */
        SEPARATE,

        /** Windows of {@code window + 1} tokens that share one: every token but the source's first is predicted once. */
        OVERLAPPING
    }

    /** The target where nothing is predicted. */
    private static final int NONE = -1;

    private final TokenSource source;
    private final int window;
    private final int predictedPerWindow;
    private final long count;

    /** @throws UserException when the source has fewer than 2 tokens, so that nothing can be predicted */
    public EvaluationWindows(TokenSource source, int window, Convention convention) {
        if (window < 2) {
            throw new IllegalArgumentException("window of " + window + " tokens");
        }
        if (source.tokens() < 2) {
            throw new UserException(
                    source.name() + " holds " + source.tokens() + " tokens: evaluation needs 2 or more, add text");
        }
        this.source = source;
        this.window = window;
        boolean separate = convention == Convention.SEPARATE;
        predictedPerWindow = separate ? window - 1 : window;
        // A last window counts when it predicts anything: with 2 tokens or more.
        count = separate ? (source.tokens() + window - 2) / window : (source.tokens() - 1 + window - 1) / window;
    }

    /** Number of windows. */
    public long count() {
        return count;
    }

    /** Number of tokens that all windows together predict. */
    public long predicted() {
        long beforeLast = (count - 1) * predictedPerWindow;
        return beforeLast + Math.min(predictedPerWindow, source.tokens() - (count - 1) * window - 1);
    }

    /**
     * Writes {@code rows} windows from {@code first} on to {@code tokens} and {@code targets}, {@code [rows * window]};
     * targets are -1 where nothing is predicted, which includes rows past the last window (their tokens are 0).
     *
     * @return the number of predicted tokens in them
     */
    public int fill(long first, int rows, int[] tokens, int[] targets) {
        Arrays.fill(tokens, 0, rows * window, 0);
        Arrays.fill(targets, 0, rows * window, NONE);
        int predicted = 0;
        for (int row = 0; row < rows && first + row < count; row++) {
            long start = (first + row) * window;
            int n = (int) Math.min(predictedPerWindow, source.tokens() - start - 1);
            source.read(start, tokens, row * window, (int) Math.min(window, source.tokens() - start));
            source.read(start + 1, targets, row * window, n);
            predicted += n;
        }
        return predicted;
    }
}
