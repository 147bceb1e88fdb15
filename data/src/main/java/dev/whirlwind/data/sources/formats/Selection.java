package dev.whirlwind.data.sources.formats;

import dev.whirlwind.model.UserException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * What of a row is its document: one field, or a template of several. Fields inside of others are named with dots
 * ({@code meta.text}).
 */
public final class Selection {
    public static final Selection TEXT = field("text");

    /** Literal text, or else the name of a field. */
    private record Part(String literal, String path) {}

    private final List<Part> parts;
    private final Set<String> paths = new LinkedHashSet<>();
    private final boolean template;

    private Selection(List<Part> parts, boolean template) {
        this.parts = parts;
        this.template = template;
        parts.stream().filter(part -> part.path != null).forEach(part -> paths.add(part.path));
    }

    public static Selection field(String name) {
        if (name.isBlank()) {
            throw new UserException("the name of a field is empty: name one, such as text or meta.text");
        }
        return new Selection(List.of(new Part(null, name)), false);
    }

    /**
     * {@code {title}\n\n{body}}: names in braces stand for fields; {@code \n}, {@code \t} and {@code \\} are a line end, a tab
     * and a backslash, {@code {{} and {@code }}} are braces.
     */
    public static Selection template(String template) {
        List<Part> parts = new ArrayList<>();
        StringBuilder literal = new StringBuilder();
        for (int i = 0; i < template.length(); i++) {
            char c = template.charAt(i);
            char next = i + 1 < template.length() ? template.charAt(i + 1) : 0;
            if (c == '\\' && (next == 'n' || next == 't' || next == '\\')) {
                literal.append(next == 'n' ? '\n' : next == 't' ? '\t' : '\\');
                i++;
            } else if ((c == '{' || c == '}') && next == c) {
                literal.append(c);
                i++;
            } else if (c == '{') {
                int end = template.indexOf('}', i);
                if (end < 0 || template.substring(i + 1, end).isBlank()) {
                    throw new UserException("the template \"" + template + "\": { at character " + (i + 1)
                            + " begins no name of a field; write {{ for a brace itself");
                }
                parts.add(new Part(literal.toString(), null));
                parts.add(new Part(null, template.substring(i + 1, end).strip()));
                literal.setLength(0);
                i = end;
            } else if (c == '}') {
                throw new UserException("the template \"" + template + "\": } at character " + (i + 1)
                        + " ends no name of a field; write }} for a brace itself");
            } else {
                literal.append(c);
            }
        }
        parts.add(new Part(literal.toString(), null));
        if (parts.size() == 1) {
            throw new UserException("the template \"" + template
                    + "\" names no field: write one in braces, as in \"{title}\\n\\n{body}\"");
        }
        return new Selection(parts, true);
    }

    /** The fields that it needs. */
    Set<String> paths() {
        return Collections.unmodifiableSet(paths);
    }

    boolean isTemplate() {
        return template;
    }

    /** Whether one of the fields lies in the object of this name. */
    boolean isInside(String object) {
        return paths.stream().anyMatch(path -> path.startsWith(object + "."));
    }

    /**
     * The text of a row.
     *
     * @param values of fields; null for those that are there and hold nothing
     */
    String text(UnaryOperator<String> values) {
        StringBuilder text = new StringBuilder();
        boolean any = false;
        for (Part part : parts) {
            String value = part.path == null ? part.literal : values.apply(part.path);
            any |= part.path != null && value != null && !value.isBlank();
            text.append(value == null ? "" : value);
        }
        // Of a row without anything only the template would be left.
        return any ? text.toString() : "";
    }
}
