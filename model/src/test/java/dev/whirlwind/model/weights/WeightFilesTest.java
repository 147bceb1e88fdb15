package dev.whirlwind.model.weights;

import static dev.whirlwind.model.safetensors.Bytes.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.UserException;
import dev.whirlwind.model.safetensors.Bytes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WeightFilesTest {
    private static final String A = "model-00001-of-00002.safetensors";
    private static final String B = "model-00002-of-00002.safetensors";

    @TempDir
    Path folder;

    private void shard(String file, String... tensors) throws IOException {
        StringBuilder header = new StringBuilder();
        for (int i = 0; i < tensors.length; i++) {
            header.append(i == 0 ? "{" : ",").append(tensor(tensors[i], "F32", "[1]", 4L * i, 4L * i + 4));
        }
        Bytes.write(folder.resolve(file), header.append('}').toString(), 4 * tensors.length);
    }

    private void index(String json) throws IOException {
        Files.writeString(folder.resolve("model.safetensors.index.json"), json);
    }

    private void index(String x, String y, String z) throws IOException {
        index("{\"metadata\":{\"total_size\":12},\"weight_map\":{\"x\":\"%s\",\"y\":\"%s\",\"z\":\"%s\"}}"
                .formatted(x, y, z));
    }

    private void assertRefused(String... parts) {
        assertThatThrownBy(() -> WeightFiles.open(folder).close())
                .isInstanceOf(UserException.class)
                .hasMessageContaining(folder.toString())
                .hasMessageContainingAll(parts)
                .satisfies(e -> assertThat(e.getMessage()).doesNotContain("\n"));
    }

    @Test
    void joinsShards() throws Exception {
        shard(B, "z", "x");
        shard(A, "y");
        index(B, A, B);
        try (WeightFiles model = WeightFiles.open(folder)) {
            assertThat(model.folder()).isEqualTo(folder);
            assertThat(model.names()).containsExactly("y", "z", "x");
            assertThat(model.file("x").path()).isEqualTo(folder.resolve(B));
            assertThatThrownBy(() -> model.file("q"))
                    .isInstanceOf(UserException.class)
                    .hasMessageContainingAll(folder.toString(), "no tensor 'q'");
        }
    }

    @Test
    void prefersTheSingleFile() throws Exception {
        shard("model.safetensors", "w");
        index("nonsense");
        try (WeightFiles model = WeightFiles.open(folder)) {
            assertThat(model.names()).containsExactly("w");
        }
    }

    @Test
    void saysWhatItLookedFor() throws Exception {
        assertRefused("neither model.safetensors nor model.safetensors.index.json");
        assertThatThrownBy(() -> WeightFiles.open(folder.resolve("absent")).close())
                .isInstanceOf(UserException.class)
                .hasMessageContaining("no such model folder");
    }

    @Test
    void prefersSafetensorsToWhatTorchSaved() throws Exception {
        Files.writeString(folder.resolve("pytorch_model.bin"), "nonsense");
        Files.writeString(
                folder.resolve("pytorch_model.bin.index.json"), "{\"weight_map\":{\"x\":\"../pytorch_model.bin\"}}");
        assertRefused("pytorch_model.bin: ");
        Files.delete(folder.resolve("pytorch_model.bin"));
        assertRefused("tensor 'x' is mapped to", "not the name of a .bin file");
        shard(A, "x");
        index(A, A, A);
        WeightFiles.open(folder).close();
    }

    @Test
    void refusesMissingShards() throws Exception {
        shard(A, "x", "y");
        index(A, A, B);
        assertRefused("names the shard '" + B + "', which is not in the folder");
    }

    @Test
    void refusesDamagedShards() throws Exception {
        shard(A, "x", "y");
        Files.writeString(folder.resolve(B), "abc");
        index(A, A, B);
        assertRefused(B, "only 3 bytes");
    }

    /** As transformers has it, an index only names files: a tied head may stand in it that no file holds. */
    @Test
    void missesListedTensorsOnlyWhenAskedForThem() throws Exception {
        shard(A, "x");
        shard(B, "z");
        index(A, A, B);
        try (WeightFiles model = WeightFiles.open(folder)) {
            assertThat(model.names()).containsExactly("x", "z");
            assertThatThrownBy(() -> model.file("y"))
                    .isInstanceOf(UserException.class)
                    .hasMessageContainingAll(folder.resolve(A).toString(), "has no tensor 'y'", "the index lists");
        }
    }

    @Test
    void readsTensorsThatTheIndexDoesNotListOrListsElsewhere() throws Exception {
        shard(A, "x", "z", "more");
        shard(B, "y");
        index(A, A, B);
        try (WeightFiles model = WeightFiles.open(folder)) {
            assertThat(model.names()).containsExactly("x", "z", "more", "y");
            assertThat(model.file("more").path()).isEqualTo(folder.resolve(A));
        }
    }

    @Test
    void readsDuplicatesWithTheSameValues() throws Exception {
        shard(A, "x", "y");
        shard(B, "z", "y");
        index(A, A, B);
        try (WeightFiles model = WeightFiles.open(folder)) {
            assertThat(model.names()).containsExactly("x", "y", "z");
        }
    }

    @Test
    void refusesDuplicatesAcrossShards() throws Exception {
        shard(A, "x", "y");
        shard(B, "z", "y");
        byte[] shard = Files.readAllBytes(folder.resolve(B));
        shard[shard.length - 2] = 1;
        Files.write(folder.resolve(B), shard);
        index(A, A, B);
        assertRefused(B, "tensor 'y' is also in " + A, "other values");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../x.safetensors",
                "/tmp/x.safetensors",
                "a/x.safetensors",
                "a\\\\x.safetensors",
                "C:x.safetensors",
                "..",
                "",
                ".safetensors",
                "pytorch_model.bin",
                "x\\u0000.safetensors",
                "x\\n.safetensors"
            })
    void refusesShardsThatAreNoPlainFileName(String name) throws Exception {
        index(name, name, name);
        assertRefused("index.json", "tensor 'x' is mapped to", "not the name of a .safetensors file");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "[]",
                "null",
                "{}",
                "{\"weight_map\":[]}",
                "{\"weight_map\":{}}",
                "{\"weight_map\":{\"x\":1}}",
                "{\"weight_map\":{\"x\":\"model-00001-of-00002.safetensors\"}}}",
                "{\"weight_map\":{\"x\":\"a.safetensors\",\"x\":\"model-00001-of-00002.safetensors\"}}"
            })
    void refusesBrokenIndexes(String json) throws Exception {
        shard(A, "x");
        index(json);
        assertRefused("index.json", "download it again");
    }
}
