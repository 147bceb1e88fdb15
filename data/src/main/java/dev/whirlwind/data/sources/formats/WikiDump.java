package dev.whirlwind.data.sources.formats;

import dev.whirlwind.model.Reason;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/**
 * A dump of a MediaWiki, such as Wikipedia's: its articles (namespace 0, no redirects) as plain text ({@link WikiText}). Fields
 * that may be selected are {@code text}, {@code title} and {@code id}.
 */
final class WikiDump implements Format {
    private static final int BEGINNING = 512;
    private static final List<String> FIELDS = List.of("text", "title", "id");

    @Override
    public String name() {
        return "mediawiki";
    }

    @Override
    public Kind kind() {
        return Kind.WIKI;
    }

    @Override
    public boolean recognises(Input file) throws IOException {
        String start = new String(file.start(BEGINNING), StandardCharsets.ISO_8859_1);
        return start.contains("<mediawiki") && start.contains("mediawiki.org/xml/export");
    }

    @Override
    public DocumentReader open(Input file) throws IOException {
        Selection selection = file.options().selection();
        for (String path : selection.paths()) {
            if (!FIELDS.contains(path)) {
                throw MissingField.column(path, FIELDS);
            }
        }
        try {
            return new Articles(reader(file.in()), selection);
        } catch (XMLStreamException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    private static XMLStreamReader reader(InputStream in) throws XMLStreamException {
        XMLInputFactory factory = XMLInputFactory.newDefaultFactory();
        factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
        factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
        // The JDK limits what entities come to in a document: a dump of 100 GB is full of &lt; and &quot;.
        for (String limit : List.of("totalEntitySizeLimit", "maxGeneralEntitySizeLimit", "entityExpansionLimit")) {
            factory.setProperty("jdk.xml." + limit, "0");
        }
        return factory.createXMLStreamReader(in);
    }

    private static final class Articles implements DocumentReader {
        private final XMLStreamReader xml;
        private final Selection selection;
        private long number;

        Articles(XMLStreamReader xml, Selection selection) {
            this.xml = xml;
            this.selection = selection;
        }

        @Override
        public Document next() throws IOException {
            try {
                while (xml.hasNext()) {
                    if (xml.next() == XMLStreamConstants.START_ELEMENT
                            && xml.getLocalName().equals("page")) {
                        number++;
                        Document article = page();
                        if (article != null) {
                            return article;
                        }
                    }
                }
                return null;
            } catch (XMLStreamException e) {
                if (e.getNestedException() instanceof IOException io) {
                    throw io;
                }
                throw new DamagedRow(
                        ":" + (number + 1),
                        "broken XML in line " + e.getLocation().getLineNumber() + " ("
                                + Reason.cited(e.getMessage().replaceFirst("(?s)^ParseError at .*?Message: ", ""))
                                + "), as in a cut file: get it anew",
                        e);
            }
        }

        /** Null for what is no article. */
        private Document page() throws XMLStreamException {
            Map<String, String> fields = new HashMap<>();
            boolean redirect = false;
            while (xml.hasNext()) {
                int event = xml.next();
                if (event == XMLStreamConstants.END_ELEMENT
                        && xml.getLocalName().equals("page")) {
                    break;
                }
                if (event == XMLStreamConstants.START_ELEMENT) {
                    switch (xml.getLocalName()) {
                        // The first id is the page's, others are those of its revision and of who wrote it.
                        case "title", "ns", "id", "text" ->
                            fields.putIfAbsent(xml.getLocalName(), xml.getElementText());
                        case "redirect" -> redirect = true;
                        default -> {}
                    }
                }
            }
            if (redirect || !fields.getOrDefault("ns", "0").strip().equals("0")) {
                return null;
            }
            String text = selection.text(
                    path -> path.equals("text") ? WikiText.plain(fields.getOrDefault("text", "")) : fields.get(path));
            return new Document.Text(":" + number, text);
        }

        @Override
        public void close() throws IOException {
            try {
                xml.close();
            } catch (XMLStreamException e) {
                throw new IOException(e);
            }
        }
    }
}
