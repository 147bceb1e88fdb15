package dev.whirlwind.data;

import dev.whirlwind.data.tokenizers.Tokenizer;
import java.util.stream.IntStream;

/** The bytes of text that tokens stand for. */
final class TokenBytes {
    private final int[] lengths;

    /** Bytes that the tokenizer puts before every text: 1 where it begins each with a space, as Llama 2's does. */
    private final int prefix;

    TokenBytes(Tokenizer tokenizer) {
        lengths = tokenizer.byteLengths();
        prefix = IntStream.of(tokenizer.encode("a")).map(this::of).sum() == 2 ? 1 : 0;
    }

    /** Of a token inside a text. Models may have more ids than the tokenizer; they stand for nothing. */
    int of(int token) {
        return token < lengths.length ? lengths[token] : 0;
    }

    /** Of a text's first token. */
    int ofFirst(int token) {
        return Math.max(0, of(token) - prefix);
    }
}
