package dev.whirlwind.model;

import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Checked access to the fields of a config.json, or of an object in it; {@code source} names it in errors. Null means
 * left out, as it does to {@code transformers}.
 */
public record ConfigFields(ObjectNode json, String source) {

    public boolean has(String key) {
        return json.hasNonNull(key);
    }

    public UserException error(String key, String is) {
        return new UserException(source + ": \"" + key + "\" " + is);
    }

    private UserException wrong(String key, String needed) {
        return error(key, "is " + Reason.cited(json.path(key)) + ", not " + needed);
    }

    /** A positive whole number that must be there. */
    public int size(String key) {
        if (!has(key)) {
            throw error(key, "is missing");
        }
        JsonNode node = json.path(key);
        if (!node.isIntegralNumber() || !node.canConvertToInt() || node.intValue() <= 0) {
            throw wrong(key, "a positive whole number");
        }
        return node.intValue();
    }

    public int size(String key, int byDefault) {
        return has(key) ? size(key) : byDefault;
    }

    /** A finite number above 0 that must be there. */
    public double positive(String key) {
        if (!has(key)) {
            throw error(key, "is missing");
        }
        JsonNode node = json.path(key);
        double value = node.doubleValue(Double.NaN);
        if (!(value > 0 && value <= Double.MAX_VALUE)) {
            throw wrong(key, "a number above 0");
        }
        return value;
    }

    public double positive(String key, double byDefault) {
        return has(key) ? positive(key) : byDefault;
    }

    /** Numbers above 0, so many. */
    public List<Double> positives(String key, int count) {
        JsonNode node = json.path(key);
        List<Double> values = new ArrayList<>();
        node.forEach(value -> values.add(value.doubleValue(Double.NaN)));
        if (!node.isArray() || values.size() != count || !values.stream().allMatch(v -> v > 0 && Double.isFinite(v))) {
            throw error(key, "is not a list of " + count + " numbers above 0, one for each pair of a head");
        }
        return values;
    }

    /** A number of 0 or more. */
    public float number(String key, double byDefault) {
        if (!has(key)) {
            return (float) byDefault;
        }
        JsonNode node = json.path(key);
        double value = node.doubleValue(Double.NaN);
        if (!(value >= 0 && value <= Float.MAX_VALUE)) {
            throw wrong(key, "a number of 0 or more");
        }
        return (float) value;
    }

    /** A probability below 1. */
    public float rate(String key, double byDefault) {
        float rate = number(key, byDefault);
        if (rate >= 1) {
            throw error(key, "is " + rate + ", not below 1");
        }
        return rate;
    }

    public boolean flag(String key, boolean byDefault) {
        if (!has(key)) {
            return byDefault;
        }
        JsonNode node = json.path(key);
        if (!node.isBoolean()) {
            throw wrong(key, "true or false");
        }
        return node.booleanValue();
    }

    public String text(String key, String byDefault) {
        if (!has(key)) {
            return byDefault;
        }
        JsonNode node = json.path(key);
        if (!node.isString()) {
            throw wrong(key, "a text");
        }
        return node.stringValue();
    }

    /** An object, or null. */
    public ConfigFields object(String key) {
        if (!has(key)) {
            return null;
        }
        if (!(json.path(key) instanceof ObjectNode object)) {
            throw wrong(key, "an object");
        }
        return new ConfigFields(object, source);
    }
}
