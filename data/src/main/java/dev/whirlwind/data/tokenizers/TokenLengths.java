package dev.whirlwind.data.tokenizers;

import java.util.regex.Pattern;

/** How many bytes of text the ids of a tokenizer.json stand for. */
final class TokenLengths {
    /** SentencePiece's sign for a space, and how it names bytes that are no token. */
    private static final String SPACE = "\u2581";

    private static final Pattern BYTE = Pattern.compile("<0x[0-9A-F]{2}>");

    private final int[] lengths;
    private final boolean byteLevel;

    private TokenLengths(int size, TokenizerJson json) {
        lengths = new int[size];
        byteLevel = json.step("decoder").findValuesAsString("type").contains("ByteLevel");
        json.vocabulary().forEach((token, id) -> set(id, ofToken(token)));
        String unknown = json.model("unk_token").stringValue(null);
        for (TokenizerJson.Added added : json.added()) {
            boolean none = added.special() && !added.content().equals(unknown);
            set(added.id(), none ? 0 : (int) Text.utf8Length(added.content()));
        }
    }

    static int[] read(TokenizerJson json, int size) {
        return new TokenLengths(size, json).lengths;
    }

    private void set(long id, int length) {
        if (id >= 0 && id < lengths.length) {
            lengths[(int) id] = length;
        }
    }

    private int ofToken(String token) {
        if (byteLevel) {
            // GPT-2's alphabet has a character for each byte.
            return token.length();
        }
        return BYTE.matcher(token).matches() ? 1 : (int) Text.utf8Length(token.replace(SPACE, " "));
    }
}
