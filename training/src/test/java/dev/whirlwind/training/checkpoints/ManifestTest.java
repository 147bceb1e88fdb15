package dev.whirlwind.training.checkpoints;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.TinyRun;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A checkpoint is read only if it is as it was written, whatever became of any of its bytes. */
class ManifestTest {
    @TempDir
    static Path made;

    @TempDir
    Path folder;

    private Path checkpoint;

    @BeforeAll
    static void make() throws IOException {
        Path model = TinyRun.gpt2(made.resolve("model"), DType.BF16);
        TinyRun.train(TinyRun.config(model, made, Map.of("steps", 1, "eval_every", 0)));
    }

    @BeforeEach
    void copy() throws IOException {
        checkpoint = Files.createDirectory(folder.resolve(Checkpoints.name(1)));
        for (Path file : Storage.list(made.resolve("checkpoints").resolve(Checkpoints.name(1)))) {
            Files.copy(file, checkpoint.resolve(file.getFileName()));
        }
        Checkpoint.read(checkpoint);
    }

    private void assertDamaged(Object what) {
        assertThatThrownBy(() -> Checkpoint.read(checkpoint), "%s", what)
                .isInstanceOf(UserException.class)
                .hasMessageStartingWith(checkpoint.toString());
    }

    /** Every byte by three other values. */
    @Test
    void anyChangeOfAnyByteOfAManifest() throws IOException {
        Path file = checkpoint.resolve(Manifest.NAME);
        byte[] bytes = Files.readAllBytes(file);
        Random random = new Random(1);
        int tried = 0;
        for (int i = 0; i < bytes.length; i++) {
            byte written = bytes[i];
            for (int flip : new int[] {1, 1 << random.nextInt(1, 8), 1 + random.nextInt(255)}) {
                bytes[i] = (byte) (written ^ flip);
                Files.write(file, bytes);
                assertDamaged("byte " + i + " by " + flip);
                tried++;
            }
            bytes[i] = written;
        }
        assertThat(tried).isGreaterThan(3000);
        for (int length = 0; length < bytes.length; length += 7) {
            Files.write(file, Arrays.copyOf(bytes, length));
            assertDamaged("cut to " + length);
        }
        Files.write(file, Arrays.copyOf(bytes, bytes.length + 1));
        assertDamaged("a byte more");
        Files.write(file, bytes);
        Checkpoint.read(checkpoint);
    }

