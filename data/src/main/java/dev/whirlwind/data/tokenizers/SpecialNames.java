package dev.whirlwind.data.tokenizers;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The names of a tokenizer.json's special tokens, and the same tokenizer without them: as the library's {@code
 * encode_special_tokens} makes it, which its binding lacks.
 */
final class SpecialNames {
    private static final JsonMapper JSON = JsonMapper.shared();

    private final String[] names;

    /** The library may find names in a text that was changed before. */
    private final boolean anywhere;

    SpecialNames(TokenizerJson json) {
        names = json.added().stream()
                .filter(TokenizerJson.Added::special)
                .map(TokenizerJson.Added::content)
                .toArray(String[]::new);
        anywhere = names.length > 0 && json.added().stream().anyMatch(token -> token.special() && token.normalized());
    }

    /** Whether a text may hold one. */
    boolean areIn(String text) {
        if (anywhere) {
            return true;
        }
        for (String name : names) {
            if (text.contains(name)) {
                return true;
            }
        }
        return false;
    }

    /**
     * A tokenizer.json that finds none of them and gives all others the same ids: names that the vocabulary has are removed
     * from the added tokens, in place of others stand names that no text has, since ids are given by order.
     *
     * @throws NativeTokenizer.Failure when ids would change all the same
     */
    static String without(String tokenizerJson) {
        TokenizerJson before = TokenizerJson.read(tokenizerJson.getBytes(StandardCharsets.UTF_8));
        ObjectNode json = (ObjectNode) JSON.readTree(tokenizerJson);
        ArrayNode added = JsonNodeFactory.instance.arrayNode();
        for (JsonNode token : json.path("added_tokens")) {
            boolean special = token.path("special").asBoolean(false);
            if (!special) {
                added.add(token);
            } else if (!before.vocabulary().containsKey(token.path("content").asString(""))) {
                // U+10FFFF is no character, and never will be.
                added.add(((ObjectNode) token.deepCopy())
                        .put("content", "\uDBFF\uDFFF" + token.path("id").asLong() + "\uDBFF\uDFFF")
                        .put("normalized", false));
            }
        }
        json.set("added_tokens", added);
        String changed = json.toString();
        Map<String, Long> ids =
                TokenizerJson.read(changed.getBytes(StandardCharsets.UTF_8)).ids();
        for (TokenizerJson.Added token : before.added()) {
            if (!token.special() && ids.get(token.content()) != token.id()) {
                throw new NativeTokenizer.Failure(
                        "it holds the name of a special token, which this tokenizer cannot read as text; see --special-tokens");
            }
        }
        return changed;
    }
}
