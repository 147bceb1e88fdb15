package dev.whirlwind.data.tokenizers;

import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.json.JsonMapper;

/**
 * What the native library does not tell of a tokenizer.json: how many ids it has. Streamed, because the files of large
 * vocabularies have millions of values.
 */
final class Vocabulary {
    private final String wanted;
    private int highest = -1;
    private int wantedId = -1;

    private Vocabulary(String wanted) {
        this.wanted = wanted;
    }

    /** @param wanted a token whose id is of interest, or null */
    static Vocabulary read(byte[] tokenizerJson, String wanted) {
        Vocabulary vocabulary = new Vocabulary(wanted);
        try (JsonParser json = JsonMapper.shared().createParser(tokenizerJson)) {
            json.nextToken();
            vocabulary.readFields(json);
        }
        return vocabulary;
    }

    /** One above the highest id. */
    int size() {
        return highest + 1;
    }

    /** The id of the wanted token, or -1. */
    int wantedId() {
        return wantedId;
    }

    private void readFields(JsonParser json) {
        while (json.nextToken() == JsonToken.PROPERTY_NAME) {
            String name = json.currentName();
            json.nextToken();
            switch (name) {
                case "model" -> readModel(json);
                case "added_tokens" -> {
                    while (json.nextToken() == JsonToken.START_OBJECT) {
                        readAddedToken(json);
                    }
                }
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
                    add(json.currentName(), json.nextIntValue(-1));
                }
            } else if (name.equals("vocab") && value == JsonToken.START_ARRAY) {
                // Unigram's: pairs of token and score, in the order of their ids.
                for (int id = 0; json.nextToken() == JsonToken.START_ARRAY; id++) {
                    json.nextToken();
                    add(json.getString(), id);
                    while (json.nextToken() != JsonToken.END_ARRAY) {
                        json.skipChildren();
                    }
                }
            } else {
                json.skipChildren();
            }
        }
    }

    private void readAddedToken(JsonParser json) {
        String content = "";
        int id = -1;
        while (json.nextToken() == JsonToken.PROPERTY_NAME) {
            String name = json.currentName();
            json.nextToken();
            switch (name) {
                case "content" -> content = json.getString();
                case "id" -> id = json.getValueAsInt(-1);
                default -> json.skipChildren();
            }
        }
        add(content, id);
    }

    private void add(String token, int id) {
        highest = Math.max(highest, id);
        if (token.equals(wanted)) {
            wantedId = id;
        }
    }
}
