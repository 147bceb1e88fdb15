package dev.whirlwind.model.safetensors;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.model.weights.TensorFile;
import dev.whirlwind.model.weights.WeightFiles;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Files that Python's safetensors and transformers wrote; the expected figures were computed in Python. */
class GoldenFilesTest {
    @TempDir
    Path folder;

    /** Every type's edge values, written by Python; the floats beside them, widened by PyTorch, as hexadecimal bits. */
    @Test
    void readsWhatPythonWrote() throws Exception {
        try (SafetensorsFile file = SafetensorsFile.open(resource("/safetensors/oracle.safetensors"));
                Arena arena = Arena.ofConfined()) {
            int checked = 0;
            for (String line : Files.readAllLines(resource("/safetensors/oracle.txt"), StandardCharsets.UTF_8)) {
                String[] fields = line.split(" ", -1);
                TensorInfo tensor = file.tensor(fields[0]);
                assertThat(tensor.dtype().name()).isEqualTo(fields[1]);
                assertThat(tensor.elements()).isEqualTo(fields.length - 2L);
                MemorySegment floats = arena.allocate(4 * tensor.elements() + 4);
                file.readFloats(tensor.name(), floats, 1);
                for (int i = 2; i < fields.length; i++) {
                    assertThat(floats.getAtIndex(ValueLayout.JAVA_INT, i - 1))
                            .as("%s[%d]", fields[0], i - 2)
                            .isEqualTo(Integer.parseUnsignedInt(fields[i], 16));
                    checked++;
                }
            }
            assertThat(checked).isGreaterThan(80);
            assertThat(file.metadata()).containsEntry("format", "pt");
        }
    }

    /** Number of tensors and elements, and the CRC-32 of all values widened to little-endian F32, in name order. */
    @ParameterizedTest
    @CsvSource(textBlock = """
            llama, 21, 102720, 5593f795
            llama-rope3, 21, 102720, 14e391ae
            qwen2, 26, 65912, 68072699
            gpt2, 40, 106416, 216f965d
            """)
    void readsModels(String name, int tensors, long elements, String crc) throws Exception {
        try (WeightFiles model = WeightFiles.open(resource("/golden/" + name));
                Arena arena = Arena.ofConfined()) {
            CRC32 actual = new CRC32();
            long count = 0;
            for (String tensor : model.names().stream().sorted().toList()) {
                long size = model.file(tensor).elements(tensor);
                MemorySegment floats = arena.allocate(4 * size, 4);
                model.file(tensor).readFloats(tensor, floats, 0);
                actual.update(floats.asByteBuffer());
                count += size;
            }
            assertThat(model.names()).hasSize(tensors);
            assertThat(count).isEqualTo(elements);
            assertThat(Long.toHexString(actual.getValue())).isEqualTo(crc);
        }
    }

    /** Reading and writing again changes no byte, header included. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "/golden/gpt2/model.safetensors",
                "/golden/llama-rope3/model.safetensors",
                "/golden/qwen2/model.safetensors",
                "/golden/llama/model-00003-of-00005.safetensors"
            })
    void writesTheBytesThatPythonWrites(String name) throws Exception {
        Path original = resource(name);
        Path copy = folder.resolve("copy.safetensors");
        try (SafetensorsFile file = SafetensorsFile.open(original);
                Arena arena = Arena.ofConfined()) {
            List<SafetensorsWriter.Entry> entries = new ArrayList<>(file.tensors().keySet().stream()
                    .map(tensor -> entry(file, tensor, arena))
                    .toList());
            Collections.shuffle(entries);
            SafetensorsWriter.write(copy, entries, file.metadata());
        }
        assertThat(copy).hasSameBinaryContentAs(original);
    }

    /** The same tensors in the model's order and the same limit give the shards of {@code save_pretrained}. */
    @Test
    void splitsIntoShardsAsHuggingFace() throws Exception {
        Path original = resource("/golden/llama");
        List<String> order = new ArrayList<>(List.of("model.embed_tokens.weight"));
        for (int layer = 0; layer < 2; layer++) {
            for (String part : List.of(
                    "self_attn.q_proj",
                    "self_attn.k_proj",
                    "self_attn.v_proj",
                    "self_attn.o_proj",
                    "mlp.gate_proj",
                    "mlp.up_proj",
                    "mlp.down_proj",
                    "input_layernorm",
                    "post_attention_layernorm")) {
                order.add("model.layers." + layer + "." + part + ".weight");
            }
        }
        order.addAll(List.of("model.norm.weight", "lm_head.weight"));
        List<Path> written;
        try (WeightFiles model = WeightFiles.open(original);
                Arena arena = Arena.ofConfined()) {
            List<SafetensorsWriter.Entry> entries = order.stream()
                    .map(name -> entry(model.file(name), name, arena))
                    .toList();
            written = SafetensorsWriter.writeModel(folder, entries, SafetensorsWriter.PYTORCH, 100_000);
        }
        assertThat(written).hasSize(6);
        for (Path shard : written.subList(0, 5)) {
            assertThat(shard).hasSameBinaryContentAs(original.resolve(shard.getFileName()));
        }
        JsonMapper json = new JsonMapper();
        JsonNode index = json.readTree(written.getLast());
        JsonNode expected = json.readTree(original.resolve("model.safetensors.index.json"));
        assertThat(index.get("weight_map")).isEqualTo(expected.get("weight_map"));
        assertThat(index.at("/metadata/total_size")).isEqualTo(expected.at("/metadata/total_size"));
        try (WeightFiles again = WeightFiles.open(folder)) {
            assertThat(again.names()).containsExactlyInAnyOrderElementsOf(order);
        }
    }

    private static SafetensorsWriter.Entry entry(TensorFile file, String name, Arena arena) {
        MemorySegment floats = arena.allocate(4 * file.elements(name), 4);
        file.readFloats(name, floats, 0);
        return new SafetensorsWriter.Entry(name, file.dtype(name), file.shape(name), FloatSource.of(floats, 0));
    }

    private static Path resource(String name) throws URISyntaxException {
        return Path.of(GoldenFilesTest.class.getResource(name).toURI());
    }
}
