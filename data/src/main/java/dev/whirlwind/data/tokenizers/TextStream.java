package dev.whirlwind.data.tokenizers;

import java.util.Arrays;
import java.util.function.Consumer;

/**
 * Text of tokens as they come. A token may end amid a character's bytes, and its text may depend on the token before it
 * (a leading space), so the latest tokens are decoded together and only what is sure is given out.
 */
public final class TextStream {
    /** No character of UTF-8 has more bytes: what is still broken after as many tokens stays broken. */
    private static final int LONGEST_CHARACTER = 4;

    private static final String REPLACEMENT = "\uFFFD";

    private final Tokenizer tokenizer;
    private final Consumer<String> out;

    /** Tokens given out, kept as the context of those that come, and then those that wait. */
    private int[] recent;

    private int waiting;
    private String before;

    /** @param context tokens that come before the first one; their text is not given out */
    public TextStream(Tokenizer tokenizer, int[] context, Consumer<String> out) {
        this.tokenizer = tokenizer;
        this.out = out;
        recent = Arrays.copyOfRange(context, Math.max(0, context.length - LONGEST_CHARACTER), context.length);
        before = tokenizer.decode(recent);
    }

    public void add(int token) {
        recent = Arrays.copyOf(recent, recent.length + 1);
        recent[recent.length - 1] = token;
        waiting++;
        String text = tokenizer.decode(recent);
        if (!text.endsWith(REPLACEMENT) || waiting >= LONGEST_CHARACTER) {
            give(text);
        }
    }

    /** Gives out what still waits. */
    public void end() {
        if (waiting > 0) {
            give(tokenizer.decode(recent));
        }
    }

    private void give(String text) {
        // Where the prompt ended amid a character, its replacement is replaced: only what both have in common was
        // there.
        int common = 0;
        while (common < before.length() && common < text.length() && before.charAt(common) == text.charAt(common)) {
            common++;
        }
        out.accept(text.substring(common));
        recent = Arrays.copyOfRange(recent, recent.length - waiting, recent.length);
        waiting = 0;
        before = tokenizer.decode(recent);
    }
}
