package dev.whirlwind.data.sources.formats;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.jsoup.Jsoup;

/** An HTML page, of which its text is read ({@link HtmlText}). */
final class Page implements Format {
    private static final int BEGINNING = 256;

    @Override
    public String name() {
        return "html";
    }

    @Override
    public Kind kind() {
        return Kind.PAGE;
    }

    @Override
    public boolean recognises(Input file) throws IOException {
        return file.isNamed(".html", ".htm", ".xhtml") || begins(file.start(BEGINNING));
    }

    static boolean begins(byte[] start) {
        String text = new String(start, StandardCharsets.ISO_8859_1).strip().toLowerCase(Locale.ROOT);
        return text.startsWith("<!doctype html") || text.startsWith("<html>") || text.startsWith("<html ");
    }

    @Override
    public DocumentReader open(Input file) {
        boolean told = !file.options().encoding().equals(StandardCharsets.UTF_8);
        String encoding = told ? file.options().encoding().name() : null;
        return new Single(file.in(), "the page", bytes -> text(bytes, encoding));
    }

    /** @param encoding null for what the page itself says, or UTF-8 */
    static String text(byte[] page, String encoding) throws IOException {
        return HtmlText.of(Jsoup.parse(new ByteArrayInputStream(page), encoding, ""));
    }
}
