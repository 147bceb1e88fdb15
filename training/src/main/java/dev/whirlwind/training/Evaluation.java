package dev.whirlwind.training;

import dev.whirlwind.data.EvaluationWindows;
import dev.whirlwind.data.EvaluationWindows.Convention;
import dev.whirlwind.data.TokenSource;
import dev.whirlwind.model.Transformer;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;

/**
 * How well a model predicts a held-out text.
 *
 * @param data the text's name
 * @param tokens its tokens, as far as they were read
 * @param bytesPerToken UTF-8 bytes of text per token
 * @param windows in reading order
 */
public record Evaluation(String data, long tokens, double bytesPerToken, List<Window> windows) {
    /** Predicted tokens of a window and the sum of their negative log-likelihoods, in nats. */
    public record Window(int predicted, double nll) {
        double meanNll() {
            return nll / predicted;
        }
    }

    public Evaluation {
        windows = List.copyOf(windows);
    }

    /**
     * Reads a text in windows of the transformer's sequence length, a batch at a time.
     *
     * @param batches how many at most; 0 for the whole text
     */
    public static Evaluation of(Transformer model, TokenSource text, Convention convention, int batches) {
        return of(model, text, convention, batches, () -> false);
    }

    /**
     * The same, unless it is to stop.
     *
     * @throws CancellationException when {@code stop} said so before a batch
     */
    static Evaluation of(
            Transformer model, TokenSource text, Convention convention, int batches, BooleanSupplier stop) {
        EvaluationWindows windows = new EvaluationWindows(text, model.sequence(), convention);
        long count = batches == 0 ? windows.count() : Math.min(windows.count(), (long) batches * model.batch());
        List<Window> measured = new ArrayList<>();
        for (long first = 0; first < count; first += model.batch()) {
            if (stop.getAsBoolean()) {
                throw new CancellationException();
            }
            int rows = (int) Math.min(model.batch(), count - first);
            windows.fill(first, model.batch(), model.inputs().tokens, model.inputs().targets);
            model.evaluate();
            MemorySegment nll = model.nll();
            for (int row = 0; row < rows; row++) {
                measured.add(window(model, nll, row));
            }
        }
        long tokens = Math.min(text.tokens(), count * model.sequence() + (convention == Convention.SEPARATE ? 0 : 1));
        return new Evaluation(text.name(), tokens, (double) text.sourceBytes() / text.tokens(), measured);
    }

    private static Window window(Transformer model, MemorySegment nll, int row) {
        int predicted = 0;
        double sum = 0;
        for (int place = row * model.sequence(); place < (row + 1) * model.sequence(); place++) {
            if (model.inputs().targets[place] >= 0) {
                predicted++;
                sum += nll.getAtIndex(ValueLayout.JAVA_FLOAT, place);
            }
        }
        return new Window(predicted, sum);
    }

    /** Tokens that were predicted. */
    public long predicted() {
        return windows.stream().mapToLong(Window::predicted).sum();
    }

    /** Sum of their negative log-likelihoods, in nats. */
    public double sumNll() {
        return windows.stream().mapToDouble(Window::nll).sum();
    }

    /** Mean negative log-likelihood, nats per token. */
    public double meanNll() {
        return sumNll() / predicted();
    }

    /** exp of the mean negative log-likelihood. */
    public double perplexity() {
        return Math.exp(meanNll());
    }

    /** The mean in bits per byte of text, which models with different tokenizers can be compared by. */
    public double bitsPerByte() {
        return meanNll() / Math.log(2) / bytesPerToken;
    }
}
