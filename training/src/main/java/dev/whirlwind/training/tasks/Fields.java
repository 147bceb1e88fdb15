package dev.whirlwind.training.tasks;

import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/** What files call the fields of forms, where it is something else; dots lead into objects. Knows which of them were of use. */
public final class Fields {
    private final Map<String, String> names;
    private final Set<String> asked = new HashSet<>();
    private final Set<String> found = new HashSet<>();

    public Fields(Map<String, String> names) {
        this.names = Map.copyOf(names);
    }

    String name(String field) {
        return names.getOrDefault(field, field);
    }

    /** The field's value in a row, or null where there is none. */
    JsonNode find(JsonNode row, String field) {
        JsonNode value = Row.find(row, name(field));
        asked.add(field);
        if (value != null) {
            found.add(field);
        }
        return value;
    }

    /** By fields of forms. */
    Map<String, String> names() {
        return names;
    }

    /** A name that no task had a use for, once they have been read, and why. */
    public Optional<String> unused() {
        return names.entrySet().stream()
                .filter(name -> !found.contains(name.getKey()))
                .map(name -> name.getKey() + "=" + name.getValue() + ": "
                        + (asked.contains(name.getKey())
                                ? "no row has a field " + name.getValue()
                                : "no form that was read has a field " + name.getKey()))
                .findFirst();
    }
}
