package dev.whirlwind.training.tasks;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.memory.MemoryNeeds;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.TreeMap;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * Log-likelihoods of continuations. Requests of nearly one length are computed together, the longest first, so that what
 * does not fit in memory fails at once and the time left is not underestimated.
 */
public final class Likelihoods {
    /** Tokens that are computed together: enough to keep all cores busy. */
    private static final int TOGETHER = 1024;

    private static final int SHORTEST = 16;
    private static final int NONE = -1;

    /**
     * How likely a continuation is.
     *
     * @param sum of the natural logarithms of its tokens' probabilities
     * @param tokens how many they are
     * @param greedy whether each of them is the likeliest at its place; false where that was not asked
     * @param matched how many of them are the likeliest before the first that is not
     */
    public record Likelihood(double sum, int tokens, boolean greedy, int matched) {}

    private final Engine engine;
    private final Parameters weights;
    private final ModelConfig config;
    private final boolean greedy;

    /** By sequence length, which is rounded up so that there are few. */
    private final TreeMap<Integer, Transformer> transformers = new TreeMap<>();

    /** @param greedy whether it is asked which tokens are the likeliest, for which all logits must be kept */
    public Likelihoods(Engine engine, Parameters weights, boolean greedy) {
        this.engine = engine;
        this.weights = weights;
        this.greedy = greedy;
        config = weights.config();
    }

    /** Bytes of memory that a model takes for requests of up to so many tokens. */
    public static long bytes(ModelConfig config, int longest, boolean greedy) {
        long weights = MemoryNeeds.weights(config);
        long bytes = weights;
        for (int length = sequence(config, SHORTEST); ; length = sequence(config, length + 1)) {
            int rows = rows(config, length, greedy);
            bytes += MemoryNeeds.evaluation(config, rows, length) - weights;
            if (greedy) {
                bytes += Float.BYTES * (long) rows * length * config.vocabularySize();
            }
            if (length >= longest || length >= config.longestText()) {
                return bytes;
            }
        }
    }

    /**
     * Each request's likelihood, in their order.
     *
     * @param done told of how many are done
     */
    public List<Likelihood> of(List<Request> requests, IntConsumer done) {
        Likelihood[] likelihoods = new Likelihood[requests.size()];
        int[] order = IntStream.range(0, requests.size())
                .boxed()
                .sorted(Comparator.comparingInt((Integer i) -> -requests.get(i).length()))
                .mapToInt(Integer::intValue)
                .toArray();
        for (int from = 0; from < order.length; ) {
            int length = requests.get(order[from]).length();
            Transformer model = transformer(sequence(config, length));
            int to = from;
            while (to < Math.min(order.length, from + model.batch())
                    && together(model, length, requests.get(order[to]).length())) {
                to++;
            }
            batch(model, length, requests, Arrays.copyOfRange(order, from, to), likelihoods);
            from = to;
            done.accept(from);
        }
        return List.of(likelihoods);
    }

    /** Requests of one rounded length; where rotations depend on a text's length, only short or only long ones. */
    private boolean together(Transformer model, int longest, int length) {
        int fixed = model.lengthIndependentUpTo();
        return sequence(config, length) == model.sequence() && (longest > fixed) == (length > fixed);
    }

    private void batch(Transformer model, int longest, List<Request> requests, int[] which, Likelihood[] out) {
        int[] tokens = model.inputs().tokens;
        int[] targets = model.inputs().targets;
        Arrays.fill(tokens, 0);
        Arrays.fill(targets, NONE);
        for (int row = 0; row < which.length; row++) {
            Request request = requests.get(which[row]);
            int place = row * model.sequence();
            int length = request.length();
            int predicted = request.predicted();
            System.arraycopy(request.tokens(), 0, tokens, place, length);
            System.arraycopy(request.tokens(), length + 1 - predicted, targets, place + length - predicted, predicted);
        }
        model.textLength(longest);
        MemorySegment values;
        if (greedy) {
            values = model.logits();
        } else {
            model.evaluate();
            values = model.nll();
        }
        for (int row = 0; row < which.length; row++) {
            Request request = requests.get(which[row]);
            int end = row * model.sequence() + request.length();
            out[which[row]] = greedy
                    ? ofLogits(values, targets, end - request.predicted(), end)
                    : ofLosses(values, end - request.predicted(), end);
            if (!Double.isFinite(out[which[row]].sum())) {
                throw new UserException(
                        "the model's likelihoods are not finite: its weights are so large that computing"
                                + " with them overflows; take another checkpoint");
            }
        }
    }

    private static Likelihood ofLosses(MemorySegment losses, int from, int to) {
        double sum = 0;
        for (int place = from; place < to; place++) {
            sum -= losses.getAtIndex(ValueLayout.JAVA_FLOAT, place);
        }
        return new Likelihood(sum, to - from, false, 0);
    }

    private Likelihood ofLogits(MemorySegment logits, int[] targets, int from, int to) {
        double sum = 0;
        int matched = 0;
        boolean all = true;
        int vocabulary = config.vocabularySize();
        for (int place = from; place < to; place++) {
            long start = (long) place * vocabulary;
            int best = 0;
            float max = Float.NEGATIVE_INFINITY;
            for (int id = 0; id < vocabulary; id++) {
                float logit = logits.getAtIndex(ValueLayout.JAVA_FLOAT, start + id);
                if (logit > max) {
                    max = logit;
                    best = id;
                }
            }
            double total = 0;
            for (int id = 0; id < vocabulary; id++) {
                total += Math.exp(logits.getAtIndex(ValueLayout.JAVA_FLOAT, start + id) - max);
            }
            sum += logits.getAtIndex(ValueLayout.JAVA_FLOAT, start + targets[place]) - max - Math.log(total);
            all &= best == targets[place];
            matched += all ? 1 : 0;
        }
        return new Likelihood(sum, to - from, all, matched);
    }

    private Transformer transformer(int sequence) {
        return transformers.computeIfAbsent(
                sequence, length -> Transformer.forEvaluation(engine, weights, rows(config, length, greedy), length));
    }

    private static int rows(ModelConfig config, int sequence, boolean greedy) {
        long most = greedy ? Math.min(TOGETHER, Ops.LOGITS_BYTES / Float.BYTES / config.vocabularySize()) : TOGETHER;
        return (int) Math.max(1, most / sequence);
    }

    /** The length rounded up to a power of two. */
    private static int sequence(ModelConfig config, int length) {
        int power = Math.max(SHORTEST, Integer.highestOneBit(Math.max(1, length - 1)) << 1);
        return Math.min(power, config.longestText());
    }
}
