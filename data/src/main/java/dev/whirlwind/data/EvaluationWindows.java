package dev.whirlwind.data;

import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.UserException;
import java.util.Arrays;
import java.util.function.IntConsumer;

/**
 * A held-out token source cut into windows for measuring perplexity, in reading order. Where not all windows are wanted,
 * those taken are spread evenly over the source, so that they depend on it and their number only.
 */
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

    /** Tokens read at once where a source is gone through. */
    private static final int CHUNK = 1 << 14;

    private final TokenSource source;
    private final int window;
    private final int predictedPerWindow;

    /** Tokens from one window's first to the next's where they slide and overlap; 0 where they do not. */
    private final int stride;

    /** Tokens of the source that are read: all, or all but an end-of-text token that nothing follows. */
    private final long end;

    /** Windows of the whole source, and how many of them are taken. */
    private final long all;

    private final int count;

    /** The number, from 0, of the document that the first prediction of each window lies in. */
    private long[] documents;

    /** All windows of a source. */
    public EvaluationWindows(TokenSource source, int window, Convention convention) {
        this(source, window, convention, 0);
    }

    /**
     * Windows of a source, spread evenly.
     *
     * @param most how many at most; 0 for all
     * @throws UserException when the source has fewer than 2 tokens of text, so that nothing can be predicted
     */
    public EvaluationWindows(TokenSource source, int window, Convention convention, int most) {
        if (window < 2 || most < 0) {
            throw new IllegalArgumentException(most + " windows of " + window + " tokens");
        }
        requireTokens(source);
        this.source = source;
        this.window = window;
        stride = 0;
        end = source.tokens();
        predictedPerWindow = convention == Convention.SEPARATE ? window - 1 : window;
        // A last window counts when it predicts anything: with 2 tokens or more.
        all = Math.ceilDiv(source.tokens() - 1, window);
        count = most == 0 ? Math.toIntExact(all) : (int) Math.min(all, most);
    }

    private EvaluationWindows(TokenSource source, int window, int stride) {
        requireTokens(source);
        this.source = source;
        this.window = window;
        this.stride = stride;
        predictedPerWindow = window - 1;
        int[] last = new int[1];
        source.read(source.tokens() - 1, last, 0, 1);
        end = source.tokens() - (endsDocument(last[0]) ? 1 : 0);
        all = 1 + Math.ceilDiv(Math.max(0, end - window), stride);
        count = Math.toIntExact(all);
    }

    /**
     * Windows that slide: each begins {@code stride} tokens after the one before, and predicts what that did not reach; the
     * tokens in common are read only. So transformers' page "Perplexity of fixed-length models" does it, to whom a text ends
     * with its last word: an end-of-text token at the end is left out.
     *
     * @param stride from 1 to {@code window}
     */
    public static EvaluationWindows sliding(TokenSource source, int window, int stride) {
        if (window < 2 || stride < 1 || stride > window) {
            throw new IllegalArgumentException("windows of " + window + " tokens, a stride of " + stride);
        }
        return new EvaluationWindows(source, window, stride);
    }

    /**
     * Checks that there is a token of text to predict: the first is not, and one that ends the text is none of it.
     *
     * @throws UserException if there is none
     */
    public static void requireTokens(TokenSource source) {
        int[] last = {-1};
        if (source.tokens() > 0) {
            source.read(source.tokens() - 1, last, 0, 1);
        }
        long text = source.tokens() - (last[0] >= 0 && last[0] == source.endOfText() ? 1 : 0);
        if (text < 2) {
            throw new UserException(source.name() + " holds " + text + (text == 1 ? " token" : " tokens")
                    + " of text, and no token to predict: evaluation needs 2 or more, add text");
        }
    }

    /** What the text is called. */
    public String name() {
        return source.name();
    }

    /** Number of windows. */
    public int count() {
        return count;
    }

    /** Number of tokens that all windows together predict. */
    public long predicted() {
        long predicted = 0;
        for (int i = 0; i < count; i++) {
            predicted += predicted(i);
        }
        return predicted;
    }

    /** Number of tokens that all windows together read: those predicted, and the first of each window that is not. */
    public long tokens() {
        if (stride > 0) {
            return end;
        }
        long tokens = predicted();
        for (int i = 0; i < count; i++) {
            boolean predictedBefore = predictedPerWindow == window && i > 0 && start(i) == start(i - 1) + window;
            tokens += predictedBefore ? 0 : 1;
        }
        return tokens;
    }

    /** Place of a window's first token; it predicts the tokens after it. */
    private long start(int i) {
        return stride > 0 ? (long) i * stride : (2L * i + 1) * all / (2L * count) * window;
    }

    /** Place of the first token that a window predicts: its second, or the first that the window before has not. */
    private long first(int i) {
        return start(i) + 1 + (stride > 0 && i > 0 && stride < window ? window - stride - 1 : 0);
    }

    /** Tokens of a window that anything is predicted from, or after. */
    public int length(int i) {
        return (int) (first(i) - start(i)) - 1 + predicted(i) + window - predictedPerWindow;
    }

    private int predicted(int i) {
        return (int) (Math.min(end, start(i) + 1 + predictedPerWindow) - first(i));
    }

    /** Targets that transformers counts in a window: its tokens but those that the one before has. */
    public int targets(int i) {
        return predicted(i) + (i == 0 || stride == window ? 1 : 0);
    }

    /**
     * Writes {@code rows} windows from {@code from} on to {@code tokens} and {@code targets}, {@code [rows * window]};
     * targets are -1 where nothing is predicted, which includes rows past the last window (their tokens are 0).
     *
     * @return the number of predicted tokens in them
     */
    public int fill(int from, int rows, int[] tokens, int[] targets) {
        Arrays.fill(tokens, 0, rows * window, 0);
        Arrays.fill(targets, 0, rows * window, NONE);
        int predicted = 0;
        for (int row = 0; row < Math.min(rows, count - from); row++) {
            long start = start(from + row);
            int n = predicted(from + row);
            source.read(start, tokens, row * window, (int) Math.min(window, end - start));
            long first = first(from + row);
            source.read(first, targets, row * window + (int) (first - start - 1), n);
            predicted += n;
        }
        return predicted;
    }

    /** Whether a token is the last of its document. */
    public boolean endsDocument(int token) {
        return token == source.endOfText();
    }

    /**
     * The number, from 0, of the document that a window's first prediction lies in. An end-of-text token belongs to the
     * document that it ends.
     */
    public long document(int i) {
        if (documents == null) {
            documents = new long[count];
            long ended = 0;
            for (int w = 0, from = -1; w < count; from = w++) {
                ended += ends(from < 0 ? 0 : first(from), first(w));
                documents[w] = ended;
            }
        }
        return documents[i];
    }

    private long ends(long from, long to) {
        long[] ends = {0};
        if (source.endOfText() >= 0) {
            forEach(from, to, token -> ends[0] += endsDocument(token) ? 1 : 0);
        }
        return ends[0];
    }

    /**
     * Bytes of text that the windows predict. Where the tokenizer keeps every byte this is their number; where it changes
     * the text (normal forms, lower case) it is their share of the source's bytes. End-of-text tokens have none.
     */
    public double bytes(Tokenizer tokenizer) {
        TokenBytes lengths = new TokenBytes(tokenizer);
        long predicted = 0;
        for (int i = 0; i < count; i++) {
            predicted += bytes(lengths, first(i), first(i) + predicted(i));
        }
        if (predicted == 0) {
            throw new UserException(source.name() + " has no byte to predict in these windows, only ends of documents"
                    + " and what has no bytes; read more of it, or longer windows");
        }
        return predicted * ((double) source.sourceBytes() / bytes(lengths, 0, source.tokens()));
    }

    private long bytes(TokenBytes lengths, long from, long to) {
        int[] before = {source.endOfText()};
        if (from > 0) {
            source.read(from - 1, before, 0, 1);
        }
        long[] bytes = {0};
        forEach(from, to, token -> {
            // After a document's end, or what the tokenizer puts before the next one.
            boolean first = before[0] < 0 || lengths.of(before[0]) == 0;
            bytes[0] += first ? lengths.ofFirst(token) : lengths.of(token);
            before[0] = token;
        });
        return bytes[0];
    }

    /** Goes through the tokens {@code from} to {@code to - 1}. */
    private void forEach(long from, long to, IntConsumer consumer) {
        int[] chunk = new int[(int) Math.min(CHUNK, to - from)];
        for (long place = from; place < to; place += chunk.length) {
            int n = (int) Math.min(chunk.length, to - place);
            source.read(place, chunk, 0, n);
            for (int i = 0; i < n; i++) {
                consumer.accept(chunk[i]);
            }
        }
    }
}
