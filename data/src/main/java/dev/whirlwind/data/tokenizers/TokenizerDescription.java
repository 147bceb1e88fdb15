package dev.whirlwind.data.tokenizers;

import java.util.List;

/**
 * What a tokenizer is.
 *
 * @param model its kind: BPE, Unigram, WordLevel, WordPiece, or bytes
 * @param unknown id of the token for what it does not know, or -1
 * @param special tokens that stand for no text
 */
public record TokenizerDescription(String model, int unknown, List<Special> special) {
    /** A token that is looked for before anything else. */
    public record Special(String token, long id) {}

    public TokenizerDescription {
        special = List.copyOf(special);
    }

    static TokenizerDescription of(TokenizerJson json) {
        String name = json.model("unk_token").stringValue(null);
        return new TokenizerDescription(
                json.model("type").asString("unnamed"),
                name == null ? json.model("unk_id").asInt(-1) : (int) json.id(name),
                json.added().stream()
                        .filter(TokenizerJson.Added::special)
                        .map(token -> new Special(token.content(), token.id()))
                        .toList());
    }
}
