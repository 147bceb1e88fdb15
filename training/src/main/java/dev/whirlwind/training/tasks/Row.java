package dev.whirlwind.training.tasks;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;

/**
 * An object of a task's file. What is missing in it, or of another kind, is an error that names file, place, field, and the
 * preset that would fit.
 *
 * @param place in the file, such as {@code line 3}
 */
record Row(Path file, String place, JsonNode json, Fields fields, Preset preset) {
    private static final Pattern FIELD = Pattern.compile("\\{([^{}]+)}");

    /** The field's value, or null where there is none. */
    JsonNode find(String field) {
        return fields.find(json, field);
    }

    static JsonNode find(JsonNode json, String name) {
        JsonNode value = json.get(name);
        int dot = name.indexOf('.');
        if (value == null && dot > 0 && json.has(name.substring(0, dot))) {
            return find(json.get(name.substring(0, dot)), name.substring(dot + 1));
        }
        return value == null || value.isNull() ? null : value;
    }

    JsonNode get(String field) {
        JsonNode value = find(field);
        if (value == null) {
            throw missing(field);
        }
        return value;
    }

    String text(String field) {
        return text(field, get(field));
    }

    String text(String field, JsonNode value) {
        if (value.isString() || value.isNumber() || value.isBoolean()) {
            return value.asString();
        }
        throw wrong(field, "a string", value);
    }

    /** An array of strings, or a single string; at least one. */
    List<String> texts(String field) {
        List<String> texts = texts(field, get(field));
        if (texts.isEmpty()) {
            throw error("\"" + fields.name(field) + "\" is empty; mend it, or remove the row");
        }
        return texts;
    }

    private List<String> texts(String field, JsonNode value) {
        if (!value.isArray()) {
            return List.of(text(field, value));
        }
        return value.valueStream().map(one -> text(field, one)).toList();
    }

    /**
     * The same field of several things: of an array of objects, as data sets' authors write them; or an object that has an
     * array of each field, as Hugging Face does. Things that are strings themselves have no fields.
     */
    List<String> texts(String field, String of) {
        JsonNode things = get(field);
        String place = field + "." + of;
        if (things.isObject()) {
            return texts(place, things.path(of));
        }
        if (!things.isArray()) {
            return List.of(text(field, things));
        }
        return things.valueStream()
                .map(one -> one.isObject() ? text(place, one.path(of)) : text(field, one))
                .toList();
    }

    /** A number from 0, as a number or a string. */
    int index(String field, int below) {
        JsonNode value = get(field);
        String digits = value.isNumber() || value.isString() ? value.asString().strip() : "";
        int index = digits.matches("\\d{1,9}") ? Integer.parseInt(digits) : -1;
        if (index < 0 || index >= below) {
            throw wrong(field, "a number from 0 to " + (below - 1), value);
        }
        return index;
    }

    /** A template with this row's fields in place of their names in braces. */
    String filled(String template) {
        return FIELD.matcher(template).replaceAll(match -> Matcher.quoteReplacement(text(name(match))));
    }

    private String name(MatchResult match) {
        return match.group(1);
    }

    UserException error(String what) {
        return new UserException(file + ": " + place + ": " + what);
    }

    private UserException wrong(String field, String wanted, JsonNode value) {
        String found = value.isMissingNode() ? "missing" : Reason.cited(value);
        return error("\"" + fields.name(field) + "\" must be " + wanted + ", not " + found
                + "; mend it, or name another field by --field " + field + "=NAME");
    }

    private UserException missing(String field) {
        String name = fields.name(field);
        String has = json.isEmpty() ? "no fields at all" : Reason.cited(String.join(", ", json.propertyNames()));
        String remedy = Preset.fitting(json)
                .filter(other -> other != preset)
                .map(other -> "it would fit --task " + other.code() + "=" + file)
                .orElse("name the field that has it by --field " + field + "=NAME");
        return error("has no \"" + name + "\", which " + preset.code() + " needs (it has " + has + "); " + remedy);
    }
}
