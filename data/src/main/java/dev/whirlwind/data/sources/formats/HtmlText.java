package dev.whirlwind.data.sources.formats;

import java.util.Set;
import org.jsoup.nodes.Document;
import org.jsoup.nodes.Element;
import org.jsoup.nodes.Node;
import org.jsoup.nodes.TextNode;
import org.jsoup.select.NodeTraversor;
import org.jsoup.select.NodeVisitor;

/**
 * The text of a page as a browser would show it without any style: white space runs together but in {@code pre}, blocks
 * stand on lines of their own, paragraphs are parted by an empty line, cells by tabs.
 */
final class HtmlText implements NodeVisitor {
    private static final Set<String> UNSEEN =
            Set.of("head", "script", "style", "noscript", "template", "iframe", "object", "svg", "math", "select");
    private static final Set<String> PARAGRAPHS = Set.of(
            "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "pre", "blockquote", "figure", "hr");

    private final StringBuilder text = new StringBuilder();
    private int unseen;
    private int preformatted;

    /** Line ends that are due before the next text. */
    private int due;

    private boolean space;

    private HtmlText() {}

    static String of(Document page) {
        HtmlText text = new HtmlText();
        NodeTraversor.traverse(text, page);
        return text.text.toString();
    }

    @Override
    public void head(Node node, int depth) {
        if (node instanceof Element element) {
            String name = element.normalName();
            unseen += UNSEEN.contains(name) ? 1 : 0;
            preformatted += name.equals("pre") || name.equals("textarea") ? 1 : 0;
            if (name.equals("br")) {
                due = Math.min(2, due + 1);
            } else if ((name.equals("td") || name.equals("th")) && element.previousElementSibling() != null) {
                append("\t");
            } else {
                block(element);
            }
        } else if (node instanceof TextNode words && unseen == 0) {
            String whole = words.getWholeText();
            if (preformatted > 0) {
                append(whole);
            } else {
                flow(whole);
            }
        }
    }

    @Override
    public void tail(Node node, int depth) {
        if (node instanceof Element element) {
            String name = element.normalName();
            unseen -= UNSEEN.contains(name) ? 1 : 0;
            preformatted -= name.equals("pre") || name.equals("textarea") ? 1 : 0;
            block(element);
        }
    }

    private void block(Element element) {
        String name = element.normalName();
        boolean cell = name.equals("td") || name.equals("th");
        if ((element.isBlock() && !cell) || name.equals("tr")) {
            due = Math.max(due, PARAGRAPHS.contains(name) && !isInItem(element) ? 2 : 1);
            space = false;
        }
    }

    /** A list in a list is part of its item. */
    private static boolean isInItem(Element element) {
        return element.parent() != null && element.parent().normalName().equals("li");
    }

    private void flow(String words) {
        for (int i = 0; i < words.length(); i++) {
            char c = words.charAt(i);
            // A space that does not break stays one.
            if (c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f') {
                space = true;
            } else {
                append(String.valueOf(c));
            }
        }
    }

    private void append(String more) {
        if (unseen > 0) {
            return;
        }
        if (!text.isEmpty() && due > 0) {
            text.append("\n".repeat(due));
        } else if (space && !text.isEmpty()) {
            text.append(' ');
        }
        due = 0;
        space = false;
        text.append(more);
    }
}
