package dev.whirlwind.training.evaluation;

import dev.whirlwind.data.EvaluationWindows;
import dev.whirlwind.model.Transformer;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;
import java.util.function.IntConsumer;

/**
 * How well a model predicts a held-out text. Its predictions are added up twice, by window and by document, as
 * comparisons need to know what belongs together.
 *
 * @param data the text's name
 * @param tokens its tokens, as far as they were read
 * @param windows in reading order
 * @param documents in reading order; those with predictions in a window only
 */
public record Evaluation(String data, long tokens, List<Part> windows, List<Part> documents) {
    /** Predicted tokens of a part of the text and the sum of their negative log-likelihoods, in nats. */
    public record Part(long predicted, double nll) {
        Part plus(Part other) {
            return new Part(predicted + other.predicted, nll + other.nll);
        }
    }

    public Evaluation {
        windows = List.copyOf(windows);
        documents = List.copyOf(documents);
    }

    /**
     * Reads a text, a batch of windows at a time.
     *
     * @param text in windows of the transformer's sequence length
     */
    public static Evaluation of(Transformer model, EvaluationWindows text) {
        return of(model, text, () -> false);
    }

    /**
     * The same.
     *
     * @param done told of how many windows have been read
     */
    public static Evaluation of(Transformer model, EvaluationWindows text, IntConsumer done) {
        return of(model, text, () -> false, done);
    }

    /**
     * The same, unless it is to stop.
     *
     * @throws CancellationException when {@code stop} said so before a batch
     */
    public static Evaluation of(Transformer model, EvaluationWindows text, BooleanSupplier stop) {
        return of(model, text, stop, windows -> {});
    }

    private static Evaluation of(Transformer model, EvaluationWindows text, BooleanSupplier stop, IntConsumer done) {
        List<Part> windows = new ArrayList<>();
        Documents documents = new Documents();
        int rows;
        for (int first = 0; first < text.count(); first += rows) {
            if (stop.getAsBoolean()) {
                throw new CancellationException();
            }
            rows = together(model, text, first);
            model.textLength(text.length(first));
            text.fill(first, model.batch(), model.inputs().tokens, model.inputs().targets);
            model.evaluate();
            for (int row = 0; row < rows; row++) {
                windows.add(window(model, row, text, text.document(first + row), documents));
            }
            done.accept(first + rows);
        }
        model.textLength(model.sequence());
        return new Evaluation(text.name(), text.tokens(), windows, documents.done());
    }

    /** How many windows go into one batch: where rotations depend on a text's length, only short or only long ones. */
    private static int together(Transformer model, EvaluationWindows text, int first) {
        int most = Math.min(model.batch(), text.count() - first);
        int fixed = model.lengthIndependentUpTo();
        int rows = 1;
        while (rows < most && (text.length(first) > fixed) == (text.length(first + rows) > fixed)) {
            rows++;
        }
        return rows;
    }

    private static Part window(Transformer model, int row, EvaluationWindows text, long document, Documents documents) {
        MemorySegment nll = model.nll();
        int predicted = 0;
        double sum = 0;
        for (int place = row * model.sequence(); place < (row + 1) * model.sequence(); place++) {
            int target = model.inputs().targets[place];
            if (target >= 0) {
                double loss = nll.getAtIndex(ValueLayout.JAVA_FLOAT, place);
                predicted++;
                sum += loss;
                documents.add(document, loss);
                document += text.endsDocument(target) ? 1 : 0;
            }
        }
        return new Part(predicted, sum);
    }

    /** Adds up predictions, which come document by document. */
    private static final class Documents {
        private final List<Part> parts = new ArrayList<>();
        private long document = -1;
        private long predicted;
        private double nll;

        void add(long document, double loss) {
            if (document != this.document) {
                done();
                this.document = document;
            }
            predicted++;
            nll += loss;
        }

        List<Part> done() {
            if (predicted > 0) {
                parts.add(new Part(predicted, nll));
            }
            predicted = 0;
            nll = 0;
            return parts;
        }
    }

    /** Tokens that were predicted. */
    public long predicted() {
        return windows.stream().mapToLong(Part::predicted).sum();
    }

    /** Sum of their negative log-likelihoods, in nats. */
    public double sumNll() {
        return windows.stream().mapToDouble(Part::nll).sum();
    }

    /** Mean negative log-likelihood, nats per token. */
    public double meanNll() {
        return sumNll() / predicted();
    }

    /**
     * The mean as the recipe of transformers' page "Perplexity of fixed-length models" adds windows up: each with its mean
     * loss times its targets less one, also where a window that overlaps the one before predicts as many as it has targets.
     *
     * @param text the windows that were read
     */
    public double recipeNll(EvaluationWindows text) {
        double sum = 0;
        double weights = 0;
        for (int i = 0; i < windows.size(); i++) {
            int weight = text.targets(i) - 1;
            // A last window of one token predicts nothing, and has no mean.
            if (weight > 0) {
                sum += windows.get(i).nll() / windows.get(i).predicted() * weight;
                weights += weight;
            }
        }
        return sum / weights;
    }

    /** exp of the mean negative log-likelihood. */
    public double perplexity() {
        return Math.exp(meanNll());
    }

    /**
     * The sum in bits per byte of text, which models with different tokenizers can be compared by.
     *
     * @param bytes of text that were predicted, see {@link EvaluationWindows#bytes}
     */
    public double bitsPerByte(double bytes) {
        return sumNll() / Math.log(2) / bytes;
    }
}
