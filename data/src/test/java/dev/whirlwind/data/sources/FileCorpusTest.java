package dev.whirlwind.data.sources;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.whirlwind.data.sources.formats.Kind;
import dev.whirlwind.model.UserException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class FileCorpusTest {
    @TempDir
    Path folder;

    private Collected read(Path... paths) {
        return Collected.of(Corpus.of(List.of(paths)));
    }

    private Path write(String name, String text) throws IOException {
        return write(name, text.getBytes(StandardCharsets.UTF_8));
    }

    private Path write(String name, byte[] bytes) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.write(file, bytes);
    }

    @Test
    void aFolderIsReadInNameOrderWithAllBelowIt() throws IOException {
        write("b.txt", "bee");
        write("a/z.java", "class Z {}\n");
        write("a/Y.md", "\uFEFFwith a byte order mark");
        write("c", "no extension, ünïcödé 😀");
        write(".git/config", "hidden");
        write("a/.hidden", "hidden");
        Collected collected = read(folder);
        assertThat(collected.order).containsExactly("a/Y.md", "a/z.java", "b.txt", "c");
        assertThat(collected.documents)
                .containsEntry("a/Y.md", "with a byte order mark")
                .containsEntry("c", "no extension, ünïcödé 😀");
        assertThat(collected.skipped).isEmpty();
    }

    @Test
    void whatIsNotTextIsSkippedAndNamed() throws IOException {
        write("good.txt", "good");
        Path binary = write("binary.bin", new byte[] {'a', 'b', 0, 'c'});
        Path latin1 = write("latin1.txt", "caf\u00e9 au lait".getBytes(StandardCharsets.ISO_8859_1));
        Path cut = write("cut.txt", Arrays.copyOf("€€".getBytes(StandardCharsets.UTF_8), 5));
        byte[] late = "x".repeat(200_000).getBytes(StandardCharsets.UTF_8);
        late[190_001] = (byte) 0xFF;
        Path lateInvalid = write("late.txt", late);
        late[190_001] = 0;
        Path lateBinary = write("late.bin", late);
        Path empty = write("empty.txt", "");
        Path blank = write("blank.txt", " \n\t\n");
        Path dangling = Files.createSymbolicLink(folder.resolve("dangling"), folder.resolve("nowhere"));
        Collected collected = read(folder);
        assertThat(collected.order).containsExactly("good.txt");
        assertThat(collected.skipped)
                .containsEntry(binary.toString(), "binary (NUL at byte 2)")
                .containsEntry(latin1.toString(), "not UTF-8 at byte 3")
                .containsEntry(cut.toString(), "not UTF-8 at byte 3")
                .containsEntry(lateInvalid.toString(), "not UTF-8 at byte 190001")
                .containsEntry(lateBinary.toString(), "binary (NUL at byte 190001)")
                .containsEntry(empty.toString(), "empty")
                .containsEntry(blank.toString(), "empty")
                .containsEntry(dangling.toString(), "neither a file nor a folder")
                .hasSize(8);
    }

    @Test
    void linksThatLeadBackEnd() throws IOException {
        write("a/one.txt", "one");
        write("b/two.txt", "two");
        Files.createSymbolicLink(folder.resolve("a/up"), folder);
        Files.createSymbolicLink(folder.resolve("a/other"), folder.resolve("b"));
        Files.createSymbolicLink(folder.resolve("b/other"), folder.resolve("a"));
        Files.createSymbolicLink(folder.resolve("b/self"), folder.resolve("b/self"));
        Collected collected = Assertions.assertTimeoutPreemptively(Duration.ofSeconds(20), () -> read(folder));
        assertThat(collected.order).containsExactly("a/one.txt", "a/other/two.txt");
        assertThat(collected.skipped)
                .containsOnlyKeys(folder.resolve("a/other/self").toString());
    }

    @Test
    void severalPathsKeepTheirNamesApart() throws IOException {
        Path one = write("p/texts/x.txt", "one").getParent();
        Path two = write("q/texts/x.txt", "two").getParent();
        Path file = write("x.txt", "three");
        assertThat(read(one, two, file).documents)
                .containsEntry("texts/x.txt", "one")
                .containsEntry("texts#2/x.txt", "two")
                .containsEntry("x.txt/x.txt", "three");
        assertThat(read(file).order).containsExactly("x.txt");
    }

    @Test
    void jsonLinesAreDocuments() throws IOException {
        Path file = write("d/data.jsonl", """
                {"text": "first\\nline", "id": 1}

                {"id": 2, "text": "sécond \\ud83d\\ude00"}\r
                {"text": "lone \\ud83d surrogate"}
                {"text": "  "}
                {"text": "%s"}""".formatted("word ".repeat(100_000)));
        Collected collected = read(file.getParent());
        assertThat(collected.order).containsExactly("data.jsonl:1", "data.jsonl:3", "data.jsonl:4", "data.jsonl:6");
        assertThat(collected.documents)
                .containsEntry("data.jsonl:1", "first\nline")
                .containsEntry("data.jsonl:3", "sécond 😀")
                .containsEntry("data.jsonl:4", "lone \uFFFD surrogate")
                .containsEntry("data.jsonl:6", "word ".repeat(100_000));
        assertThat(collected.skipped).containsOnlyKeys(file + ":5");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '`',
            value = {
                "{\"text\": \"unfinished         ; broken JSON at column",
                "{\"text\": \"a\"} trailing      ; broken JSON at column",
                "not json                        ; broken JSON at column",
                "{\"content\": \"a\"}            ; no string field \"text\"",
                "{\"text\": 5}                   ; no string field \"text\"",
                "[\"text\"]                      ; no string field \"text\"",
            })
    void brokenJsonLinesAreNamed(String line, String message) throws IOException {
        Path file = write("data.jsonl", "{\"text\": \"good\"}\n\n" + line + "\n{\"text\": \"good\"}\n");
        assertThatThrownBy(() -> read(file))
                .isInstanceOf(UserException.class)
                .hasMessageStartingWith(file + ":3: " + message)
                .message()
                .doesNotContain("\n");
    }

    @Test
    void gzippedFilesAreReadLikePlainOnes() throws IOException {
        Path text = folder.resolve("a.txt.gz");
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(text))) {
            out.write("zipped text".repeat(1000).getBytes(StandardCharsets.UTF_8));
        }
        Path lines = folder.resolve("b.jsonl.gz");
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(lines))) {
            out.write("{\"text\": \"zipped line\"}\n".getBytes(StandardCharsets.UTF_8));
        }
        assertThat(read(folder).documents)
                .containsEntry("a.txt.gz", "zipped text".repeat(1000))
                .containsEntry("b.jsonl.gz:1", "zipped line");

        Files.write(text, Arrays.copyOf(Files.readAllBytes(text), 30));
        assertThatThrownBy(() -> read(folder))
                .isInstanceOf(UserException.class)
                .hasMessage("cannot read " + text + ": it ends too early, as a cut file does");
    }

    @Test
    void zipsAreReadLikeFolders() throws IOException {
        Path zip = folder.resolve("sources.zip");
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(zip))) {
            for (String name : List.of("src/b.java", "src/a.java", "src/.hidden", "__MACOSX/x", "logo.png")) {
                out.putNextEntry(new ZipEntry(name));
                out.write(name.endsWith("png") ? new byte[] {0} : ("// " + name).getBytes(StandardCharsets.UTF_8));
            }
        }
        Collected collected = read(zip);
        assertThat(collected.order).containsExactly("src/a.java", "src/b.java");
        assertThat(collected.documents).containsEntry("src/b.java", "// src/b.java");
        assertThat(collected.skipped).containsOnlyKeys(zip + "!logo.png");

        Files.write(zip, Arrays.copyOf(Files.readAllBytes(zip), 100));
        assertThatThrownBy(() -> read(zip))
                .isInstanceOf(UserException.class)
                .hasMessageStartingWith("cannot read " + zip);
    }

    @Test
    void linksAndOddNamesInATarAreHarmless() throws IOException {
        Path tar = folder.resolve("in/all.tar");
        Files.createDirectories(tar.getParent());
        try (TarArchiveOutputStream out = new TarArchiveOutputStream(Files.newOutputStream(tar), "UTF-8")) {
            out.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
            out.setAddPaxHeadersForNonAsciiNames(true);
            entry(out, new TarArchiveEntry("./texts/b.txt"), "bee".getBytes(StandardCharsets.UTF_8));
            entry(
                    out,
                    new TarArchiveEntry("./a/" + "long/".repeat(60) + "中.txt"),
                    "long".getBytes(StandardCharsets.UTF_8));
            entry(out, new TarArchiveEntry("../../etc/up.txt"), "up".getBytes(StandardCharsets.UTF_8));
            entry(out, new TarArchiveEntry("/absolute\u001B[1m.txt", true), "abs".getBytes(StandardCharsets.UTF_8));
            entry(out, new TarArchiveEntry("./.git/config"), "hidden".getBytes(StandardCharsets.UTF_8));
            entry(out, new TarArchiveEntry("dir/"), new byte[0]);
            TarArchiveEntry link = new TarArchiveEntry("passwd", TarConstants.LF_SYMLINK);
            link.setLinkName("/etc/passwd");
            entry(out, link, new byte[0]);
            entry(out, new TarArchiveEntry("rows.json.gz"), gzip("{\"text\": \"one\"}\n{\"text\": \"two\"}\n"));
            entry(out, new TarArchiveEntry("inner.tar"), tar("x", "y"));
            entry(
                    out,
                    new TarArchiveEntry("large.txt"),
                    "large ".repeat(3_000_000).getBytes(StandardCharsets.UTF_8));
        }
        Collected collected = read(folder);
        assertThat(collected.order)
                .containsExactly(
                        "in/all.tar!texts/b.txt",
                        "in/all.tar!a/" + "long/".repeat(60) + "中.txt",
                        "in/all.tar!../../etc/up.txt",
                        "in/all.tar!/absolute [1m.txt",
                        "in/all.tar!rows.json.gz:1",
                        "in/all.tar!rows.json.gz:2",
                        "in/all.tar!large.txt");
        assertThat(collected.documents)
                .containsEntry("in/all.tar!texts/b.txt", "bee")
                .containsEntry("in/all.tar!rows.json.gz:2", "two")
                .containsEntry("in/all.tar!large.txt", "large ".repeat(3_000_000));
        assertThat(collected.skipped)
                .containsExactly(Map.entry(tar + "!inner.tar", "an archive inside an archive: unpack it first"));
        assertThat(collected.kinds).containsEntry("in/all.tar", Kind.ARCHIVE);
    }

    private static void entry(TarArchiveOutputStream out, TarArchiveEntry entry, byte[] content) throws IOException {
        entry.setSize(content.length);
        out.putArchiveEntry(entry);
        out.write(content);
        out.closeArchiveEntry();
    }

    private static byte[] tar(String name, String text) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarArchiveOutputStream out = new TarArchiveOutputStream(bytes)) {
            entry(out, new TarArchiveEntry(name), text.getBytes(StandardCharsets.UTF_8));
        }
        return bytes.toByteArray();
    }

    private static byte[] gzip(byte[] bytes) throws IOException {
        ByteArrayOutputStream zipped = new ByteArrayOutputStream();
        try (OutputStream out = new GZIPOutputStream(zipped)) {
            out.write(bytes);
        }
        return zipped.toByteArray();
    }

    private static byte[] gzip(String text) throws IOException {
        return gzip(text.getBytes(StandardCharsets.UTF_8));
    }

    @ParameterizedTest
    @ValueSource(strings = {"a.tar.gz", "a.tgz", "A.TGZ", "a.Tar.GZ"})
    void gzippedTarsAreReadUnderAllTheirNames(String name) throws IOException {
        write("d/" + name, gzip(tar("b.jsonl", "{\"text\": \"bee\"}")));
        assertThat(read(folder.resolve("d")).order).containsExactly(name + "!b.jsonl:1");
        assertThat(read(folder.resolve("d").resolve(name)).order).containsExactly("b.jsonl:1");
    }

    @Test
    void aCutTarIsNamedAndWhatOnlyHasTheNameIsNot() throws IOException {
        byte[] whole = tar("b.txt", "bee".repeat(1000));
        Path tar = write("a.tar", Arrays.copyOf(whole, 1500));
        assertThatThrownBy(() -> read(folder))
                .isInstanceOf(UserException.class)
                .hasMessageStartingWith("cannot read " + tar);
        write("a.tar", "no archive at all");
        write("b.zip", "nor this one");
        assertThat(read(folder).order).containsExactly("a.tar", "b.zip");
    }

    @Test
    void zipsInFoldersAreReadAndOtherThingsInTheirFormAreNot() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream out = new ZipOutputStream(bytes)) {
            out.putNextEntry(new ZipEntry("b.jsonl"));
            out.write("{\"text\": \"one\"}\n\n{\"text\": \"two\"}".getBytes(StandardCharsets.UTF_8));
            out.putNextEntry(new ZipEntry("c.txt.gz"));
            // Of two members, as tools that zip in parallel write it.
            out.write(gzip("three "));
            out.write(gzip("four"));
            out.putNextEntry(new ZipEntry("../up.zip"));
            out.write(new byte[] {'P', 'K', 3, 4, 0, 0});
        }
        write("d/A.ZIP", bytes.toByteArray());
        Path docx = write("d/letter.docx", bytes.toByteArray());
        Collected collected = read(folder.resolve("d"));
        assertThat(collected.order).containsExactly("A.ZIP!b.jsonl:1", "A.ZIP!b.jsonl:3", "A.ZIP!c.txt.gz");
        assertThat(collected.documents).containsEntry("A.ZIP!c.txt.gz", "three four");
        assertThat(collected.skipped)
                .containsOnlyKeys(docx.toString(), folder.resolve("d/A.ZIP") + "!../up.zip")
                .containsEntry(
                        docx.toString(),
                        "the document cannot be read: it holds no text of a word processor or an e-book")
                .containsValue("an archive or a document in zip's form: unpack or convert it first");
    }

    /** As old systems write names; bytes that are no UTF-8 label a document as well as any. */
    @Test
    void namesInAZipMayBeOfAnyEncoding() throws IOException {
        Path zip = folder.resolve("a.zip");
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(zip), Charset.forName("IBM437"))) {
            out.putNextEntry(new ZipEntry("für.txt"));
            out.write('x');
        }
        assertThat(read(zip).order).containsExactly("für.txt");
    }

    @Test
    void whatUnpacksBeyondAllMeasureIsRefused() throws IOException {
        long[] packed = {1000};
        Expansion expansion = new Expansion("bomb.gz", () -> packed[0]);
        byte[] chunk = new byte[1 << 20];
        InputStream endless = new InputStream() {
            @Override
            public int read() {
                return 0;
            }

            @Override
            public int read(byte[] bytes, int offset, int length) {
                return length;
            }
        };
        assertThatThrownBy(() -> {
                    try (InputStream in = expansion.of(endless)) {
                        for (int i = 0; i < 1 << 20; i++) {
                            in.read(chunk);
                        }
                    }
                })
                .isInstanceOf(UserException.class)
                .hasMessageContaining("bomb.gz: unpacks to more than 500 times its size");
        packed[0] = 1 << 30;
        try (InputStream in = expansion.of(endless)) {
            assertThat(in.read(chunk)).isEqualTo(chunk.length);
        }
    }

    @Test
    void compressionIsKnownByContentWhateverTheName() throws IOException {
        write("d/data.bin", gzip("zipped"));
        write("d/plain.txt.gz", "unpacked by a browser");
        Path twice = write("d/twice.txt.gz", gzip(gzip("zipped")));
        Collected collected = read(folder);
        assertThat(collected.documents)
                .containsOnly(Map.entry("d/data.bin", "zipped"), Map.entry("d/plain.txt.gz", "unpacked by a browser"));
        assertThat(collected.skipped)
                .containsOnly(Map.entry(twice.toString(), "compressed with gzip: unpack it first"));
    }

    @Test
    void nothingAmidGzipIsTakenForItsEnd() throws IOException {
        byte[] rows = gzip("{\"text\": \"a\"}\n".repeat(100));
        byte[] both = Arrays.copyOf(rows, 2 * rows.length);
        System.arraycopy(rows, 0, both, rows.length, rows.length);
        Path file = write("d/a.jsonl.gz", both);
        assertThat(read(folder).documents).hasSize(200);
        write("d/a.jsonl.gz", Arrays.copyOf(both, both.length + 10_000));
        assertThat(read(folder).documents).hasSize(200);
        // Its second part begins with two bytes that are always the same, then the kind of compression.
        for (int i = rows.length; i < rows.length + 3; i++) {
            byte[] damaged = both.clone();
            damaged[i] ^= 4;
            write("d/a.jsonl.gz", damaged);
            assertThatThrownBy(() -> read(folder))
                    .isInstanceOf(UserException.class)
                    .hasMessageContaining(file.toString());
        }
    }

    @Test
    void whatIsNamedRowsAndIsCompressedIsPassedOverWhole() throws IOException {
        Path file = write("d/a.jsonl", gzip(gzip("{\"text\": \"a\"}\n")));
        write("d/b.txt", "b");
        assertThat(read(folder).skipped)
                .containsOnly(Map.entry(file.toString(), "compressed with gzip: unpack it first"));
        // Stored in a zip, its lines are there to be seen.
        write("d/a.jsonl", "PK\3\4 a.jsonl\n{\"text\": \"a\"}\n");
        assertThat(read(folder).order).containsExactly("d/b.txt");
    }

    @Test
    void aPipeIsReadAsOftenAsNeedBe() throws Exception {
        Path pipe = folder.resolve("pipe");
        assumeTrue(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor() == 0);
        for (int n : new int[] {3, 1_700_000}) {
            String text = "word ".repeat(n);
            Thread writer = Thread.ofVirtual().start(() -> {
                try {
                    Files.writeString(pipe, text);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
            Corpus corpus = Corpus.of(List.of(pipe));
            for (int i = 0; i < 2; i++) {
                assertThat(Collected.of(corpus).documents).containsOnly(Map.entry("pipe", text));
            }
            writer.join();
        }
        // Inside of a folder one would be waited for, maybe for ever.
        assertThat(read(folder).skipped).containsEntry(pipe.toString(), "neither a file nor a folder");
    }

    @Test
    void devicesAreRefused() {
        assumeTrue(Files.exists(Path.of("/dev/zero")));
        assertThatThrownBy(() -> read(Path.of("/dev/zero")))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("/dev/zero is a device");
    }

    @Test
    void whatTheProgramWritesIsNotRead() throws IOException {
        write("d/a.txt", "a");
        write("d/out/config.yaml", "steps: 1");
        write("d/older/config.yaml", "steps: 1");
        write("d/older/metrics.jsonl", "{\"event\": \"step\"}");
        write("d/older/checkpoints/step-00000001/config.json", "{}");
        write("d/tokens/dataset.json", "{}");
        write("d/tokens/train-00000.tokens", new byte[100]);
        write("d/settings/config.yaml", "not a run's");
        Path elsewhere = Files.createSymbolicLink(folder.resolve("link"), folder.resolve("d/out"));
        Files.createSymbolicLink(folder.resolve("d/z"), folder.resolve("d/out"));
        Collected collected = Collected.of(Corpus.of(List.of(folder.resolve("d")), elsewhere));
        assertThat(collected.order).containsExactly("a.txt", "settings/config.yaml");
        assertThat(collected.skipped)
                .containsEntry(folder.resolve("d/out").toString(), "which this run writes to")
                .containsEntry(folder.resolve("d/z").toString(), "which this run writes to")
                .containsEntry(folder.resolve("d/older").toString(), "a run")
                .containsEntry(folder.resolve("d/tokens").toString(), "prepared data");
        // Asked for by name it is read.
        assertThat(read(folder.resolve("d/out")).order).containsExactly("config.yaml");
        for (String name : new String[] {"d/older", "d/tokens"}) {
            assertThatThrownBy(() -> read(folder.resolve(name)))
                    .isInstanceOf(UserException.class)
                    .hasMessageContaining(name + " is ")
                    .hasMessageContaining("holds no texts");
        }
    }

    /** Two names of which the system makes the same text, as neither is UTF-8. */
    @Test
    void namesThatAreNotUtf8AreRead() throws Exception {
        Process process = new ProcessBuilder(
                        "sh", "-c", "printf one > \"$(printf 'a\\377')\" && printf two > \"$(printf 'a\\376')\"")
                .directory(folder.toFile())
                .start();
        assumeTrue(process.waitFor() == 0);
        List<String> texts = new ArrayList<>();
        Corpus.of(List.of(folder)).read(new Corpus.Sink() {
            @Override
            public void text(String document, String piece, boolean last) {
                texts.add(piece);
            }

            @Override
            public void passedOver(Corpus.PassedOver what) {
                throw new AssertionError(what);
            }
        });
        assertThat(texts).containsExactly("two", "one");
    }

    @Test
    void pointersToLargeFilesAreNoText() throws IOException {
        Path pointer =
                write("a.jsonl", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n");
        assertThat(read(folder).skipped)
                .hasEntrySatisfying(
                        pointer.toString(), reason -> assertThat(reason).contains("Git LFS pointer", "git lfs pull"));
    }

    @Test
    void whatCannotBeReadIsNamedInWords() throws IOException {
        Path gzip = write("a.txt", gzip(gzip("text")));
        Path zstd = write("c.jsonl.zst", new byte[] {0x28, (byte) 0xB5, 0x2F, (byte) 0xFD, 0, 0});
        assertThatThrownBy(() -> read(folder))
                .isInstanceOf(UserException.class)
                .hasMessageStartingWith("cannot read " + zstd);
        Files.delete(zstd);
        assertThat(read(folder).skipped).containsEntry(gzip.toString(), "compressed with gzip: unpack it first");
    }

    @Test
    void findingsAreToldInALine() throws IOException {
        write("d/a.jsonl", "{\"text\": \"\"}\n".repeat(50) + "{\"text\": \"one\"}\n");
        write("d/z.txt", "caf\u00e9".getBytes(StandardCharsets.ISO_8859_1));
        assertThat(read(folder.resolve("d")).findings.lines("texts"))
                .containsExactly(
                        "texts: read 1 file of JSON rows (a.jsonl)",
                        "texts: passed over 1 file (z.txt, not UTF-8 at byte 3) and 50 empty rows");
        write("d/y.txt", "caf\u00e9".getBytes(StandardCharsets.ISO_8859_1));
        assertThat(read(folder.resolve("d")).findings.lines("texts"))
                .contains("warning: texts: passed over 2 files (y.txt, not UTF-8 at byte 3; z.txt, not UTF-8 at byte 3)"
                        + " and 50 empty rows, which is more than was read (1)");
        write("e/a.txt", "plain");
        assertThat(read(folder.resolve("e")).findings.lines("texts")).isEmpty();
    }

    @Test
    void missingAndUnreadablePathsAreNamed() throws IOException {
        assertThatThrownBy(() -> read(folder.resolve("nowhere")))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("nowhere does not exist");

        Path locked = write("locked.txt", "text");
        Files.setPosixFilePermissions(locked, PosixFilePermissions.fromString("---------"));
        assumeFalse(Files.isReadable(locked), "root reads everything");
        assertThatThrownBy(() -> read(folder))
                .isInstanceOf(UserException.class)
                .hasMessage("cannot read " + locked + ": permission denied");
    }
}
