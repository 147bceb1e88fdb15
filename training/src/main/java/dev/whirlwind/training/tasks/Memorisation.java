package dev.whirlwind.training.tasks;

import dev.whirlwind.data.TokenSource;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.tasks.Likelihoods.Likelihood;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;

/**
 * How much of a text a model knows by heart: the share of its passages whose end the model, given their beginning, goes on
 * with word for word when it always takes the likeliest token (Carlini et al., arXiv 2202.07646).
 *
 * @param passages by which it was measured
 * @param exact of them that were gone on with exactly
 * @param share of these
 * @param low lower end of the share's 95 % interval (Wilson)
 * @param meanTokens of the end that were right before the first that was not
 */
public record Memorisation(int passages, int exact, double share, double low, double high, double meanTokens) {
    /** Tokens given, and tokens that must follow. */
    public static final int PREFIX = 32;

    public static final int CONTINUATION = 32;

    /** Tokens of both. */
    public static final int LENGTH = PREFIX + CONTINUATION;

    /**
     * Passages of a text, which follow each other within documents.
     *
     * @param most passages, spread evenly over the text
     * @throws UserException where there are none
     */
    public static List<Request> passages(TokenSource text, int most) {
        List<Long> starts = new ArrayList<>();
        int[] chunk = new int[1 << 14];
        long start = 0;
        for (long from = 0; from < text.tokens(); from += chunk.length) {
            int n = (int) Math.min(chunk.length, text.tokens() - from);
            text.read(from, chunk, 0, n);
            for (int i = 0; i < n; i++) {
                long end = from + i + 1;
                if (chunk[i] == text.endOfText()) {
                    start = end;
                } else if (end - start == LENGTH) {
                    starts.add(start);
                    start = end;
                }
            }
        }
        if (starts.isEmpty()) {
            throw new UserException(text.name() + ": no document has the " + LENGTH
                    + " tokens that a passage to be known by heart needs; give longer texts");
        }
        int count = Math.min(most, starts.size());
        List<Request> passages = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int[] tokens = new int[LENGTH];
            text.read(starts.get((int) ((2L * i + 1) * starts.size() / (2L * count))), tokens, 0, LENGTH);
            passages.add(new Request(tokens, CONTINUATION));
        }
        return passages;
    }

    /** Puts the passages to a model. */
    public static Memorisation of(Likelihoods model, List<Request> passages, IntConsumer done) {
        List<Likelihood> likelihoods = model.of(passages, done);
        Measure exact = Measure.share(
                "exact", likelihoods.stream().map(Likelihood::greedy).toList());
        return new Memorisation(
                passages.size(),
                (int) likelihoods.stream().filter(Likelihood::greedy).count(),
                exact.score(),
                exact.interval().low(),
                exact.interval().high(),
                likelihoods.stream().mapToInt(Likelihood::matched).average().orElse(0));
    }
}
