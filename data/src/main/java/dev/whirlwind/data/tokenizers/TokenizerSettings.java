package dev.whirlwind.data.tokenizers;

import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * What tokenizer_config.json, special_tokens_map.json and added_tokens.json say where a tokenizer.json has to be made of
 * older files.
 */
record TokenizerSettings(JsonNode config, JsonNode specialTokens, JsonNode addedTokens) {
    static final List<String> SPECIAL = List.of("bos_token", "eos_token", "unk_token", "pad_token");

    boolean flag(String name, boolean otherwise) {
        return config.path(name).booleanValue(otherwise);
    }

    /** A special token's name, or null: {@code bos_token}, {@code eos_token}, ... */
    String token(String name) {
        for (JsonNode file : new JsonNode[] {config, specialTokens}) {
            JsonNode token = file.path(name);
            String content = (token.isObject() ? token.path("content") : token).stringValue(null);
            if (content != null) {
                return content;
            }
        }
        return null;
    }

    static ObjectNode emptyTokenizer() {
        ObjectNode json = JsonNodeFactory.instance.objectNode().put("version", "1.0");
        for (String name : new String[] {
            "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder"
        }) {
            json.putNull(name);
        }
        return json;
    }

    static void add(ArrayNode added, long id, String content, boolean special) {
        added.addObject()
                .put("id", id)
                .put("content", content)
                .put("single_word", false)
                .put("lstrip", false)
                .put("rstrip", false)
                .put("normalized", false)
                .put("special", special);
    }

    /**
     * Adds the tokens that these files add to a vocabulary, in the order of their ids, and special tokens that have none yet.
     *
     * @param known whether the vocabulary has a token
     */
    void addOthers(ArrayNode added, Predicate<String> known) {
        Map<Long, ObjectNode> others = new TreeMap<>();
        addedTokens.properties().forEach(token -> {
            ArrayNode one = JsonNodeFactory.instance.arrayNode();
            add(one, token.getValue().asLong(-1), token.getKey(), true);
            others.put(token.getValue().asLong(-1), (ObjectNode) one.get(0));
        });
        config.path("added_tokens_decoder").properties().forEach(token -> {
            if (token.getKey().matches("\\d{1,9}") && token.getValue() instanceof ObjectNode described) {
                long id = Long.parseLong(token.getKey());
                others.put(id, described.deepCopy().put("id", id));
            }
        });
        Set<String> names = new HashSet<>();
        added.forEach(token -> names.add(token.path("content").asString("")));
        others.forEach((id, token) -> {
            String name = token.path("content").asString("");
            if (names.add(name)) {
                added.add(token);
            }
        });
        for (String special : SPECIAL) {
            String name = token(special);
            if (name != null && names.add(name) && !known.test(name)) {
                add(added, added.size(), name, true);
            }
        }
    }

    /**
     * What is put before and after texts of a tokenizer whose vocabulary is complete: by add_bos_token (by default as
     * {@code bos} says) and add_eos_token.
     */
    void putAround(ObjectNode json, String bosToken, String eosToken, boolean bos) {
        TokenizerJson ids = TokenizerJson.read(json.toString().getBytes(StandardCharsets.UTF_8));
        String before = flag("add_bos_token", bos) ? or(token("bos_token"), bosToken) : null;
        String after = flag("add_eos_token", false) ? or(token("eos_token"), eosToken) : null;
        ObjectNode special = JsonNodeFactory.instance.objectNode();
        ObjectNode template = JsonNodeFactory.instance.objectNode().put("type", "TemplateProcessing");
        for (String form : new String[] {"single", "pair"}) {
            ArrayNode parts = template.putArray(form);
            for (int text = 0; text < (form.equals("single") ? 1 : 2); text++) {
                put(parts, special, before, text, ids);
                parts.addObject()
                        .putObject("Sequence")
                        .put("id", text == 0 ? "A" : "B")
                        .put("type_id", text);
                put(parts, special, after, text, ids);
            }
        }
        template.set("special_tokens", special);
        if (!special.isEmpty()) {
            json.set("post_processor", template);
        }
    }

    private static void put(ArrayNode parts, ObjectNode special, String token, int text, TokenizerJson ids) {
        if (token != null && ids.id(token) >= 0) {
            parts.addObject().putObject("SpecialToken").put("id", token).put("type_id", text);
            ObjectNode described = special.putObject(token).put("id", token);
            described.putArray("ids").add(ids.id(token));
            described.putArray("tokens").add(token);
        }
    }

    private static String or(String named, String otherwise) {
        return named == null ? otherwise : named;
    }
}
