package dev.whirlwind.data.sources;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.data.sources.formats.Kind;
import dev.whirlwind.data.sources.formats.ReadOptions;
import dev.whirlwind.data.sources.formats.ReadOptions.LineEnds;
import dev.whirlwind.data.sources.formats.ReadOptions.OnBadLine;
import dev.whirlwind.data.sources.formats.Selection;
import dev.whirlwind.model.UserException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.pdmodel.PDPage;
import org.apache.pdfbox.pdmodel.PDPageContentStream;
import org.apache.pdfbox.pdmodel.font.PDType1Font;
import org.apache.pdfbox.pdmodel.font.Standard14Fonts;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that other programs wrote: pyarrow 25, datasets 5, zstandard, pandas, Python's tarfile, bz2 and lzma. */
class FormatsTest {
    private static final Path FILES = Path.of("src/test/resources/formats");
    private static final String ONE = "One: the first text, with ü, 北京 and 😀.";
    private static final String TWO = "Two:\nof several\nlines.";
    private static final String THREE = "Three, \"quoted\", with, commas.";
    private static final ReadOptions DEFAULT = ReadOptions.DEFAULT;

    @TempDir
    Path folder;

    private static ReadOptions selecting(Selection selection) {
        return new ReadOptions(selection, true, OnBadLine.STOP, StandardCharsets.UTF_8, LineEnds.KEEP, null);
    }

    private static ReadOptions as(String format) {
        return new ReadOptions(Selection.TEXT, false, OnBadLine.STOP, StandardCharsets.UTF_8, LineEnds.KEEP, format);
    }

    private static Collected read(ReadOptions options, Path... files) {
        return Collected.of(Corpus.of(options, List.of(files)));
    }

    private static List<String> texts(ReadOptions options, Path file) {
        return List.copyOf(read(options, file).documents.values());
    }

