package dev.whirlwind.data.sources.formats;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import org.jsoup.Jsoup;
import org.jsoup.nodes.Document;
import org.jsoup.nodes.Element;
import org.jsoup.nodes.Node;
import org.jsoup.nodes.TextNode;
import org.jsoup.parser.Parser;
import org.jsoup.select.NodeTraversor;
import org.jsoup.select.NodeVisitor;

/** Documents of word processors (.docx, .odt) and e-books (.epub), which are zips of XML: their running text. */
final class Office implements Format {
    private static final byte[] ZIP = {'P', 'K', 3, 4};
    private static final long LONGEST = 1L << 29;

    @Override
    public String name() {
        return "office";
    }

    @Override
    public Kind kind() {
        return Kind.OFFICE;
    }

    @Override
    public boolean recognises(Input file) throws IOException {
        return file.isNamed(".docx", ".odt", ".epub") && file.startsWith(ZIP);
    }

    @Override
    public DocumentReader open(Input file) {
        return new Single(file.in(), "the document", Office::text);
    }

    private static String text(byte[] file) throws IOException {
        Map<String, byte[]> parts = parts(file);
        if (parts.containsKey("word/document.xml")) {
            return paragraphs(xml(parts, "word/document.xml"), "w:p", "w:t", "w:tab", "w:br");
        }
        if (parts.containsKey("META-INF/container.xml")) {
            return book(parts);
        }
        if (parts.containsKey("content.xml")) {
            return paragraphs(xml(parts, "content.xml"), "text:p", null, "text:tab", "text:line-break");
        }
        throw new IOException("it holds no text of a word processor or an e-book");
    }

    private static Map<String, byte[]> parts(byte[] file) throws IOException {
        Map<String, byte[]> parts = new LinkedHashMap<>();
        long sum = 0;
        try (ZipInputStream zip = new ZipInputStream(new ByteArrayInputStream(file))) {
            for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                if (entry.getName().matches("(?i).*\\.(xml|xhtml|html?|opf)")) {
                    byte[] part = zip.readNBytes(Single.LONGEST);
                    sum += part.length;
                    if (sum > LONGEST) {
                        throw new IOException("it unpacks to more than " + (LONGEST >> 20) + " MiB");
                    }
                    parts.put(entry.getName(), part);
                }
            }
        }
        return parts;
    }

    private static Document xml(Map<String, byte[]> parts, String name) throws IOException {
        byte[] part = parts.get(name);
        if (part == null) {
            throw new IOException("its part " + name + " is missing");
        }
        return Jsoup.parse(new ByteArrayInputStream(part), "UTF-8", "", Parser.xmlParser());
    }

    /**
     * @param paragraph the element of a paragraph
     * @param run the element whose text counts; null for all inside of paragraphs
     */
    private static String paragraphs(Document xml, String paragraph, String run, String tab, String line) {
        StringBuilder text = new StringBuilder();
        NodeTraversor.traverse(
                new NodeVisitor() {
                    private int inside;

                    @Override
                    public void head(Node node, int depth) {
                        String name = node.nodeName();
                        if (name.equals(run == null ? paragraph : run) || (run == null && name.equals("text:h"))) {
                            inside++;
                        } else if (name.equals(tab)) {
                            text.append('\t');
                        } else if (name.equals(line)) {
                            text.append('\n');
                        } else if (name.equals("text:s")) {
                            text.append(' ');
                        } else if (node instanceof TextNode words && inside > 0) {
                            text.append(words.getWholeText());
                        }
                    }

                    @Override
                    public void tail(Node node, int depth) {
                        String name = node.nodeName();
                        if (name.equals(run == null ? paragraph : run) || (run == null && name.equals("text:h"))) {
                            inside--;
                        }
                        if (name.equals(paragraph) || name.equals("text:h")) {
                            text.append('\n');
                        }
                    }
                },
                xml);
        return text.toString().strip() + "\n";
    }

    /** The chapters in the order in which they are read. */
    private static String book(Map<String, byte[]> parts) throws IOException {
        Element root = xml(parts, "META-INF/container.xml").selectFirst("rootfile");
        String opf = root == null ? "" : root.attr("full-path");
        Document contents = xml(parts, opf);
        StringBuilder text = new StringBuilder();
        for (Element reference : contents.select("spine > itemref")) {
            Element item = contents.getElementById(reference.attr("idref"));
            if (item == null) {
                continue;
            }
            String path = opf.substring(0, opf.lastIndexOf('/') + 1)
                    + URLDecoder.decode(item.attr("href").replace("+", "%2B"), StandardCharsets.UTF_8);
            if (parts.containsKey(path)) {
                text.append(text.isEmpty() ? "" : "\n\n").append(Page.text(parts.get(path), "UTF-8"));
            }
        }
        return text.toString();
    }
}
