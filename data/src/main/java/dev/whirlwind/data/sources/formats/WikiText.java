package dev.whirlwind.data.sources.formats;

import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jsoup.parser.Parser;

/**
 * MediaWiki's markup to plain text, as far as articles for training need it: what is said stays, what is laid out, looked up
 * or computed (templates, tables, pictures, references, formulas) goes. Headings become lines of their own, links what they show.
 */
final class WikiText {
    private static final Pattern COMMENT = Pattern.compile("<!--.*?(-->|\\z)", Pattern.DOTALL);
    private static final Pattern EMPTY_TAG = Pattern.compile("<[a-zA-Z]+(\\s[^<>]*)?/>");
    private static final Pattern BREAK = Pattern.compile("<br\\s*/?>", Pattern.CASE_INSENSITIVE);
    private static final Pattern TAG = Pattern.compile("</?[a-zA-Z][a-zA-Z0-9]*(\\s[^<>]*)?>");
    private static final Pattern EXTERNAL =
            Pattern.compile("\\[(?:https?:|ftp:|mailto:)?//?[^\\s\\]]+(?:\\s+([^\\]]*))?\\]");
    private static final Pattern HEADING = Pattern.compile("^(=+)\\s*(.*?)\\s*\\1\\s*$", Pattern.MULTILINE);
    private static final Pattern QUOTES = Pattern.compile("'{2,5}");
    private static final Pattern SWITCH = Pattern.compile("__[A-Z]+__");
    private static final Pattern MARKER = Pattern.compile("^[*#:;]+\\s*", Pattern.MULTILINE);
    private static final Pattern EMPTY_BRACKETS = Pattern.compile("\\s?\\([\\s,;]*\\)");
    private static final Pattern TRAILING = Pattern.compile("[ \\t]+$", Pattern.MULTILINE);
    private static final Pattern BLANK_LINES = Pattern.compile("\\n{3,}");

    /** Whose content goes with them. */
    private static final Pattern DROPPED = Pattern.compile(
            "<(ref|math|gallery|timeline|imagemap|score|chem|graph|mapframe|hiero|syntaxhighlight|source|templatestyles)"
                    + "(\\s[^<>]*)?>.*?</\\1\\s*>",
            Pattern.DOTALL | Pattern.CASE_INSENSITIVE);

    private static final Set<String> PICTURES = Set.of("file", "image", "datei", "bild", "fichier", "archivo", "media");

    private WikiText() {}

    static String plain(String markup) {
        String text = COMMENT.matcher(markup).replaceAll("");
        text = BREAK.matcher(text).replaceAll("\n");
        text = EMPTY_TAG.matcher(text).replaceAll("");
        text = DROPPED.matcher(text).replaceAll("");
        text = without(text, "{{", "}}");
        text = without(text, "{|", "|}");
        text = links(text, 0);
        text = EXTERNAL.matcher(text)
                .replaceAll(link -> Matcher.quoteReplacement(link.group(1) == null ? "" : link.group(1)));
        text = TAG.matcher(text).replaceAll("");
        text = QUOTES.matcher(text).replaceAll("");
        text = HEADING.matcher(text).replaceAll(heading -> Matcher.quoteReplacement(heading.group(2)));
        text = SWITCH.matcher(text).replaceAll("");
        text = MARKER.matcher(text).replaceAll("");
        text = Parser.unescapeEntities(text, false).replace('\u00A0', ' ');
        text = EMPTY_BRACKETS.matcher(text).replaceAll("");
        text = TRAILING.matcher(text).replaceAll("");
        return BLANK_LINES.matcher(text).replaceAll("\n\n").strip();
    }

    /** Without what lies between brackets that may lie in each other; what is not closed stays. */
    private static String without(String text, String open, String close) {
        StringBuilder kept = new StringBuilder(text.length());
        int depth = 0;
        int from = 0;
        int outermost = 0;
        for (int i = 0; i < text.length(); ) {
            if (text.startsWith(open, i)) {
                if (depth++ == 0) {
                    kept.append(text, from, i);
                    outermost = i;
                }
                i += open.length();
            } else if (depth > 0 && text.startsWith(close, i)) {
                i += close.length();
                if (--depth == 0) {
                    from = i;
                }
            } else {
                i++;
            }
        }
        return kept.append(text, depth > 0 ? outermost : from, text.length()).toString();
    }

    /** Links become what they show; pictures, categories and links to other languages go. */
    private static String links(String text, int depth) {
        StringBuilder plain = new StringBuilder(text.length());
        int from = 0;
        for (int open = text.indexOf("[["); open >= 0; open = text.indexOf("[[", from)) {
            int close = closing(text, open);
            if (close < 0) {
                break;
            }
            plain.append(text, from, open).append(shown(text.substring(open + 2, close), depth));
            from = close + 2;
        }
        return plain.append(text, from, text.length()).toString();
    }

    private static int closing(String text, int open) {
        int depth = 1;
        for (int i = open + 2; i + 1 < text.length(); i++) {
            if (text.startsWith("[[", i)) {
                depth++;
                i++;
            } else if (text.startsWith("]]", i)) {
                if (--depth == 0) {
                    return i;
                }
                i++;
            }
        }
        return -1;
    }

    private static String shown(String link, int depth) {
        int bar = link.indexOf('|');
        String target = bar < 0 ? link : link.substring(0, bar);
        int colon = target.indexOf(':');
        String space = colon <= 0 ? "" : target.substring(0, colon).strip().toLowerCase(Locale.ROOT);
        boolean language = space.matches("[a-z]{2,3}(-[a-z]+)*") && bar < 0;
        if (PICTURES.contains(space)
                || space.equals("category")
                || space.equals("kategorie")
                || language
                || depth > 8) {
            return "";
        }
        String shown = bar < 0 ? target : link.substring(bar + 1);
        // A link that begins with a colon only names a page.
        return links(shown.startsWith(":") ? shown.substring(1) : shown, depth + 1);
    }
}
