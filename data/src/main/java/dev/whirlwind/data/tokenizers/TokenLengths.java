package dev.whirlwind.data.tokenizers;

import java.util.Map;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** How many bytes of text the ids of a tokenizer.json stand for. */
final class TokenLengths {
    /** SentencePiece's sign for a space, and how it names bytes that are no token. */
    private static final String SPACE = "\u2581";

    private static final Pattern BYTE = Pattern.compile("<0x[0-9A-F]{2}>");

    private final int[] lengths;
    private final boolean byteLevel;

    private TokenLengths(int size, JsonNode json) {
        lengths = new int[size];
        byteLevel = json.path("decoder").findValuesAsString("type").contains("ByteLevel");
        JsonNode vocabulary = json.path("model").path("vocab");
        if (vocabulary.isArray()) {
            // Unigram's: pairs of token and score, in the order of their ids.
            for (int id = 0; id < vocabulary.size(); id++) {
                set(id, ofToken(vocabulary.path(id).path(0).stringValue("")));
            }
        }
        for (Map.Entry<String, JsonNode> token : vocabulary.properties()) {
            set(token.getValue().intValue(-1), ofToken(token.getKey()));
        }
        String unknown = json.path("model").path("unk_token").stringValue(null);
        for (JsonNode added : json.path("added_tokens")) {
            String content = added.path("content").stringValue("");
            boolean none = added.path("special").booleanValue(false) && !content.equals(unknown);
            set(added.path("id").intValue(-1), none ? 0 : (int) Text.utf8Length(content));
        }
    }

    static int[] read(String tokenizerJson, int size) {
        return new TokenLengths(size, JsonMapper.shared().readTree(tokenizerJson)).lengths;
    }

    private void set(int id, int length) {
        if (id >= 0 && id < lengths.length) {
            lengths[id] = length;
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
