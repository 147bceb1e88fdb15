package dev.whirlwind.data;

import dev.whirlwind.model.UserException;

/** A long row of token ids: documents one after the other, each followed by the end-of-text token. */
public interface TokenSource {
    /** Number of tokens. */
    long tokens();

    /** Bytes of UTF-8 text that the tokens were made from: what bits per byte are counted against. */
    long sourceBytes();

    /** The id that ends each document, or -1 where documents cannot be told apart. */
    int endOfText();

    /** What error messages call it: a file or folder. */
    String name();

    /**
     * Copies tokens {@code from} to {@code from + n - 1} to {@code destination[offset...]}.
     *
     * @throws UserException when one of them is not an id of the model's vocabulary
     */
    void read(long from, int[] destination, int offset, int n);

    /**
     * Tokens in memory, for text that is not worth a prepared folder.
     *
     * @throws UserException when one of them is not below {@code vocabulary}
     */
    static TokenSource of(String name, int[] tokens, long sourceBytes, int vocabulary, int endOfText) {
        return new TokensInMemory(name, tokens, sourceBytes, vocabulary, endOfText);
    }

    /** The same of a single text, without end-of-text tokens. */
    static TokenSource of(String name, int[] tokens, long sourceBytes, int vocabulary) {
        return of(name, tokens, sourceBytes, vocabulary, -1);
    }
}
