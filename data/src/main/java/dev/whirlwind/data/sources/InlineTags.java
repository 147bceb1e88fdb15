package dev.whirlwind.data.sources;

import java.util.regex.Pattern;

/** Inline tags of documentation comments, {@code {@name content}}, as the text that a reader sees. */
final class InlineTags {
    private static final Pattern SPACE = Pattern.compile("\\s+");

    private InlineTags() {}

    static String resolve(String text) {
        StringBuilder resolved = new StringBuilder(text.length());
        int at = 0;
        while (at < text.length()) {
            int start = text.indexOf("{@", at);
            if (start < 0) {
                return resolved.append(text, at, text.length()).toString();
            }
            // A tag that is not closed is taken to end with its line.
            int end = closing(text, start);
            resolved.append(text, at, start).append(shown(text.substring(start + "{@".length(), end)));
            at = Math.min(text.length(), text.startsWith("}", end) ? end + 1 : end);
        }
        return resolved.toString();
    }

    private static int closing(String text, int open) {
        int depth = 0;
        for (int i = open; i < text.length(); i++) {
            char c = text.charAt(i);
            depth += c == '{' ? 1 : c == '}' ? -1 : 0;
            if (depth == 0) {
                return i;
            }
        }
        int lineEnd = text.indexOf('\n', open);
        return lineEnd < 0 ? text.length() : lineEnd;
    }

    private static String shown(String tag) {
        String[] parts = SPACE.split(tag, 2);
        String content = parts.length < 2 ? "" : parts[1];
        return switch (parts[0]) {
            // Angle brackets in code are not markup.
            case "code", "literal" ->
                content.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
            case "link", "linkplain" -> link(content.strip());
            case "return" -> "Returns " + resolve(content) + ".";
            case "summary", "index", "systemProperty" -> resolve(content);
            // Samples, inherited text, constants, references.
            default -> "";
        };
    }

    /** The label, or without one the name as javadoc prints it: {@code String#length()} as {@code String.length()}. */
    private static String link(String content) {
        int depth = 0;
        for (int i = 0; i < content.length(); i++) {
            char c = content.charAt(i);
            depth += c == '(' ? 1 : c == ')' ? -1 : 0;
            if (Character.isWhitespace(c) && depth == 0) {
                return resolve(content.substring(i).strip());
            }
        }
        String name = content.startsWith("#") ? content.substring(1) : content.replace('#', '.');
        return name.substring(name.indexOf('/') + 1);
    }
}
