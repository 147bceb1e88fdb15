package dev.whirlwind.data.tokenizers;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.MissingNode;

/**
 * What the native library does not tell of a tokenizer.json: which ids it has, and the steps that it is made of. Streamed,
 * because the files of large vocabularies have millions of values.
 */
final class TokenizerJson {
    /**
     * A token that is looked for in the text before anything else.
     *
     * @param id the one it gets, which need not be the one that the file says
     * @param special whether it stands for no text
     * @param lstrip whether it takes the white space before it
     * @param rstrip whether it takes the white space after it
     * @param normalized whether it is looked for in the normalized text
     */
    record Added(String content, long id, boolean special, boolean lstrip, boolean rstrip, boolean normalized) {}

    private final Map<String, Long> vocabulary = new HashMap<>();
    private final List<Added> added = new ArrayList<>();
    private final Map<String, JsonNode> steps = new LinkedHashMap<>();
    private final Map<String, JsonNode> model = new LinkedHashMap<>();
    private JsonNode addedTokens = MissingNode.getInstance();

    private TokenizerJson() {}

    /** @throws tools.jackson.core.JacksonException when it is not JSON */
    static TokenizerJson read(byte[] tokenizerJson) {
        TokenizerJson json = new TokenizerJson();
        try (JsonParser parser = JsonMapper.shared().createParser(tokenizerJson)) {
            parser.nextToken();
            json.readFields(parser);
        }
        json.giveIds();
        return json;
    }

    private void readFields(JsonParser json) {
        while (json.nextToken() == JsonToken.PROPERTY_NAME) {
            String name = json.currentName();
            json.nextToken();
            switch (name) {
                case "model" -> readModel(json);
                case "added_tokens" -> addedTokens = json.readValueAsTree();
                case "normalizer", "pre_tokenizer", "post_processor", "decoder" ->
                    steps.put(name, json.readValueAsTree());
                default -> json.skipChildren();
            }
        }
    }

    private void readModel(JsonParser json) {
        while (json.nextToken() == JsonToken.PROPERTY_NAME) {
            String name = json.currentName();
            JsonToken value = json.nextToken();
            if (name.equals("vocab") && value == JsonToken.START_OBJECT) {
                while (json.nextToken() == JsonToken.PROPERTY_NAME) {
                    String token = json.currentName();
                    if (json.nextToken() == JsonToken.VALUE_NUMBER_INT) {
                        // Of a token that comes twice the last id counts, for the native library too.
                        vocabulary.put(token, json.getLongValue());
                    } else {
                        json.skipChildren();
                    }
                }
            } else if (name.equals("vocab") && value == JsonToken.START_ARRAY) {
                // Unigram's: pairs of token and score, in the order of their ids.
                for (long id = 0; json.nextToken() == JsonToken.START_ARRAY; id++) {
                    json.nextToken();
                    vocabulary.put(json.getString(), id);
                    while (json.nextToken() != JsonToken.END_ARRAY) {
                        json.skipChildren();
                    }
                }
            } else if (name.equals("merges")) {
                json.skipChildren();
            } else {
                model.put(name, json.readValueAsTree());
            }
        }
    }

    /** Added tokens get ids as in the library's {@code AddedVocabulary::add_tokens}: what the file says is ignored. */
    private void giveIds() {
        long size = vocabulary.size();
        long highest = -1;
        Map<String, Long> given = new HashMap<>();
        for (JsonNode token : addedTokens) {
            String content = token.path("content").asString("");
            if (content.isEmpty()) {
                continue;
            }
            Long known = given.getOrDefault(content, vocabulary.get(content));
            long id = known != null ? known : Math.max(highest + 1, size);
            highest = Math.max(highest, id);
            given.put(content, id);
            added.add(new Added(
                    content,
                    id,
                    token.path("special").asBoolean(false),
                    token.path("lstrip").asBoolean(false),
                    token.path("rstrip").asBoolean(false),
                    token.path("normalized").asBoolean(false)));
        }
    }

    /** The id of a token, or -1. */
    long id(String token) {
        for (Added one : added) {
            if (one.content.equals(token)) {
                return one.id;
            }
        }
        return vocabulary.getOrDefault(token, -1L);
    }

    /** All tokens by their names. */
    Map<String, Long> ids() {
        Map<String, Long> ids = new LinkedHashMap<>(vocabulary);
        added.forEach(token -> ids.put(token.content, token.id));
        ids.putAll(template());
        return ids;
    }

    /** The name of an id, or an empty one where it has none. */
    String name(long id) {
        return ids().entrySet().stream()
                .filter(token -> token.getValue() == id)
                .findFirst()
                .map(Map.Entry::getKey)
                .orElse("");
    }

    List<Added> added() {
        return added;
    }

    /** The vocabulary without added tokens. */
    Map<String, Long> vocabulary() {
        return vocabulary;
    }

    /** {@code normalizer}, {@code pre_tokenizer}, {@code post_processor} or {@code decoder}. */
    JsonNode step(String name) {
        return steps.getOrDefault(name, MissingNode.getInstance());
    }

    /** A setting of the model: anything but {@code vocab} and {@code merges}. */
    JsonNode model(String name) {
        return model.getOrDefault(name, MissingNode.getInstance());
    }

    /** What the post-processor puts around every text, by name. */
    Map<String, Long> template() {
        Map<String, Long> ids = new LinkedHashMap<>();
        template(step("post_processor"), ids);
        return ids;
    }

    private static void template(JsonNode processor, Map<String, Long> ids) {
        switch (processor.path("type").asString("")) {
            case "Sequence" -> processor.path("processors").forEach(part -> template(part, ids));
            case "TemplateProcessing" -> {
                for (JsonNode part : processor.path("single")) {
                    String name = part.path("SpecialToken").path("id").asString("");
                    for (JsonNode id :
                            processor.path("special_tokens").path(name).path("ids")) {
                        ids.put(name, id.asLong(-1));
                    }
                }
            }
            case "BertProcessing", "RobertaProcessing" -> {
                for (String end : List.of("cls", "sep")) {
                    JsonNode token = processor.path(end);
                    ids.put(token.path(0).asString(end), token.path(1).asLong(-1));
                }
            }
            default -> {
                // Puts nothing around a text.
            }
        }
    }
}
