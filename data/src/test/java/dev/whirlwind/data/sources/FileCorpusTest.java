package dev.whirlwind.data.sources;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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
