package dev.whirlwind.data;

import static dev.whirlwind.model.fuzz.Fuzz.utf8;

import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.model.fuzz.Fuzz;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Prepared folders, and files of text. */
class DataFilesFuzzTest {
    private static final Corpus.Sink SINK = new Corpus.Sink() {
        @Override
        public void text(String document, String piece, boolean last) {}

        @Override
        public void tokens(String document, int[] ids, boolean last) {}

        @Override
        public void passedOver(Corpus.PassedOver what) {}
    };

    private static final byte[] ROWS = utf8("""
            {"text": "A first document.", "url": "x", "score": 0.5}
            {"text": "Another, with \\u00e9 and \\ud83d\\ude00.", "meta": {"a": [1, 2, null, true]}}

            {"id": 3, "text": ""}
            """);

    private static final byte[] ARRAY = utf8("[{\"text\": \"one\"}, {\"text\": \"two\", \"n\": -1.5e3}]");

    @TempDir
    Path folder;

    @BeforeEach
    void prepare() throws IOException {
        TestShards.write(
                folder, new TestShards.Fake(300, (byte) 1), 100, new int[] {1, 2, 3, 0}, new int[] {4, 299, 0});
    }

    @Test
    void summary() throws IOException {
        Path file = folder.resolve(DatasetSummary.FILE);
        byte[] seed = Files.readAllBytes(file);
        new Fuzz("dataset", file, path -> TokenDataset.open(path.getParent(), TokenDataset.TRAIN, 300), seed).run();
    }

    @Test
    void shard() throws IOException {
        Path file = folder.resolve("train-00000.tokens");
        byte[] seed = Files.readAllBytes(file);
        new Fuzz(
                        "shard",
                        file,
                        path -> {
                            TokenDataset tokens = TokenDataset.open(path.getParent(), TokenDataset.TRAIN, 300);
                            int n = Math.toIntExact(tokens.tokens());
                            tokens.read(0, new int[n], 0, n);
                        },
                        seed)
                .run();
    }

    @Test
    void rows() throws IOException {
        corpus("rows.jsonl", ROWS, ARRAY);
    }

    @Test
    void arraysAndOtherJson() throws IOException {
        corpus("rows.json", ARRAY, ROWS, utf8("{\"a\": 1}"));
    }

    @Test
    void text() throws IOException {
        corpus("a.txt", utf8("Plain text, naïve, 北京 😀.\r\nA second line.\n"), ROWS);
    }

    @Test
    void packed() throws IOException {
        ByteArrayOutputStream gzip = new ByteArrayOutputStream();
        try (GZIPOutputStream out = new GZIPOutputStream(gzip)) {
            out.write(ROWS);
        }
        corpus("rows.jsonl.gz", gzip.toByteArray());
        ByteArrayOutputStream zip = new ByteArrayOutputStream();
        try (ZipOutputStream out = new ZipOutputStream(zip)) {
            out.putNextEntry(new ZipEntry("rows.jsonl"));
            out.write(ROWS);
            out.putNextEntry(new ZipEntry("b/text.txt"));
            out.write(utf8("Text."));
        }
        corpus("texts.zip", zip.toByteArray());
        // A tar's entry: name, mode, owner, group, size, time, checksum, type, in octal.
        byte[] tar = new byte[2048];
        byte[] header = utf8("a.txt" + "\0".repeat(95) + "0000644\0" + "0000000\0".repeat(2) + "00000000005\0"
                + "00000000000\0" + "        0");
        System.arraycopy(header, 0, tar, 0, header.length);
        int sum = 0;
        for (byte b : header) {
            sum += b;
        }
        System.arraycopy(utf8("%06o\0 ".formatted(sum)), 0, tar, 148, 8);
        System.arraycopy(utf8("Texts"), 0, tar, 512, 5);
        corpus("texts.tar", tar);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "stream.arrow",
                "zstd.feather",
                "lz4.feather",
                "dictionary.arrow",
                "views.arrow",
                "pandas.csv",
                "rows.jsonl.zst",
                "rows.jsonl.bz2",
                "rows.jsonl.xz",
                "llmc.bin",
                "megatron.idx"
            })
    void formats(String name) throws IOException {
        Path files = Path.of("src/test/resources/formats");
        Files.copy(files.resolve("megatron.bin"), folder.resolve("megatron.bin"));
        corpus(name, Files.readAllBytes(files.resolve(name)));
    }

    private void corpus(String name, byte[]... seeds) throws IOException {
        new Fuzz(name, folder.resolve(name), file -> Corpus.of(List.of(file)).read(SINK), seeds).run();
    }
}
