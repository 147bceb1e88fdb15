package dev.whirlwind.data.sources;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The English prose of a documentation comment: its sentences without markup, code samples and cross-references. */
final class Javadoc {
    private static final Pattern STARS = Pattern.compile("(?m)^[ \\t]*\\*+[ \\t]?");
    private static final Pattern CODE_SAMPLES = Pattern.compile(
            "(?is)<pre\\b.*?</pre>|<table\\b.*?</table>|<script\\b.*?</script>|<style\\b.*?</style>|<!--.*?-->");
    private static final Pattern PARAGRAPH_TAGS =
            Pattern.compile("(?i)</?(p|li|ul|ol|dl|dt|dd|h[1-6]|div|br|hr|blockquote|center|caption)\\b[^<>]*>");
    private static final Pattern TAGS = Pattern.compile("</?[a-zA-Z][^<>]*>");
    private static final Pattern ENTITY = Pattern.compile("&(#x?[0-9a-fA-F]{1,6}|[a-zA-Z]{2,10});");
    private static final Pattern BLOCK_TAG = Pattern.compile("(?m)^[ \\t]*@([a-zA-Z.]+)");
    private static final Pattern PARAGRAPH_BREAK = Pattern.compile("\\n\\s*\\n");
    private static final Pattern SPACE = Pattern.compile("\\s+");
    private static final Pattern SPACE_BEFORE_PUNCTUATION = Pattern.compile(" ([.,;:)](?:\\s|$))");
    private static final Pattern WORD = Pattern.compile("\\p{L}{2,}");
    private static final int FEWEST_WORDS = 4;

    private static final Map<String, String> ENTITIES = Map.ofEntries(
            Map.entry("lt", "<"),
            Map.entry("gt", ">"),
            Map.entry("amp", "&"),
            Map.entry("quot", "\""),
            Map.entry("apos", "'"),
            Map.entry("nbsp", " "),
            Map.entry("mdash", "—"),
            Map.entry("ndash", "–"),
            Map.entry("hellip", "…"),
            Map.entry("ldquo", "“"),
            Map.entry("rdquo", "”"),
            Map.entry("lsquo", "‘"),
            Map.entry("rsquo", "’"),
            Map.entry("le", "≤"),
            Map.entry("ge", "≥"),
            Map.entry("ne", "≠"),
            Map.entry("times", "×"),
            Map.entry("minus", "−"),
            Map.entry("infin", "∞"),
            Map.entry("plusmn", "±"),
            Map.entry("middot", "·"),
            Map.entry("rarr", "→"),
            Map.entry("harr", "↔"),
            Map.entry("delta", "δ"),
            Map.entry("pi", "π"),
            Map.entry("tau", "τ"),
            Map.entry("copy", "©"),
            Map.entry("sect", "§"));

    private Javadoc() {}

    /** The paragraphs of a comment (what stands between its delimiters) that hold prose. */
    static List<String> paragraphs(String comment) {
        String text = STARS.matcher(comment).replaceAll("");
        text = InlineTags.resolve(CODE_SAMPLES.matcher(text).replaceAll("\n\n"));
        List<String> paragraphs = new ArrayList<>();
        Matcher tag = BLOCK_TAG.matcher(text);
        int from = 0;
        String opening = "";
        while (opening != null && tag.find()) {
            add(text.substring(from, tag.start()), opening, paragraphs);
            opening = tag.group(1);
            from = tag.end();
        }
        add(text.substring(from), opening, paragraphs);
        return paragraphs;
    }

    private static void add(String section, String tag, List<String> paragraphs) {
        String text = section.strip();
        switch (tag) {
            case "", "implNote", "implSpec", "apiNote", "deprecated" -> {}
            case "return" -> text = text.isEmpty() ? "" : "Returns " + lowerFirst(text);
            // The first word is a name, which the description goes on from: "the number of ...".
            case "param" -> text = upperFirst(afterFirstWord(text));
            case "throws", "exception" -> text = text.isEmpty() ? "" : "Throws " + text;
            default -> text = "";
        }
        text = PARAGRAPH_TAGS.matcher(text).replaceAll("\n\n");
        text = TAGS.matcher(text).replaceAll("");
        text = ENTITY.matcher(text).replaceAll(entity -> Matcher.quoteReplacement(character(entity.group(1))));
        for (String paragraph : PARAGRAPH_BREAK.split(text, -1)) {
            String line = SPACE.matcher(paragraph).replaceAll(" ").strip();
            line = SPACE_BEFORE_PUNCTUATION.matcher(line).replaceAll("$1");
            if (WORD.matcher(line).results().limit(FEWEST_WORDS).count() == FEWEST_WORDS) {
                paragraphs.add(line);
            }
        }
    }

    private static String afterFirstWord(String text) {
        String[] parts = SPACE.split(text, 2);
        return parts.length < 2 ? "" : parts[1];
    }

    private static String upperFirst(String text) {
        return text.isEmpty() ? text : Character.toUpperCase(text.charAt(0)) + text.substring(1);
    }

    private static String lowerFirst(String text) {
        boolean acronym = text.length() > 1 && Character.isUpperCase(text.charAt(1));
        return acronym ? text : Character.toLowerCase(text.charAt(0)) + text.substring(1);
    }

    private static String character(String entity) {
        if (!entity.startsWith("#")) {
            return ENTITIES.getOrDefault(entity, "&" + entity + ";");
        }
        boolean hexadecimal = entity.length() > 2 && (entity.charAt(1) == 'x' || entity.charAt(1) == 'X');
        try {
            return Character.toString(
                    hexadecimal ? Integer.parseInt(entity.substring(2), 16) : Integer.parseInt(entity.substring(1)));
        } catch (IllegalArgumentException e) {
            return "&" + entity + ";";
        }
    }
}
