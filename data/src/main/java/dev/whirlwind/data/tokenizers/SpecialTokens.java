package dev.whirlwind.data.tokenizers;

/** What the name of a special token is in a document: text like any other, or the token. */
public enum SpecialTokens {
    TEXT,
    PARSE;

    /** The tokens of a document, or of a piece of it. */
    public int[] encode(Tokenizer tokenizer, String text) {
        return this == TEXT ? tokenizer.encodeText(text) : tokenizer.encode(text);
    }
}
