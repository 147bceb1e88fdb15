package dev.whirlwind.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Random;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TokenDatasetTest {
    private final long seed = System.nanoTime();
    private final Random random = new Random(seed);

    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({"65536, 1000000", "65536, 97", "65537, 1000000", "65537, 97", "65536, 9", "256, 700"})
    void readsBackWhatWasWritten(int vocabulary, long shardTokens) throws IOException {
        int[] all = random.ints(701, 0, vocabulary).toArray();
        all[13] = vocabulary - 1;
        TestShards.write(
                folder,
                new TestShards.Fake(vocabulary, (byte) 1),
                shardTokens,
                Arrays.copyOfRange(all, 0, 5),
                Arrays.copyOfRange(all, 5, 400),
                new int[0],
                Arrays.copyOfRange(all, 400, 701));
        TokenDataset dataset = TokenDataset.open(folder, TokenDataset.TRAIN, vocabulary);
        assertThat(dataset.tokens()).isEqualTo(701);
        assertThat(dataset.sourceBytes()).isEqualTo(3 * 701);
        assertThat(dataset.name()).contains("train");
        long bytes = Files.size(folder.resolve("train-00000.tokens"));
        assertThat(bytes).isEqualTo(72 + Math.min(shardTokens, 701) * (vocabulary > 65536 ? 4 : 2) + 4);
        for (int i = 0; i < 200; i++) {
            int from = random.nextInt(702);
            int n = random.nextInt(702 - from);
            int[] read = new int[n + 3];
            dataset.read(from, read, 2, n);
            assertThat(Arrays.copyOfRange(read, 2, 2 + n))
                    .as("seed %d", seed)
                    .isEqualTo(Arrays.copyOfRange(all, from, from + n));
            assertThat(read[0] + read[1] + read[n + 2]).isZero();
        }
        assertThatThrownBy(() -> dataset.read(700, new int[2], 0, 2)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThat(Files.exists(folder.resolve("train-00000.tokens.partial"))).isFalse();
    }

    /** Of blocks of 16 KiB, from the middle of one to the middle of another, in this shard or the next. */
    @ParameterizedTest
    @CsvSource({"65536, 1000000", "65537, 1000000", "65536, 20000"})
    void readsFromAnyPlaceOverManyBlocks(int vocabulary, long shardTokens) throws IOException {
        int[] all = random.ints(50_000, 0, vocabulary).toArray();
        TestShards.write(folder, new TestShards.Fake(vocabulary, (byte) 1), shardTokens, all);
        TokenDataset dataset = TokenDataset.open(folder, TokenDataset.TRAIN, vocabulary);
        for (int i = 0; i < 40; i++) {
            int from = random.nextInt(all.length);
            int[] read = new int[random.nextInt(1 + all.length - from)];
            dataset.read(from, read, 0, read.length);
            assertThat(read).as("seed %d", seed).isEqualTo(Arrays.copyOfRange(all, from, from + read.length));
        }
        assertThatThrownBy(() -> TokenDataset.open(folder, TokenDataset.TRAIN, all[30_001])
                        .read(30_001, new int[1], 0, 1))
                .hasMessageContaining("token id " + all[30_001] + " at place " + 30_001 % shardTokens + " of ");
    }

    @Test
    void idsOutsideOfTheModelsVocabularyAreNamed() throws IOException {
        int[] tokens = random.ints(100, 0, 50257).toArray();
        tokens[71] = 50300;
        TestShards.write(folder, new TestShards.Fake(50304, (byte) 1), 60, tokens);
        TokenDataset dataset = TokenDataset.open(folder, TokenDataset.TRAIN, 50257);
        int[] read = new int[100];
        dataset.read(0, read, 0, 71);
        assertThatThrownBy(() -> dataset.read(50, read, 0, 50))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("token id 50300 at place 11 of " + folder.resolve("train-00001.tokens")
                        + " is not below the model's vocabulary 50257");
        assertThatThrownBy(() -> TokenSource.of("memory", tokens, 0, 50257))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("token id 50300 at place 71 of memory");
        assertThatThrownBy(() -> TokenSource.of("memory", new int[] {3, -1}, 0, 50257))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("token id -1 at place 1");
    }

    @Test
    void anotherTokenizersTokensAreRefused() throws IOException {
        TestShards.write(folder, new TestShards.Fake(300, (byte) 1), 60, new int[100]);
        TokenDataset dataset = TokenDataset.open(folder, TokenDataset.TRAIN, 300);
        dataset.requireTokenizer(new TestShards.Fake(300, (byte) 1));
        assertThatThrownBy(() -> dataset.requireTokenizer(new TestShards.Fake(300, (byte) 2)))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("another tokenizer");

        Path other = Files.createDirectory(folder.resolve("other"));
        TestShards.write(other, new TestShards.Fake(300, (byte) 2), 60, new int[100]);
        Files.copy(
                other.resolve("train-00001.tokens"),
                folder.resolve("train-00001.tokens"),
                java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        assertOpening().hasMessageContaining("train-00001.tokens: damaged, or of another preparation");
    }

    /** Their headers are the same, as all full shards' of one preparation are but for the bytes of text. */
    @Test
    void shardsInAnotherOrderAreRefused() throws IOException {
        int[][] documents = {
            random.ints(60, 0, 300).toArray(), random.ints(60, 0, 300).toArray()
        };
        TestShards.write(folder, new TestShards.Fake(300, (byte) 1), 60, documents);
        Path first = folder.resolve("train-00000.tokens");
        Path second = folder.resolve("train-00001.tokens");
        Files.move(first, folder.resolve("train"));
        Files.move(second, first);
        Files.move(folder.resolve("train"), second);
        assertOpening().hasMessageContaining("train-00000.tokens: damaged, or of another preparation");
    }

    @Test
    void damagedFoldersAreRefused() throws IOException {
        assertOpening().hasMessageContaining("holds no prepared data");
        TestShards.write(
                folder,
                new TestShards.Fake(300, (byte) 1),
                60,
                random.ints(100, 0, 300).toArray());
        assertThatThrownBy(() -> TokenDataset.open(folder, TokenDataset.VALID, 300))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("no valid tokens");

        Path shard = folder.resolve("train-00001.tokens");
        byte[] whole = Files.readAllBytes(shard);
        for (int length = 0; length < whole.length; length++) {
            Files.write(shard, Arrays.copyOf(whole, length));
            assertOpening().hasMessageContaining("train-00001.tokens");
        }
        Files.write(shard, Arrays.copyOf(whole, whole.length + 1));
        assertOpening().hasMessageContaining("157 bytes long where its header says 156");

        for (int place : new int[] {0, 7, 8, 12, 13, 16, 23, 31, 35}) {
            byte[] bad = whole.clone();
            bad[place] = (byte) (bad[place] ^ 0x80);
            Files.write(shard, bad);
            assertOpening().hasMessageContaining("train-00001.tokens");
        }
        Files.delete(shard);
        // As for all damage, with what resume makes good.
        assertOpening()
                .isInstanceOf(DamagedShard.class)
                .hasMessageContainingAll("train-00001.tokens: is missing", "remove " + folder.toAbsolutePath());

        Files.write(shard, whole);
        Path summary = folder.resolve("dataset.json");
        String json = Files.readString(summary);
        Files.writeString(summary, json.replace("\"tokens\" : 100", "\"tokens\" : 99"));
        assertOpening().hasMessageContaining("has 100 train tokens where dataset.json says 99");
        Files.writeString(summary, "{}");
        assertOpening().hasMessageContaining("dataset.json");
        Files.writeString(summary, json.substring(0, 90));
        assertOpening().hasMessageContaining("dataset.json: broken JSON at line");
    }

    /** Any changed bit is noticed, at the latest when a token of its block is read, and nothing false is given out. */
    @Test
    void noChangedByteIsReadInSilence() throws IOException {
        int[] all = random.ints(20_000, 0, 300).toArray();
        TestShards.write(folder, new TestShards.Fake(300, (byte) 1), 12_000, all);
        for (String name : new String[] {"train-00000.tokens", "train-00001.tokens", "dataset.json"}) {
            Path file = folder.resolve(name);
            byte[] whole = Files.readAllBytes(file);
            for (int i = 0; i < 200; i++) {
                // The headers and the tables of checksums more often than the tokens.
                int place =
                        i < 80 ? i % whole.length : i < 100 ? whole.length - 1 - i % 8 : random.nextInt(whole.length);
                byte[] bad = whole.clone();
                bad[place] ^= (byte) (1 << random.nextInt(8));
                Files.write(file, bad);
                int[] read = new int[all.length];
                try {
                    TokenDataset.open(folder, TokenDataset.TRAIN, 300).read(0, read, 0, read.length);
                } catch (UserException e) {
                    assertThat(e).hasMessageContaining(folder.toString()).hasMessageNotContainingAny("\n");
                    continue;
                }
                assertThat(name).as("byte %d, seed %d", place, seed).isEqualTo("dataset.json");
                assertThat(read).as("byte %d, seed %d", place, seed).isEqualTo(all);
            }
            Files.write(file, whole);
        }
    }

    @Test
    void damageIsToldWithItsPlaceAndTheRestIsRead() throws IOException {
        int[] all = random.ints(20_000, 0, 300).toArray();
        TestShards.write(folder, new TestShards.Fake(300, (byte) 1), 100_000, all);
        TokenDataset dataset = TokenDataset.open(folder, TokenDataset.TRAIN, 300);
        assertThat(dataset.isChecked()).isTrue();
        Path file = folder.resolve("train-00000.tokens");
        byte[] bad = Files.readAllBytes(file);
        bad[72 + 20_000] ^= 4;
        Files.write(file, bad);
        int[] read = new int[20_000];
        dataset.read(0, read, 0, 8192);
        dataset.read(16384, read, 16384, 20_000 - 16384);
        assertThatThrownBy(() -> dataset.read(9000, read, 9000, 1))
                .isInstanceOf(DamagedShard.class)
                .hasMessageStartingWith(
                        file + ": damaged: its bytes from 16456 to 32839 are not those that were written");
        assertThat(Arrays.copyOf(read, 8192)).isEqualTo(Arrays.copyOf(all, 8192));
        assertThat(Arrays.copyOfRange(read, 16384, 20_000)).isEqualTo(Arrays.copyOfRange(all, 16384, 20_000));
    }

    /** With mapped memory this ended the process. */
    @Test
    void aShardThatIsCutWhileItIsOpenIsToldOf() throws IOException {
        TestShards.write(
                folder,
                new TestShards.Fake(300, (byte) 1),
                100_000,
                random.ints(50_000, 0, 300).toArray());
        TokenDataset dataset = TokenDataset.open(folder, TokenDataset.TRAIN, 300);
        Path file = folder.resolve("train-00000.tokens");
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.truncate(5000);
        }
        assertThatThrownBy(() -> dataset.read(40_000, new int[10], 0, 10))
                .isInstanceOf(DamagedShard.class)
                .hasMessageStartingWith(file + ": was cut to 5000 bytes while it was being read");
    }

    /** As folders were prepared before there were checksums. */
    @Test
    void shardsOfVersion1AreReadWithoutChecks() throws IOException {
        int[] all = random.ints(100, 0, 300).toArray();
        Files.write(folder.resolve("train-00000.tokens"), version1(new byte[32], all));
        String json = """
                {"tokenizer": "00", "vocabulary": 300, "endOfText": 0, "heldOut": 0.0, "seed": 1, "heldOutBy": "document",
                 "train": {"documents": 1, "bytes": 300, "tokens": 100, "shards": 1},
                 "valid": {"documents": 0, "bytes": 0, "tokens": 0, "shards": 0}, "skippedFiles": 0, "skipped": {}}""";
        Files.writeString(folder.resolve("dataset.json"), json);
        TokenDataset dataset = TokenDataset.open(folder, TokenDataset.TRAIN, 300);
        int[] read = new int[100];
        dataset.read(0, read, 0, 100);
        assertThat(read).isEqualTo(all);
        assertThat(dataset.isChecked()).isFalse();
        // A shard that has checksums is not taken for one that has none.
        TestShards.write(folder, new TestShards.Fake(300, (byte) 0), 1000, all);
        Files.writeString(folder.resolve("dataset.json"), json);
        assertOpening().hasMessageContaining("train-00000.tokens: damaged");
    }

    /** Without checksums nothing else tells that shards of two preparations lie together. */
    @Test
    void shardsOfVersion1AreOfOneTokenizer() throws IOException {
        byte[] other = new byte[32];
        other[31] = 1;
        Files.write(folder.resolve("train-00000.tokens"), version1(new byte[32], new int[100]));
        Files.write(folder.resolve("train-00001.tokens"), version1(other, new int[100]));
        Files.writeString(folder.resolve("dataset.json"), """
                {"train": {"documents": 1, "bytes": 600, "tokens": 200, "shards": 2},
                 "valid": {"documents": 0, "bytes": 0, "tokens": 0, "shards": 0}}""");
        assertOpening().hasMessageContainingAll("train-00001.tokens", "different tokenizers");
    }

    private static byte[] version1(byte[] fingerprint, int[] tokens) {
        int n = tokens.length;
        ByteBuffer shard = ByteBuffer.allocate(ShardHeader.BYTES + Short.BYTES * n)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put(new ShardHeader(1, n, 3L * n, 300, 0, fingerprint).encode());
        Arrays.stream(tokens).forEach(token -> shard.putShort((short) token));
        return shard.array();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "null",
                "[]",
                "{}",
                "{\"train\": null, \"valid\": null}",
                "{\"train\": {\"tokens\": 5, \"shards\": 0}, \"valid\": {}}",
                "{\"train\": {\"tokens\": -5, \"shards\": 1}, \"valid\": {}}",
                "{\"train\": {\"tokens\": 5, \"shards\": -1}, \"valid\": {}}",
                "{\"train\": {\"tokens\": 5, \"shards\": 1, \"checksums\": []}, \"valid\": {}}",
                "{\"train\": {\"tokens\": 5, \"shards\": 1, \"checksums\": [null]}, \"valid\": {}}",
                "{\"train\": {\"tokens\": 5, \"shards\": 2000000000}, \"valid\": {}}",
                "{\"train\": {\"tokens\": 1e99}}",
                "\u0000",
            })
    void brokenSummariesAreRefusedInALine(String json) throws IOException {
        Files.writeString(folder.resolve("dataset.json"), json);
        assertOpening().hasMessageContaining(folder.toString()).hasMessageContaining("prepare the data again");
    }

    private AbstractThrowableAssert<?, ? extends Throwable> assertOpening() {
        return assertThatThrownBy(() -> TokenDataset.open(folder, TokenDataset.TRAIN, 300))
                .isInstanceOf(UserException.class);
    }
}