    @Test
    void anyChangeOfAnyOtherFile() throws IOException {
        Random random = new Random(2);
        for (Manifest.Entry entry : Manifest.read(checkpoint).files()) {
            Path file = checkpoint.resolve(entry.name());
            byte[] bytes = Files.readAllBytes(file);
            for (int i = 0; i < 40; i++) {
                byte[] changed = bytes.clone();
                changed[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
                Files.write(file, changed);
                assertDamaged(file);
                Files.write(file, Arrays.copyOf(bytes, random.nextInt(bytes.length)));
                assertDamaged(file);
            }
            Files.write(file, Arrays.copyOf(bytes, bytes.length + 1));
            assertDamaged(file);
            Files.delete(file);
            assertDamaged(file);
            Files.createDirectory(file);
            assertDamaged(file);
            Files.delete(file);
            Files.createSymbolicLink(file, Path.of("/dev/zero"));
            assertDamaged(file);
            Files.delete(file);
            Files.write(file, bytes);
        }
        Checkpoint.read(checkpoint);
    }

    private static String hash(char digit) {
        return String.valueOf(digit).repeat(64);
    }

    /** Of the form that older versions wrote, which did not vouch for itself. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "null",
                "[]",
                "{}",
                "7",
                "{\"files\":null}",
                "{\"files\":[]}",
                "{\"files\":[null]}",
                "{\"files\":[[]]}",
                "{\"files\":[{}]}",
                "{\"files\":[{\"name\":null,\"bytes\":0,\"sha256\":\"HASH\"}]}",
                "{\"files\":[{\"name\":\"\",\"bytes\":0,\"sha256\":\"HASH\"}]}",
                "{\"files\":[{\"name\":\".\",\"bytes\":0,\"sha256\":\"HASH\"}]}",
                "{\"files\":[{\"name\":\"..\",\"bytes\":0,\"sha256\":\"HASH\"}]}",
                "{\"files\":[{\"name\":\"/dev/zero\",\"bytes\":0,\"sha256\":\"HASH\"}]}",
                "{\"files\":[{\"name\":\"../step-00000000/x\",\"bytes\":0,\"sha256\":\"HASH\"}]}",
                "{\"files\":[{\"name\":\"a\\\\b\",\"bytes\":0,\"sha256\":\"HASH\"}]}",
                "{\"files\":[{\"name\":\"a\\u0000b\",\"bytes\":0,\"sha256\":\"HASH\"}]}",
                "{\"files\":[{\"name\":\"manifest.json\",\"bytes\":0,\"sha256\":\"HASH\"}]}",
                "{\"files\":[{\"name\":\"config.json\",\"bytes\":-1,\"sha256\":\"HASH\"}]}",
                "{\"files\":[{\"name\":\"config.json\",\"bytes\":1e99,\"sha256\":\"HASH\"}]}",
                "{\"files\":[{\"name\":\"config.json\",\"bytes\":1,\"sha256\":null}]}",
                "{\"files\":[{\"name\":\"config.json\",\"bytes\":1,\"sha256\":\"\"}]}",
                "{\"files\":[{\"name\":\"config.json\",\"bytes\":1,\"sha256\":\"HASH0\"}]}"
            })
    @Timeout(10)
    void whatIsNoManifest(String text) throws IOException {
        Files.writeString(checkpoint.resolve(Manifest.NAME), text.replace("HASH", hash('a')));
        assertDamaged(text);
    }

    @Test
    @Timeout(10)
    void aManifestThatNeverEnds() throws IOException {
        Files.delete(checkpoint.resolve(Manifest.NAME));
        Files.createSymbolicLink(checkpoint.resolve(Manifest.NAME), Path.of("/dev/zero"));
        assertDamaged("/dev/zero");
    }

    /** Of a file that is longer than memory nothing is read. */
    @Test
    @Timeout(10)
    void aManifestOfFiveGigabytes() throws IOException {
        try (var file =
                new java.io.RandomAccessFile(checkpoint.resolve(Manifest.NAME).toFile(), "rw")) {
            file.setLength(5_000_000_000L);
        }
        assertDamaged("5 GB");
    }

    @Test
    void whatALoaderWouldTakeInsteadIsDamage() throws IOException {
        Path copy = checkpoint.resolve("pytorch_model.bin");
        Files.copy(checkpoint.resolve("optimizer.safetensors"), copy);
        assertDamaged(copy);
        Files.delete(copy);
        Files.writeString(checkpoint.resolve("notes.txt"), "mine");
        Files.writeString(checkpoint.resolve(".DS_Store"), "the system's");
        Checkpoint.read(checkpoint);
    }

    /** Files of an older version say less, and must still be read. */
    @Test
    void aManifestOfAnOlderVersion() throws IOException {
        String text = Files.readString(checkpoint.resolve(Manifest.NAME));
        String older = text.replaceFirst("(?s)\\],\\s*\"sha256\".*", "]\n}");
        assertThat(older).isNotEqualTo(text);
        Files.writeString(checkpoint.resolve(Manifest.NAME), older);
        Checkpoint.read(checkpoint);
    }

    private void state(String name, String value) throws IOException {
        Path file = checkpoint.resolve(TrainerState.NAME);
        String written = Files.readString(file);
        boolean inGuard = List.of("mean", "variance", "count").contains(name);
        String key = "\n" + (inGuard ? "    " : "  ") + "\"" + name + "\" : ";
        String changed = written.replaceFirst(key + "[^,\n]+", key + value);
        assertThat(changed).isNotEqualTo(written);
        Files.writeString(file, changed, StandardCharsets.UTF_8);
        Files.delete(checkpoint.resolve(Manifest.NAME));
        Manifest.seal(checkpoint);
        assertDamaged(name + " = " + value);
        Files.writeString(file, written);
        Files.delete(checkpoint.resolve(Manifest.NAME));
        Manifest.seal(checkpoint);
    }

    /** By somebody who knows how to seal it again. */
    @Test
    void aStateThatNoRunCanHave() throws IOException {
        for (String name : new String[] {"step", "updates", "tokens", "position", "elapsed_seconds", "total_steps"}) {
            state(name, "-1");
            state(name, "1e400");
            state(name, "\"NaN\"");
            state(name, "null");
            state(name, "[]");
        }
        state("step", "0");
        state("step", "2");
        state("updates", "2");
        state("position", "7");
        state("evaluated_step", "-2");
        state("best_loss", "\"Infinity\"");
        state("best_step", "2");
        state("evaluations_since_best", "-1");
        state("mean", "\"NaN\"");
        state("variance", "-1e-9");
        state("count", "-1");
        state("options", "7");
        Checkpoint.read(checkpoint);
    }
}
