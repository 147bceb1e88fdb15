package dev.whirlwind.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.data.Preparation.Deduplication;
import dev.whirlwind.data.sources.Collected;
import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.data.sources.Hash;
import dev.whirlwind.data.sources.TextReader;
import dev.whirlwind.data.sources.formats.ReadOptions;
import dev.whirlwind.data.sources.formats.Selection;
import dev.whirlwind.data.tokenizers.ByteTokenizer;
import dev.whirlwind.data.tokenizers.Cases;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.WatchedDisk;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PreparationTest {
    private static final Preparation.Progress SILENT = (_, _, _) -> {};

    private final long seed = System.nanoTime();
    private final Random random = new Random(seed);
    private final Tokenizer bytes = new ByteTokenizer();

    @TempDir
    Path folder;

    private Path corpus(int files) throws IOException {
        Path corpus = Files.createDirectories(folder.resolve("corpus"));
        for (int i = 0; i < files; i++) {
            Files.writeString(corpus.resolve("f%04d.txt".formatted(i)), words(1 + random.nextInt(300)));
        }
        return corpus;
    }

    private String words(int n) {
        return random.ints(n, 0, 1000).mapToObj(w -> "wörd" + w).collect(Collectors.joining(" "));
    }

    private static Preparation.Options options(double heldOut, long shardTokens, int threads) {
        return new Preparation.Options(heldOut, 5, shardTokens, threads, Preparation.OnBadText.STOP);
    }

    private static int[] all(Path prepared, String split) {
        TokenDataset dataset = TokenDataset.open(prepared, split, 100_000);
        int[] tokens = new int[(int) dataset.tokens()];
        dataset.read(0, tokens, 0, tokens.length);
        return tokens;
    }

    @ParameterizedTest
    @ValueSource(strings = {"bytes", "gpt2", "llama2"})
    void everyDocumentLandsOnOneSideWithItsEndOfText(String name) throws IOException {
        Tokenizer tokenizer = name.equals("bytes") ? bytes : Tokenizer.load(Cases.TOKENIZERS.resolve(name));
        Path corpus = corpus(40);
        Files.write(corpus.resolve("image.bin"), new byte[10]);
        Path out = folder.resolve("out");
        AtomicLong done = new AtomicLong();
        DatasetSummary summary = new Preparation(
                        Corpus.of(List.of(corpus)), tokenizer, options(0.2, 1000, 3), (b, total, tokens) -> {
                            assertThat(b).isGreaterThan(done.getAndSet(b)).isLessThanOrEqualTo(total);
                            assertThat(tokens).isPositive();
                        })
                .run(out);

        List<Integer> expected = new ArrayList<>();
        long expectedBytes = 0;
        Collected collected = Collected.of(Corpus.of(List.of(corpus)));
        HeldOut heldOut = new HeldOut(0.2, 5);
        List<String> order = collected.order;
        order.forEach(document -> {
            String text = collected.documents.get(document);
            heldOut.observe(Hash.add(Hash.EMPTY, text), text.getBytes(StandardCharsets.UTF_8).length);
        });
        for (int document = 0; document < order.size(); document++) {
            if (!heldOut.contains(document)) {
                String text = collected.documents.get(order.get(document));
                Arrays.stream(tokenizer.before()).forEach(expected::add);
                Arrays.stream(tokenizer.encode(text)).forEach(expected::add);
                Arrays.stream(tokenizer.afterDocument()).forEach(expected::add);
                expectedBytes += text.getBytes(StandardCharsets.UTF_8).length;
            }
        }
        assertThat(all(out, "train"))
                .containsExactly(expected.stream().mapToInt(i -> i).toArray());
        TokenDataset train = TokenDataset.open(out, "train", tokenizer.vocabularySize());
        train.requireTokenizer(tokenizer);
        assertThat(train.sourceBytes()).isEqualTo(expectedBytes);
        assertThat(train.endOfText()).isEqualTo(tokenizer.endOfText().id());

        assertThat(summary.train().documents() + summary.valid().documents()).isEqualTo(40);
        assertThat(summary.valid().documents())
                .isEqualTo(IntStream.range(0, order.size())
                        .filter(heldOut::contains)
                        .count())
                .isPositive();
        assertThat(summary.train().bytes() + summary.valid().bytes()).isEqualTo(done.get());
        assertThat(summary.train().tokens()).isEqualTo(expected.size());
        assertThat(summary.train().shards()).isEqualTo((expected.size() + 999) / 1000);
        assertThat(summary.heldOutBy()).isEqualTo("document");
        assertThat(summary.skippedFiles()).isEqualTo(1);
        assertThat(summary.skipped())
                .containsOnlyKeys(corpus.resolve("image.bin").toString());
        assertThat(DatasetSummary.read(out)).isEqualTo(summary);
    }

    /** llm.c puts the end-of-text token before each document, nanoGPT after, Megatron may leave it out. */
    @ParameterizedTest
    @ValueSource(strings = {"llmc.bin", "llmc-llama3.bin", "nanogpt.bin", "nanogpt32.bin", "megatron.bin"})
    void tokensOfOtherProgramsArePreparedAsTheyAre(String name) {
        Path file = Path.of("src/test/resources/formats").resolve(name);
        String as = name.equals("nanogpt.bin") ? "uint16" : name.equals("nanogpt32.bin") ? "uint32" : null;
        ReadOptions reading = new ReadOptions(
                Selection.TEXT,
                false,
                ReadOptions.OnBadLine.STOP,
                StandardCharsets.UTF_8,
                ReadOptions.LineEnds.KEEP,
                as);
        Corpus corpus = Corpus.of(reading, List.of(file));
        boolean megatron = name.startsWith("megatron");
        int[] first = megatron ? new int[] {72, 105, 33, 255} : new int[] {72, 105, 255};
        int[] second = {72, 111, 255};
        Path out = folder.resolve("out");
        DatasetSummary summary = new Preparation(corpus, bytes, options(0, 1000, 2), SILENT).run(out);
        assertThat(all(out, "train"))
                .containsExactly(IntStream.concat(IntStream.of(first), IntStream.of(second))
                        .toArray());
        assertThat(summary.train().documents()).isEqualTo(2);
        assertThat(summary.train().bytes()).isEqualTo(megatron ? 5 : 4);
        // A half held out is one of the two, as with texts.
        Path half = folder.resolve("half");
        new Preparation(corpus, bytes, options(0.5, 1000, 2), SILENT).run(half);
        assertThat(List.of(all(half, "train"), all(half, "valid"))).containsExactlyInAnyOrder(first, second);
    }

    @Test
    void tokensOfAnotherVocabularyAreRefused() throws IOException {
        Path file = folder.resolve("a.bin");
        Files.write(file, new byte[] {72, 0, 0, 1});
        ReadOptions reading = new ReadOptions(
                Selection.TEXT,
                false,
                ReadOptions.OnBadLine.STOP,
                StandardCharsets.UTF_8,
                ReadOptions.LineEnds.KEEP,
                "uint16");
        assertThatThrownBy(() -> new Preparation(Corpus.of(reading, List.of(file)), bytes, options(0, 1000, 2), SILENT)
                        .run(folder.resolve("out")))
                .isInstanceOf(UserException.class)
                .hasMessageStartingWith(file + ": holds the token 256, which is beyond the vocabulary of 256");
    }

    @Test
    void theFilesDoNotDependOnTheThreads() throws IOException {
        Corpus corpus = Corpus.of(List.of(corpus(60)));
        Tokenizer tokenizer = Tokenizer.load(Cases.TOKENIZERS.resolve("gpt2"));
        List<byte[]> first = null;
        for (int threads : new int[] {1, 2, 7}) {
            Path out = folder.resolve("out" + threads);
            new Preparation(corpus, tokenizer, options(0.1, 5000, threads), SILENT).run(out);
            List<byte[]> files = contents(out);
            first = first == null ? files : first;
            assertThat(files).hasSameSizeAs(first);
            for (int i = 0; i < files.size(); i++) {
                assertThat(files.get(i)).isEqualTo(first.get(i));
            }
        }
    }

    private static List<byte[]> contents(Path folder) throws IOException {
        List<byte[]> contents = new ArrayList<>();
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.sorted().toList()) {
                contents.add(Files.readAllBytes(file));
            }
        }
        return contents;
    }

    @Test
    void copiesAreLeftOutAndNamed() throws IOException {
        Path corpus = Files.createDirectories(folder.resolve("corpus"));
        Files.writeString(corpus.resolve("a.txt"), "the same text");
        Files.writeString(corpus.resolve("b.txt"), "another one");
        Files.writeString(corpus.resolve("c.txt"), "the  same\ntext\n");
        Files.writeString(corpus.resolve("d.txt"), "another one");
        Path out = folder.resolve("out");
        DatasetSummary summary =
                new Preparation(Corpus.of(List.of(corpus)), bytes, options(0, 1000, 2), SILENT).run(out);
        assertThat(bytes.decode(all(out, "train"))).isEqualTo("the same text<|endoftext|>another one<|endoftext|>");
        assertThat(summary.leftOut()).isEqualTo(new DatasetSummary.LeftOut(2, 0, 26));
        assertThat(Files.readAllLines(out.resolve("left-out.jsonl")))
                .containsExactlyInAnyOrder(
                        "{\"document\":\"c.txt\",\"reason\":\"copy of a.txt\"}",
                        "{\"document\":\"d.txt\",\"reason\":\"copy of b.txt\"}");
        Path all = folder.resolve("all");
        new Preparation(Corpus.of(List.of(corpus)), bytes, options(0, 1000, 2).with(Deduplication.NONE), SILENT)
                .run(all);
        assertThat(all(all, "train")).hasSize(13 + 11 + 15 + 11 + 4);
        assertThat(all.resolve("left-out.jsonl")).doesNotExist();
    }

    /** So none that is held out is a near copy of one that is trained on. */
    @Test
    void nearCopiesAreLeftOutIfAsked() throws IOException {
        Path corpus = Files.createDirectories(folder.resolve("corpus"));
        String text = words(300);
        Files.writeString(corpus.resolve("a.txt"), text);
        Files.writeString(corpus.resolve("b.txt"), words(300));
        Files.writeString(corpus.resolve("c.txt"), "A heading. " + text.toUpperCase(Locale.ROOT) + " And an end!");
        Files.writeString(corpus.resolve("d.txt"), text);
        Corpus texts = Corpus.of(List.of(corpus));
        Path out = folder.resolve("out");
        DatasetSummary summary =
                new Preparation(texts, bytes, options(0, 1000, 2).with(Deduplication.NEAR), SILENT).run(out);
        assertThat(summary.train().documents()).isEqualTo(2);
        assertThat(summary.leftOut().copies()).isEqualTo(1);
        assertThat(summary.leftOut().nearCopies()).isEqualTo(1);
        assertThat(Files.readAllLines(out.resolve("left-out.jsonl")))
                .containsExactly(
                        "{\"document\":\"c.txt\",\"reason\":\"near copy of a.txt\"}",
                        "{\"document\":\"d.txt\",\"reason\":\"copy of a.txt\"}");
    }

    @Test
    void statisticsAreThoseOfTheTokens() throws IOException {
        Path corpus = Files.createDirectories(folder.resolve("corpus"));
        Files.writeString(corpus.resolve("a.txt"), "aaa");
        Files.writeString(corpus.resolve("b.txt"), "abcdefgh");
        Files.writeString(corpus.resolve("c.txt"), "xyz".repeat(40_000));
        DatasetSummary summary = new Preparation(Corpus.of(List.of(corpus)), bytes, options(0, 50_000, 2), SILENT)
                .run(folder.resolve("out"));
        TokenStatistics statistics = summary.statistics();
        assertThat(statistics.used()).isEqualTo(8 + 3 + 1);
        assertThat(statistics.unused()).isEqualTo(1 - 12 / 256.0);
        assertThat(statistics.bytesPerToken()).isEqualTo(120_011 / 120_014.0);
        assertThat(statistics.longest()).isEqualTo(120_001);
        assertThat(statistics.lengths())
                .hasSize(17)
                .startsWith(0L, 0L, 1L, 1L, 0L)
                .endsWith(1L);
    }

    /** Whatever call to the disk is the last: the next preparation makes what one that is not ended makes. */
    @ParameterizedTest
    @ValueSource(strings = {"bytes", "gpt2"})
    void whatWasEndedGoesOnToTheSameBytes(String name) throws IOException {
        Tokenizer tokenizer = name.equals("bytes") ? bytes : Tokenizer.load(Cases.TOKENIZERS.resolve(name));
        Path texts = corpus(25);
        Files.writeString(texts.resolve("long.txt"), words(8_000));
        Files.copy(texts.resolve("f0003.txt"), texts.resolve("copy.txt"));
        Corpus corpus = Corpus.of(List.of(texts));
        Path whole = folder.resolve("whole");
        new Preparation(corpus, tokenizer, options(0.2, 8_000, 2), SILENT).run(whole);
        int calls;
        try (WatchedDisk disk = new WatchedDisk()) {
            new Preparation(corpus, tokenizer, options(0.2, 8_000, 2), SILENT).run(folder.resolve("counted"));
            calls = disk.calls().size();
        }
        int goneOn = 0;
        for (int i = 0; i < 20; i++) {
            Path out = folder.resolve("out" + i);
            for (int threads = 1; !TokenDataset.isPrepared(out); threads++) {
                int finished = shards(out);
                try (WatchedDisk disk = new WatchedDisk()) {
                    // The last try is left alone.
                    if (threads < 4) {
                        disk.failingAfter(random.nextInt(calls));
                    }
                    new Preparation(corpus, tokenizer, options(0.2, 8_000, threads), SILENT).run(out);
                    long made = disk.calls().stream()
                            .filter(call -> call.action() == WatchedDisk.Action.RENAME
                                    && call.target().toString().endsWith(".tokens"))
                            .count();
                    goneOn += made < shards(whole) && finished > 0 ? 1 : 0;
                } catch (UserException e) {
                    assertThat(e).as("seed %d", seed).hasMessageContaining(WatchedDisk.FULL);
                }
            }
            Files.deleteIfExists(out.resolve("progress.json"));
            List<byte[]> expected = contents(whole);
            List<byte[]> found = contents(out);
            assertThat(found).as("seed %d", seed).hasSameSizeAs(expected);
            for (int file = 0; file < expected.size(); file++) {
                assertThat(found.get(file)).as("seed %d, file %d", seed, file).isEqualTo(expected.get(file));
            }
        }
        assertThat(goneOn).as("seed %d", seed).isPositive();
    }

    private static int shards(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return 0;
        }
        try (Stream<Path> files = Files.list(folder)) {
            return (int)
                    files.filter(file -> file.toString().endsWith(".tokens")).count();
        }
    }

    /** One long document, several pieces long: its end is held out. */
    @Test
    void aSingleDocumentIsSplitByPosition() throws IOException {
        String text = words(150_000);
        Path file = Files.writeString(folder.resolve("one.txt"), text);
        Path out = folder.resolve("out");
        DatasetSummary summary =
                new Preparation(Corpus.of(List.of(file)), bytes, options(0.25, 1_000_000, 2), SILENT).run(out);
        assertThat(text.length()).isGreaterThan(3 * TextReader.PIECE);
        String train = bytes.decode(all(out, "train"));
        String valid = bytes.decode(all(out, "valid"));
        assertThat(train + valid).isEqualTo(text + "<|endoftext|>");
        assertThat((double) valid.length() / text.length()).isBetween(0.249, 0.251);
        assertThat(summary.heldOutBy()).isEqualTo("position");
        assertThat(summary.train().bytes() + summary.valid().bytes())
                .isEqualTo(text.getBytes(StandardCharsets.UTF_8).length);
    }

    @Test
    void withoutAHeldOutFractionAllIsForTraining() throws IOException {
        Path out = folder.resolve("out");
        Path file = Files.writeString(folder.resolve("one.txt"), "some text");
        DatasetSummary summary = new Preparation(Corpus.of(List.of(file)), bytes, options(0, 1000, 2), SILENT).run(out);
        assertThat(bytes.decode(all(out, "train"))).isEqualTo("some text<|endoftext|>");
        assertThat(summary.valid().tokens()).isZero();
        assertThatThrownBy(() -> TokenDataset.open(out, "valid", 256))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("no valid tokens");
    }

    @Test
    void copiesOfOneTextHaveNoPartThatCouldBeHeldOut() throws IOException {
        Path corpus = Files.createDirectories(folder.resolve("corpus"));
        for (int i = 0; i < 3; i++) {
            Files.writeString(corpus.resolve(i + ".txt"), "the same" + "\n".repeat(i));
        }
        Corpus texts = Corpus.of(List.of(corpus));
        assertThatThrownBy(() -> new Preparation(
                                texts, bytes, options(0.1, 1000, 2).with(Deduplication.NONE), SILENT)
                        .run(folder.resolve("out")))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("holds the same text 3 times");
        assertThat(new Preparation(texts, bytes, options(0, 1000, 2).with(Deduplication.NONE), SILENT)
                        .run(folder.resolve("out"))
                        .train()
                        .documents())
                .isEqualTo(3);
    }

    @Test
    void aCorpusThatChangesWhileItIsReadIsRefused() throws IOException {
        Path corpus = corpus(5);
        Corpus texts = Corpus.of(List.of(corpus));
        Corpus growing = new Corpus() {
            @Override
            public void read(Sink sink) {
                texts.read(sink);
                try {
                    Files.writeString(corpus.resolve("a.log"), "another line");
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }

            @Override
            public String name() {
                return "growing";
            }
        };
        assertThatThrownBy(
                        () -> new Preparation(growing, bytes, options(0.1, 1000, 2), SILENT).run(folder.resolve("out")))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("growing changed while it was being read");
        assertThat(folder.resolve("out")).doesNotExist();
    }

    /** A shard, and what says that all are there, count only once they would survive a power cut. */
    @Test
    void whatIsPreparedIsSyncedBeforeItHasItsName() throws IOException {
        Corpus corpus = Corpus.of(List.of(corpus(30)));
        Path out = folder.resolve("new/out");
        try (WatchedDisk disk = new WatchedDisk()) {
            new Preparation(corpus, bytes, options(0.2, 1000, 2), SILENT).run(out);
            assertThat(disk.unsynced(folder)).isEmpty();
            Set<Path> dirty = new HashSet<>();
            List<String> named = new ArrayList<>();
            for (WatchedDisk.Call call : disk.calls()) {
                switch (call.action()) {
                    case CREATE_FILE, WRITE -> dirty.add(call.path());
                    case SYNC -> dirty.remove(call.path());
                    case RENAME -> {
                        assertThat(dirty).doesNotContain(call.path());
                        named.add(call.target().getFileName().toString());
                    }
                    default -> {}
                }
            }
            assertThat(named).contains("train-00000.tokens", "train-00001.tokens", "valid-00000.tokens");
            assertThat(named).last().isEqualTo("dataset.json");
            // In the folder that was new, too.
            assertThat(disk.calls())
                    .anyMatch(call -> call.action() == WatchedDisk.Action.SYNC
                            && call.path().equals(folder.toAbsolutePath()));
        }
    }

    /** The disk is full at each of the calls in turn. */
    @Test
    void aFullDiskNeverLeavesWhatLooksPrepared() throws IOException {
        Corpus corpus = Corpus.of(List.of(corpus(3)));
        Path out = folder.resolve("out");
        int call = 0;
        for (boolean failed = true; failed; call++) {
            try (WatchedDisk disk = new WatchedDisk().failingAfter(call)) {
                new Preparation(corpus, bytes, options(0.2, 100_000, 2), SILENT).run(out);
                failed = disk.calls().size() > call;
            } catch (UserException e) {
                assertThat(e).hasMessageContaining(out.toString()).hasMessageContaining(WatchedDisk.FULL);
                // Only the sync of its name can fail once dataset.json is there, and then all else is whole.
                if (TokenDataset.isPrepared(out)) {
                    all(out, "train");
                    all(out, "valid");
                    Files.delete(out.resolve("dataset.json"));
                }
            }
        }
        assertThat(call).isGreaterThan(10);
        assertThat(all(out, "train")).isNotEmpty();
    }

    @Test
    void anEmptyCorpusIsRefused() throws IOException {
        Path corpus = Files.createDirectory(folder.resolve("corpus"));
        Path out = folder.resolve("out");
        Preparation preparation = new Preparation(Corpus.of(List.of(corpus)), bytes, options(0.1, 1000, 2), SILENT);
        assertThatThrownBy(() -> preparation.run(out))
                .isInstanceOf(UserException.class)
                .hasMessage(corpus + " holds no text: add UTF-8 text");
        Files.write(corpus.resolve("image.bin"), new byte[10]);
        assertThatThrownBy(() -> preparation.run(out))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("(passed over 1 file (image.bin, binary (NUL at byte 0)))");
    }

    @Test
    void anOutputFolderInUseIsRefusedButLeftoversAreNot() throws IOException {
        Corpus corpus = Corpus.of(List.of(corpus(3)));
        Path out = Files.createDirectory(folder.resolve("out"));
        Path precious = Files.writeString(out.resolve("precious.txt"), "do not delete");
        Preparation preparation = new Preparation(corpus, bytes, options(0.1, 1000, 2), SILENT);
        assertThatThrownBy(() -> preparation.run(out))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("out is not empty");
        assertThat(precious).exists();
        Files.delete(precious);

        Files.writeString(out.resolve("train-00007.tokens"), "left by a killed run");
        Files.writeString(out.resolve("valid-00000.tokens.partial"), "left by a killed run");
        Files.writeString(out.resolve("dataset.json.partial"), "left by a killed run");
        preparation.run(out);
        assertThat(out.resolve("dataset.json.partial")).doesNotExist();
        assertThat(out.resolve("train-00007.tokens")).doesNotExist();
        assertThat(out.resolve("valid-00000.tokens.partial")).doesNotExist();

        assertThatThrownBy(() -> preparation.run(out))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("out is not empty");
    }

    @Test
    void aBrokenJsonLineStopsItBeforeAnythingIsWritten() throws IOException {
        Path lines = Files.writeString(
                folder.resolve("data.jsonl"),
                IntStream.range(0, 50)
                                .mapToObj(i -> "{\"text\": \"t" + i + "\"}\n")
                                .collect(Collectors.joining()) + "oops\n");
        Path out = folder.resolve("out");
        assertThatThrownBy(
                        () -> new Preparation(Corpus.of(List.of(lines)), bytes, options(0.1, 10, 2), SILENT).run(out))
                .isInstanceOf(UserException.class)
                .hasMessageStartingWith(lines + ":51: broken JSON");
        assertThat(out).doesNotExist();
    }

    /** Over this text the native library ends its process. */
    @Test
    void aTextThatTheTokenizerCannotReadStopsItOrIsLeftOut() throws IOException {
        Path model = Files.createDirectory(folder.resolve("model"));
        Files.writeString(model.resolve("tokenizer.json"), """
                {"version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
                 "added_tokens": [{"id": 4, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false,
                                   "normalized": false, "special": true}],
                 "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a|b|ab)*c"}, "behavior": "Isolated",
                                   "invert": false},
                 "decoder": null,
                 "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "c": 3}, "merges": [["a", "b"]]}}
                """);
        Files.writeString(model.resolve("config.json"), "{\"eos_token_id\": 4}");
        Tokenizer tokenizer = Tokenizer.load(model);
        Path corpus = Files.createDirectory(folder.resolve("corpus"));
        Files.writeString(corpus.resolve("1.txt"), "abc");
        Files.writeString(corpus.resolve("2.txt"), "ab".repeat(40) + "xc");
        Files.writeString(corpus.resolve("3.txt"), "cab");
        Corpus texts = Corpus.of(List.of(corpus));
        assertThatThrownBy(() ->
                        new Preparation(texts, tokenizer, options(0, 1000, 1), SILENT).run(folder.resolve("stopped")))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("2.txt", "retry-limit", "--on-bad-text skip");

        Preparation.Options skip = new Preparation.Options(0, 5, 1000, 1, Preparation.OnBadText.SKIP);
        Path out = folder.resolve("skipped");
        DatasetSummary summary = new Preparation(texts, tokenizer, skip, SILENT).run(out);
        assertThat(all(out, "train")).containsExactly(2, 3, 4, 3, 2, 4);
        assertThat(summary.train().documents()).isEqualTo(2);
        assertThat(summary.skippedRows()).isEqualTo(1);
        assertThat(summary.skipped()).hasSize(1).allSatisfy((place, reason) -> {
            assertThat(place).contains("2.txt");
            assertThat(reason).contains("retry-limit");
        });
        assertThat(summary.endOfTextToken()).isEqualTo("</s>");
        assertThat(summary.endOfTextFrom()).isEqualTo("config.json");
        assertThat(summary.after()).containsExactly(4);
    }

    /** Where a long document's last piece cannot be read, the document still ends. */
    @Test
    void aPieceThatIsLeftOutLeavesWhatStandsAroundTheDocument() throws IOException {
        String good = "abcdefg ".repeat(DocumentPieces.LENGTH / 8 + 1);
        List<String> texts = List.of("first", good + good + "bad #", "# bad " + good + good, "last");
        Corpus corpus = new Corpus() {
            @Override
            public void read(Sink sink) {
                texts.forEach(text -> {
                    for (int from = 0; from < text.length(); from += TextReader.PIECE) {
                        int to = Math.min(text.length(), from + TextReader.PIECE);
                        sink.text("document", text.substring(from, to), to == text.length());
                    }
                });
            }

            @Override
            public String name() {
                return "texts";
            }
        };
        Preparation.Options skip = new Preparation.Options(0, 5, 1_000_000, 2, Preparation.OnBadText.SKIP);
        Path out = folder.resolve("out");
        DatasetSummary summary = new Preparation(corpus, Cases.refusing(bytes, '#'), skip, SILENT).run(out);
        String train = bytes.decode(all(out, "train"));
        assertThat(train.split("<\\|endoftext\\|>", -1))
                .hasSize(5)
                .startsWith("first")
                .endsWith("last", "");
        assertThat(train).doesNotContain("#").contains("abcdefg");
        assertThat(summary.train().documents()).isEqualTo(4);
        assertThat(summary.skippedRows()).isEqualTo(2);
    }

    /** A few pieces for each thread wait, however long the corpus is. */
    @Test
    void memoryHoldsAFewPieces() {
        AtomicLong written = new AtomicLong();
        Corpus corpus = new Corpus() {
            private boolean counted;

            @Override
            public void read(Sink sink) {
                for (int i = 1; i <= 50; i++) {
                    sink.text("document", "text " + i, true);
                    assertThat(written.get()).isEqualTo(counted ? Math.max(0, i - 7) : 0);
                }
                counted = true;
            }

            @Override
            public String name() {
                return "fifty";
            }
        };
        new Preparation(corpus, bytes, options(0.1, 1000, 2), (_, _, _) -> written.incrementAndGet())
                .run(folder.resolve("out"));
        assertThat(written).hasValue(50);
    }

    @Test
    void aTokenizerWithoutEndOfTextIsRefused() throws IOException {
        Path model = Files.createDirectory(folder.resolve("model"));
        Files.copy(Cases.TOKENIZERS.resolve("gpt2/tokenizer.json"), model.resolve("tokenizer.json"));
        Corpus corpus = Corpus.of(List.of(corpus(2)));
        Preparation preparation = new Preparation(corpus, Tokenizer.load(model), Preparation.Options.DEFAULT, SILENT);
        assertThatThrownBy(() -> preparation.run(folder.resolve("out")))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("eos_token");
    }
}
