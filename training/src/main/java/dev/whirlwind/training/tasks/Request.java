package dev.whirlwind.training.tasks;

import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.training.scoring.PythonText;
import java.util.Arrays;
import java.util.stream.IntStream;

/** A continuation whose likelihood is asked for. */
public final class Request {
    private final int[] tokens;
    private final int predicted;

    /**
     * @param tokens of the context, at least one, and then of the continuation
     * @param predicted how many of them, at the end, are the continuation's
     */
    public Request(int[] tokens, int predicted) {
        this.tokens = tokens.clone();
        this.predicted = predicted;
    }

    /**
     * The rule of lm-evaluation-harness: white space at the context's end belongs to the continuation; both are encoded
     * together, and the continuation's tokens are those after as many as the context has alone. An empty context is the
     * token that begins a text, or else the one that ends one.
     *
     * @throws dev.whirlwind.data.tokenizers.BadText when the tokenizer cannot read it
     */
    static Request of(Tokenizer tokenizer, String context, String continuation) {
        String bare = PythonText.stripTrailing(context);
        String rest = context.substring(bare.length()) + continuation;
        if (bare.isEmpty()) {
            int[] own = tokenizer.encode(rest);
            int start = tokenizer.before().length > 0
                    ? tokenizer.before()[0]
                    : tokenizer.endOfText().id();
            boolean there = start < 0 || (own.length > 0 && own[0] == start);
            return there ? new Request(own, own.length - 1) : new Request(concat(new int[] {start}, own), own.length);
        }
        int[] whole = prompt(tokenizer, bare + rest);
        return new Request(whole, whole.length - prompt(tokenizer, bare).length);
    }

    /** A text's tokens with what the tokenizer puts before it, unless the text begins with that itself. */
    static int[] prompt(Tokenizer tokenizer, String text) {
        int[] own = tokenizer.encode(text);
        int[] before = tokenizer.before();
        boolean there = own.length >= before.length && Arrays.equals(Arrays.copyOf(own, before.length), before);
        return there ? own : concat(before, own);
    }

    /** The same with as much of its beginning cut off as is more than a model reads to predict the rest. */
    Request within(int positions) {
        int from = Math.max(0, tokens.length - (positions + 1));
        return new Request(Arrays.copyOfRange(tokens, from, tokens.length), predicted);
    }

    int[] tokens() {
        return tokens;
    }

    int predicted() {
        return predicted;
    }

    /** Tokens that the model reads: all but the last. */
    int length() {
        return tokens.length - 1;
    }

    private static int[] concat(int[] first, int[] second) {
        return IntStream.concat(IntStream.of(first), IntStream.of(second)).toArray();
    }
}
