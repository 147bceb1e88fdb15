package dev.whirlwind.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Random;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TokenDatasetTest {
    private final long seed = System.nanoTime();
    private final Random random = new Random(seed);

    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({"65536, 1000000", "65536, 97", "65537, 1000000", "65537, 97", "65536, 1", "256, 700"})
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
        assertThat(bytes).isEqualTo(72 + Math.min(shardTokens, 701) * (vocabulary > 65536 ? 4 : 2));
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
        assertOpening().hasMessageContaining("different tokenizers");
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
        assertOpening().hasMessageContaining("153 bytes long where its header says 152");

        for (int place : new int[] {0, 7, 8, 12, 13, 16, 23, 31, 35}) {
            byte[] bad = whole.clone();
            bad[place] = (byte) (bad[place] ^ 0x80);
            Files.write(shard, bad);
            assertOpening().hasMessageContaining("train-00001.tokens");
        }
        Files.delete(shard);
        assertOpening().hasMessageContaining("train-00001.tokens is missing");

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

    private AbstractThrowableAssert<?, ? extends Throwable> assertOpening() {
        return assertThatThrownBy(() -> TokenDataset.open(folder, TokenDataset.TRAIN, 300))
                .isInstanceOf(UserException.class);
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void aShardThatIsCutWhileInUseIsNamed() throws IOException {
        TestShards.write(folder, new TestShards.Fake(256, (byte) 1), 1_000_000, new int[100_000]);
        TokenDataset dataset = TokenDataset.open(folder, TokenDataset.TRAIN, 256);
        Path shard = folder.resolve("train-00000.tokens");
        try (FileChannel channel = FileChannel.open(shard, StandardOpenOption.WRITE)) {
            channel.truncate(100);
        }
        assertThatThrownBy(() -> dataset.read(50_000, new int[1000], 0, 1000))
                .isInstanceOf(UserException.class)
                .hasMessageContaining(shard + " cannot be read: it was cut short");
    }
}