    private Path write(String name, String text) throws IOException {
        return Files.writeString(folder.resolve(name), text);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "none.parquet",
                "snappy.parquet",
                "gzip.parquet",
                "zstd.parquet",
                "v2.parquet",
                "stream.arrow",
                "uncompressed.feather",
                "lz4.feather",
                "zstd.feather",
                "dictionary.arrow",
                "views.arrow"
            })
    void columnsOfTables(String name) throws IOException {
        Path file = FILES.resolve(name);
        Collected collected = read(DEFAULT, file);
        assertThat(collected.documents)
                .containsExactly(
                        Map.entry(name + ":1", ONE), Map.entry(name + ":2", TWO), Map.entry(name + ":5", THREE));
        assertThat(collected.skipped).containsOnlyKeys(file + ":3", file + ":4").containsValue("empty");
        assertThat(collected.kinds).containsEntry(name, name.endsWith("parquet") ? Kind.PARQUET : Kind.ARROW);
        // Where its bytes come from makes no difference, nor does its name.
        Path other = Files.copy(file, folder.resolve("other"));
        assertThat(texts(DEFAULT, other)).containsExactly(ONE, TWO, THREE);
        ByteArrayOutputStream zip = new ByteArrayOutputStream();
        try (ZipOutputStream out = new ZipOutputStream(zip)) {
            out.putNextEntry(new ZipEntry("in/it"));
            Files.copy(file, out);
        }
        assertThat(texts(DEFAULT, Files.write(folder.resolve("a.zip"), zip.toByteArray())))
                .containsExactly(ONE, TWO, THREE);
    }

    @ParameterizedTest
    @ValueSource(strings = {"none.parquet", "v2.parquet", "stream.arrow", "zstd.feather"})
    void nestedColumnsAndTemplates(String name) {
        Path file = FILES.resolve(name);
        assertThat(texts(selecting(Selection.field("meta.text")), file))
                .containsExactly("nested 0", "nested 1", "nested 3", "nested 4");
        assertThat(texts(selecting(Selection.template("{id}/{meta.n}: {meta.text}, {score} {ok}\\n")), file))
                .containsExactly(
                        "0/0: nested 0, 0.5 true\n",
                        "1/1: nested 1, 1.0 false\n",
                        "2/: ,  true\n",
                        "3/3: nested 3, 2.0 \n",
                        "4/4: nested 4, 3.0 true\n");
        for (String wrong : new String[] {"body", "meta.body", "text.text"}) {
            assertThatThrownBy(() -> texts(selecting(Selection.field(wrong)), file))
                    .isInstanceOf(UserException.class)
                    .hasMessage(file + ": no column \"" + wrong
                            + "\" (its columns: id, text, score, ok, meta, tags): name what holds the text with --field"
                            + " NAME or --template \"{A} {B}\"");
        }
        assertThatThrownBy(() -> texts(selecting(Selection.field("tags")), file))
                .hasMessageStartingWith(file + ": column \"tags\" holds no text but ");
        assertThatThrownBy(() -> texts(selecting(Selection.field("id")), file))
                .hasMessageStartingWith(file + ": column \"id\" holds no text but ");
    }

    @Test
    void whatDatasetsSave() {
        Collected collected = read(DEFAULT, FILES.resolve("saved"));
        assertThat(collected.documents.values()).containsExactly("saved three", "saved one", "saved two");
        assertThat(collected.skipped).isEmpty();
        assertThat(read(DEFAULT, FILES.resolve("saved/train")).documents).hasSize(2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"rows.jsonl.zst", "rows.jsonl.gz", "rows.jsonl.bz2", "rows.jsonl.xz"})
    void compressedRows(String name) throws IOException {
        Path file = FILES.resolve(name);
        assertThat(texts(DEFAULT, file)).containsExactly("one", "two", "three");
        assertThat(texts(selecting(Selection.field("meta.text")), file))
                .containsExactly("nested 0", "nested 1", "nested 2");
        assertThat(texts(selecting(Selection.template("{title}\\n\\n{text}")), file))
                .containsExactly("T0\n\none", "T1\n\ntwo", "T2\n\nthree");
        // One after the other, as parallel tools write them.
        byte[] once = Files.readAllBytes(file);
        byte[] twice = Arrays.copyOf(once, 2 * once.length);
        System.arraycopy(once, 0, twice, once.length, once.length);
        assertThat(texts(DEFAULT, Files.write(folder.resolve("x"), twice)))
                .containsExactly("one", "two", "three", "one", "two", "three");
        Path cut = Files.write(folder.resolve(name), Arrays.copyOf(once, once.length - 12));
        assertThatThrownBy(() -> texts(DEFAULT, cut))
                .isInstanceOf(UserException.class)
                .hasMessageStartingWith("cannot read " + cut + ": ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"texts.tar.zst", "texts.tar.gz"})
    void tars(String name) {
        assertThat(texts(DEFAULT, FILES.resolve(name))).containsExactly("a text", "one", "two", "three");
    }

    @ParameterizedTest
    @CsvSource({"none.parquet,-1", "zstd.parquet,900", "stream.arrow,1500", "zstd.feather,1000", "texts.tar.zst,-20"})
    void cutFiles(String name, int at) throws IOException {
        byte[] whole = Files.readAllBytes(FILES.resolve(name));
        Path cut = Files.write(folder.resolve(name), Arrays.copyOf(whole, at < 0 ? whole.length + at : at));
        assertThatThrownBy(() -> texts(DEFAULT, cut))
                .isInstanceOf(UserException.class)
                .hasMessageStartingWith("cannot read " + cut + ": ")
                .message()
                .doesNotContain("\n", "Exception");
    }

    @ParameterizedTest
    @ValueSource(strings = {"csv", "tsv"})
    void tablesOfText(String kind) throws IOException {
        Path file = FILES.resolve("pandas." + kind);
        String second = "with, comma and \"quotes\"\nand a line end";
        assertThat(read(DEFAULT, file).documents)
                .containsExactly(
                        Map.entry("pandas." + kind + ":2", "plain"),
                        Map.entry("pandas." + kind + ":3", second),
                        Map.entry("pandas." + kind + ":5", "naïve 北京"));
        assertThat(texts(selecting(Selection.template("{title}: {text}")), file))
                .startsWith("A: plain");
        assertThatThrownBy(() -> texts(selecting(Selection.field("body")), file))
                .hasMessageContaining("no column \"body\" (its columns: id, text, title)");
    }

    @Test
    void badTables() throws IOException {
        Path file = write("a.csv", "text,n\ngood,1\n\nbad,2,3\nalso good,4\n");
        assertThatThrownBy(() -> texts(DEFAULT, file))
                .hasMessage(file + ":4: 3 values where the first row names 2 columns: mend or remove the row");
        ReadOptions skip =
                new ReadOptions(Selection.TEXT, false, OnBadLine.SKIP, StandardCharsets.UTF_8, LineEnds.KEEP, null);
        assertThat(texts(skip, file)).containsExactly("good", "also good");
        Path open = write("open.csv", "text\na\n\"never closed\n" + "b\n".repeat(100));
        assertThatThrownBy(() -> texts(DEFAULT, open)).hasMessageStartingWith(open + ":3: broken quotes in the row");
        Path latin =
                Files.write(folder.resolve("latin.csv"), "text\nok\ncaf\u00e9\n".getBytes(StandardCharsets.ISO_8859_1));
        Collected collected = read(DEFAULT, latin);
        assertThat(collected.documents.values()).containsExactly("ok");
        assertThat(collected.skipped).containsExactly(Map.entry(latin + ":3", "not UTF-8"));
        ReadOptions latin1 = new ReadOptions(
                Selection.TEXT, false, OnBadLine.STOP, StandardCharsets.ISO_8859_1, LineEnds.KEEP, null);
        assertThat(texts(latin1, latin)).containsExactly("ok", "café");
        // In a folder a table without the column may be anything; asked for it is an error.
        Files.createDirectories(folder.resolve("d"));
        Path table = write("d/points.csv", "x,y\n1,2\n");
        write("d/a.txt", "text");
        assertThat(read(DEFAULT, folder.resolve("d")).skipped)
                .containsExactly(Map.entry(table.toString(), "no column \"text\" (its columns: x, y)"));
        assertThatThrownBy(() -> texts(DEFAULT, table)).hasMessageContaining("no column \"text\" (its columns: x, y)");
        assertThat(texts(as("text"), table)).containsExactly("x,y\n1,2\n");
    }

    @Test
    void brokenRowsAreSkippedIfAsked() throws IOException {
        Path file = write("a.jsonl", "{\"text\": \"one\"}\n{\"text\": \n{\"body\": 1}\n{\"text\": \"two\"}\n");
        ReadOptions skip =
                new ReadOptions(Selection.TEXT, false, OnBadLine.SKIP, StandardCharsets.UTF_8, LineEnds.KEEP, null);
        Collected collected = read(skip, file);
        assertThat(collected.documents.values()).containsExactly("one", "two");
        assertThat(collected.skipped)
                .hasSize(2)
                .containsEntry(file + ":3", "no string field \"text\" (its fields: body)");
        assertThat(collected.findings.rows()).isEqualTo(2);
    }

    @ParameterizedTest
    @CsvSource({
        "UTF-16LE,true",
        "UTF-16BE,true",
        "UTF-32LE,true",
        "UTF-32BE,true",
        "UTF-16LE,false",
        "windows-1252,false"
    })
    void encodings(String encoding, boolean mark) throws IOException {
        Charset charset = Charset.forName(encoding);
        ReadOptions options =
                mark ? DEFAULT : new ReadOptions(Selection.TEXT, false, OnBadLine.STOP, charset, LineEnds.KEEP, null);
        String start = mark ? "\uFEFF" : "";
        Path text = Files.write(folder.resolve("a.txt"), (start + "na\u00efve text").getBytes(charset));
        assertThat(texts(options, text)).containsExactly("na\u00efve text");
        Path rows = Files.write(folder.resolve("a.jsonl"), (start + "{\"text\": \"caf\u00e9\"}\n").getBytes(charset));
        assertThat(texts(options, rows)).containsExactly("caf\u00e9");
        if (mark) {
            byte[] cut = (start + "text").getBytes(charset);
            Path odd = Files.write(folder.resolve("odd.txt"), Arrays.copyOf(cut, cut.length - 1));
            assertThat(read(options, odd).skipped).containsExactly(Map.entry(odd.toString(), "not " + encoding));
        }
    }

    @Test
    void lineEnds() throws IOException {
        String text = "a\r\nb\rc\r\n".repeat(60_000);
        Path file = write("a.txt", text);
        ReadOptions lf =
                new ReadOptions(Selection.TEXT, false, OnBadLine.STOP, StandardCharsets.UTF_8, LineEnds.LF, null);
        assertThat(texts(DEFAULT, file)).containsExactly(text);
        assertThat(texts(lf, file)).containsExactly(text.replace("\r\n", "\n"));
    }

    @Test
    void pages() throws IOException {
        Path page = write("a.html", """
                <!DOCTYPE html><html><head><title>T</title><style>p {}</style></head><body>
                <h1>Head</h1><p>One   <b>bold</b>,
                two&nbsp;&amp; three.<br>Four</p><script>x()</script>
                <ul><li>a</li><li>b</li></ul><pre>  kept
                  so</pre><table><tr><td>1</td><td>2</td></tr><tr><td>3</td><td>4</td></tr></table></body></html>""");
        assertThat(texts(DEFAULT, page))
                .containsExactly("Head\n\nOne bold, two\u00a0& three.\nFour\n\na\nb\n\n  kept\n  so\n\n1\t2\n3\t4");
        Path latin = Files.write(
                folder.resolve("b.htm"),
                "<meta charset='iso-8859-1'><p>caf\u00e9".getBytes(StandardCharsets.ISO_8859_1));
        assertThat(texts(DEFAULT, latin)).containsExactly("caf\u00e9");
        assertThat(texts(as("text"), page).getFirst()).contains("<h1>Head</h1>");
    }

    @Test
    void pdfs() throws IOException {
        System.setProperty("pdfbox.fontcache", folder.toString());
        Path file = folder.resolve("a.pdf");
        try (PDDocument document = new PDDocument()) {
            for (String words : List.of("First page.", "Second page.")) {
                PDPage page = new PDPage();
                document.addPage(page);
                try (PDPageContentStream content = new PDPageContentStream(document, page)) {
                    content.beginText();
                    content.setFont(new PDType1Font(Standard14Fonts.FontName.HELVETICA), 12);
                    content.newLineAtOffset(50, 700);
                    content.showText(words);
                    content.endText();
                }
            }
            document.save(file.toFile());
        }
        assertThat(texts(DEFAULT, file)).containsExactly("First page.\nSecond page.\n");
        write("b.txt", "text");
        Files.write(file, Arrays.copyOf(Files.readAllBytes(file), 200));
        assertThat(read(DEFAULT, folder).skipped)
                .hasEntrySatisfying(
                        file.toString(), reason -> assertThat(reason).startsWith("the PDF document cannot be read: "));
    }

    @Test
    void webArchives() throws IOException {
        StringBuilder warc = new StringBuilder();
        record(warc, "warcinfo", "application/warc-fields", "", "software: test\r\n");
        record(warc, "conversion", "text/plain", "http://a.example/", "Text of a page, naïve.\nMore.\n");
        String html = "<html><body><p>An <b>answer</b></p></body></html>";
        record(
                warc,
                "response",
                "application/http; msgtype=response",
                "http://b.example/",
                "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
                        + Integer.toHexString(html.length()) + "\r\n" + html + "\r\n0\r\n\r\n");
        record(
                warc,
                "response",
                "application/http; msgtype=response",
                "http://c.example/",
                "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n<p>gone</p>");
        record(
                warc,
                "response",
                "application/http; msgtype=response",
                "http://d.example/",
                "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\nPNG");
        Path file = write("a.warc", warc.toString());
        Collected collected = read(DEFAULT, file);
        assertThat(collected.documents)
                .containsExactly(
                        Map.entry("a.warc:2", "Text of a page, naïve.\nMore.\n"), Map.entry("a.warc:3", "An answer"));
        assertThat(collected.skipped)
                .containsExactly(Map.entry(file + ":4", "status 404"), Map.entry(file + ":5", "no text but image/png"));
        assertThat(texts(selecting(Selection.template("{url} {text}")), file)).contains("http://b.example/ An answer");
    }

    private static void record(StringBuilder warc, String type, String content, String target, String body) {
        warc.append("WARC/1.0\r\nWARC-Type: ")
                .append(type)
                .append("\r\nWARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-000000000001>\r\n")
                .append("WARC-Date: 2026-01-01T00:00:00Z\r\n")
                .append(target.isEmpty() ? "" : "WARC-Target-URI: " + target + "\r\n")
                .append("Content-Type: ")
                .append(content)
                .append("\r\nContent-Length: ")
                .append(body.getBytes(StandardCharsets.UTF_8).length)
                .append("\r\n\r\n")
                .append(body)
                .append("\r\n\r\n");
    }

    @Test
    void wikipedia() throws IOException {
        Path file = write("dump.xml", """
                <mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">
                  <siteinfo><sitename>Wikipedia</sitename></siteinfo>
                  <page><title>Old</title><ns>0</ns><id>1</id><redirect title="New" />
                    <revision><id>2</id><text>#REDIRECT [[New]]</text></revision></page>
                  <page><title>Talk:New</title><ns>1</ns><id>3</id><revision><text>talk</text></revision></page>
                  <page><title>New</title><ns>0</ns><id>4</id><revision><id>5</id>
                    <contributor><username>U</username><id>6</id></contributor>
                    <text xml:space="preserve">{{Infobox|a={{nested|b}}}}\
                '''New''' is a [[thing|kind of ''thing'']] in [[Place]].&lt;ref name="x"&gt;{{cite}}&lt;/ref&gt;
                [[File:a.png|thumb|A [[picture]] of it]]
                == History ==
                It&amp;nbsp;was &amp;quot;old&amp;quot; &lt;!-- hidden --&gt;(see [https://x.example the page]).
                {| class="t"
                | cell
                |}
                * one
                * two

                [[Category:Things]]
                [[de:Neu]]</text></revision></page>
                </mediawiki>
                """);
        String text = "New is a kind of thing in Place.\n\nHistory\nIt was \"old\" (see the page).\n\none\ntwo";
        assertThat(read(DEFAULT, file).documents).containsExactly(Map.entry("dump.xml:3", text));
        assertThat(texts(selecting(Selection.template("{title} ({id})\\n\\n{text}")), file))
                .containsExactly("New (4)\n\n" + text);
        Path cut = Files.writeString(
                folder.resolve("cut.xml"), Files.readString(file).substring(0, 900));
        assertThatThrownBy(() -> texts(DEFAULT, cut))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("broken XML in line");
    }

    @Test
    void officeDocumentsAndBooks() throws IOException {
        Path docx = zip(
                "a.docx",
                Map.of(
                        "word/document.xml",
                        "<?xml version='1.0'?><w:document xmlns:w='w'><w:body><w:p><w:r><w:t>First</w:t></w:r>"
                                + "<w:r><w:tab/><w:t xml:space='preserve'> line</w:t></w:r></w:p>"
                                + "<w:p><w:t>Second &amp; last</w:t></w:p></w:body></w:document>"));
        assertThat(texts(DEFAULT, docx)).containsExactly("First\t line\nSecond & last\n");
        Path epub = zip(
                "a.epub",
                Map.of(
                        "META-INF/container.xml",
                        "<container><rootfiles><rootfile full-path='O/c.opf'/></rootfiles></container>",
                        "O/c.opf",
                        "<package><manifest><item id='a' href='a.xhtml'/><item id='b' href='b%20c.xhtml'/></manifest>"
                                + "<spine><itemref idref='b'/><itemref idref='a'/></spine></package>",
                        "O/a.xhtml",
                        "<html><body><p>Chapter two</p></body></html>",
                        "O/b c.xhtml",
                        "<html><body><h1>One</h1><p>Chapter one</p></body></html>"));
        assertThat(texts(DEFAULT, epub)).containsExactly("One\n\nChapter one\n\nChapter two");
    }

    private Path zip(String name, Map<String, String> entries) throws IOException {
        Path file = folder.resolve(name);
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(file))) {
            for (Map.Entry<String, String> entry : entries.entrySet()) {
                out.putNextEntry(new ZipEntry(entry.getKey()));
                out.write(entry.getValue().getBytes(StandardCharsets.UTF_8));
            }
        }
        return file;
    }

    /** Pieces of tokens as they come; a bar where a file says that a document ends. */
    private static String tokens(ReadOptions options, Path... files) {
        List<String> found = new ArrayList<>();
        Corpus.of(options, List.of(files)).read(new Corpus.Sink() {
            @Override
            public void text(String document, String piece, boolean last) {
                throw new AssertionError(document);
            }

            @Override
            public void tokens(String document, int[] ids, boolean last) {
                found.add(Arrays.toString(ids) + (last ? "|" : ""));
            }

            @Override
            public void passedOver(Corpus.PassedOver what) {
                throw new AssertionError(what);
            }
        });
        return String.join("", found);
    }

    @Test
    void tokensOfOtherPrograms() throws IOException {
        String llmC = "[255, 72, 105, 255, 72, 111]|";
        String megatron = "[72, 105][33]|[72, 111, 255]|";
        assertThat(tokens(DEFAULT, FILES.resolve("llmc.bin"))).isEqualTo(llmC);
        assertThat(tokens(DEFAULT, FILES.resolve("llmc-llama3.bin"))).isEqualTo(llmC);
        assertThat(tokens(as("uint16"), FILES.resolve("nanogpt.bin"))).isEqualTo("[72, 105, 255, 72, 111, 255]|");
        assertThat(tokens(as("uint32"), FILES.resolve("nanogpt32.bin"))).isEqualTo("[72, 105, 255, 72, 111, 255]|");
        assertThat(tokens(DEFAULT, FILES.resolve("megatron.bin"))).isEqualTo(megatron);
        assertThat(tokens(DEFAULT, FILES.resolve("megatron.idx"))).isEqualTo(megatron);
        Files.createDirectories(folder.resolve("m"));
        for (String name : List.of("megatron.idx", "megatron.bin")) {
            Files.copy(FILES.resolve(name), folder.resolve("m").resolve(name));
        }
        assertThat(tokens(DEFAULT, folder.resolve("m"))).isEqualTo(megatron);
        Path cut = Files.write(folder.resolve("m/megatron.bin"), new byte[20]);
        assertThatThrownBy(() -> tokens(DEFAULT, cut))
                .hasMessage("cannot read " + cut + ": its index megatron.idx tells of 6 tokens of 4 bytes, but"
                        + " megatron.bin has 20 bytes: get both anew");
        byte[] whole = Files.readAllBytes(FILES.resolve("llmc.bin"));
        for (int length : new int[] {whole.length - 1, whole.length + 2, 700}) {
            Path file = Files.write(folder.resolve("x.bin"), Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> tokens(DEFAULT, file))
                    .isInstanceOf(UserException.class)
                    .hasMessageStartingWith("cannot read " + file + ": ");
        }
        Path odd = Files.write(folder.resolve("odd.bin"), new byte[7]);
        assertThatThrownBy(() -> tokens(as("uint32"), odd))
                .hasMessageContaining("its length is no whole number of tokens of 4 bytes");
    }

    @Test
    void patternsAndTheStandardInput() throws IOException {
        Files.createDirectories(folder.resolve("d/e"));
        write("d/b.txt", "bee");
        write("d/a.txt", "a");
        write("d/c.md", "no");
        write("d/e/f.txt", "deep");
        assertThat(texts(DEFAULT, folder.resolve("d/*.txt"))).containsExactly("a", "bee");
        assertThat(texts(DEFAULT, folder.resolve("d/**.txt"))).containsExactly("a", "bee", "deep");
        assertThat(texts(DEFAULT, folder.resolve("?/{a,c}.*"))).containsExactly("a", "no");
        assertThatThrownBy(() -> texts(DEFAULT, folder.resolve("d/*.x")))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("nor does any file whose name is of that pattern");
        InputStream before = System.in;
        try {
            System.setIn(new ByteArrayInputStream(Files.readAllBytes(FILES.resolve("rows.jsonl.zst"))));
            Corpus corpus = Corpus.of(List.of(Path.of("-")));
            for (int i = 0; i < 2; i++) {
                assertThat(Collected.of(corpus).order).containsExactly("stdin:1", "stdin:2", "stdin:3");
            }
        } finally {
            System.setIn(before);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"no field", "{", "{}", "{ }", "a}", "{a"})
    void badTemplates(String template) {
        assertThatThrownBy(() -> Selection.template(template)).isInstanceOf(UserException.class);
    }
}
