package dev.whirlwind.model.safetensors;

import static dev.whirlwind.model.safetensors.Bytes.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsModelTest {
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
        assertThatThrownBy(() -> SafetensorsModel.open(folder).close())
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
        try (SafetensorsModel model = SafetensorsModel.open(folder)) {
            assertThat(model.folder()).isEqualTo(folder);
            assertThat(model.tensors().keySet()).containsExactly("y", "z", "x");
            assertThat(model.file("x").path()).isEqualTo(folder.resolve(B));
            assertThat(model.tensor("x").begin()).isEqualTo(4);
            assertThat(model.data("y").byteSize()).isEqualTo(4);
            assertThatThrownBy(() -> model.tensor("q"))
                    .isInstanceOf(UserException.class)
                    .hasMessageContainingAll(folder.toString(), "no tensor 'q'");
        }
    }

    @Test
    void prefersTheSingleFile() throws Exception {
        shard("model.safetensors", "w");
        index("nonsense");
        try (SafetensorsModel model = SafetensorsModel.open(folder)) {
            assertThat(model.tensors()).containsOnlyKeys("w");
        }
    }

    @Test
    void saysWhatItLookedFor() throws Exception {
        assertRefused("neither model.safetensors nor model.safetensors.index.json");
        Files.createFile(folder.resolve("pytorch_model.bin"));
        assertRefused("only pytorch_model.bin", "save_pretrained(folder, safe_serialization=True)");
        assertThatThrownBy(() -> SafetensorsModel.open(folder.resolve("absent")).close())
                .isInstanceOf(UserException.class)
                .hasMessageContaining("no such model folder");
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

    @Test
    void refusesTensorsThatTheIndexListsInVain() throws Exception {
        shard(A, "x");
        shard(B, "z");
        index(A, A, B);
        assertRefused(A, "has no tensor 'y'");
    }

    @Test
    void refusesUnlistedTensors() throws Exception {
        shard(A, "x", "y");
        shard(B, "z", "more");
        index(A, A, B);
        assertRefused(B, "tensor 'more' is not listed");
    }

    @Test
    void refusesTensorsInAnotherShardThanListed() throws Exception {
        shard(A, "x", "z");
        shard(B, "y");
        index(A, A, B);
        assertRefused(A, "tensor 'z' is not listed for this file");
    }

    @Test
    void refusesDuplicatesAcrossShards() throws Exception {
        shard(A, "x", "y");
        shard(B, "z", "y");
        index(A, A, B);
        assertRefused(B, "tensor 'y' is also in " + A);
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
        assertRefused("index.json", "tensor 'x' is mapped to", "not the name of a safetensors file");
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
