package dev.whirlwind.data;

import dev.whirlwind.model.UserException;

final class TokensInMemory implements TokenSource {
    private final String name;
    private final int[] tokens;
    private final long sourceBytes;
    private final int endOfText;

    TokensInMemory(String name, int[] tokens, long sourceBytes, int vocabulary, int endOfText) {
        this.name = name;
        this.tokens = tokens.clone();
        this.sourceBytes = sourceBytes;
        this.endOfText = endOfText;
        for (int i = 0; i < tokens.length; i++) {
            requireInVocabulary(tokens[i], vocabulary, i, name);
        }
    }

    static void requireInVocabulary(int token, int vocabulary, long place, Object name) {
        if (token < 0 || token >= vocabulary) {
            throw new UserException("token id " + token + " at place " + place + " of " + name
                    + " is not below the model's vocabulary " + vocabulary
                    + ": prepare the data with this model's tokenizer");
        }
    }

    @Override
    public long tokens() {
        return tokens.length;
    }

    @Override
    public long sourceBytes() {
        return sourceBytes;
    }

    @Override
    public int endOfText() {
        return endOfText;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public void read(long from, int[] destination, int offset, int n) {
        System.arraycopy(tokens, Math.toIntExact(from), destination, offset, n);
    }
}
