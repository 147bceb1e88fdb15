package dev.whirlwind.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.model.safetensors.FloatSource;
import dev.whirlwind.model.safetensors.SafetensorsFile;
import dev.whirlwind.model.safetensors.SafetensorsWriter;
import dev.whirlwind.model.safetensors.SafetensorsWriter.Entry;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

/** What of a folder's weights is a model's, as {@code transformers} 5 has it. */
class StoredModelTest {
    private static final String HEAD = "lm_head.weight";

    @TempDir
    Path folder;

    private final Engine engine = new ReferenceEngine();
    private final List<String> notes = new ArrayList<>();
    private ObjectNode json;
    private List<Entry> entries;

    /** A tied GPT-2, to be changed before {@link #load}. */
    @BeforeEach
    void gpt2() {
        use("gpt2");
    }

    @AfterEach
    void close() {
        engine.close();
    }

    private void use(String name) {
        Path original = GoldenCases.folder(name);
        json = (ObjectNode) TransformerTest.json(original.resolve("config.json"));
        Parameters weights = new Parameters(engine, new ParameterLayout(ModelConfig.read(original)), "weights");
        HuggingFace.load(original, weights);
        entries = new ArrayList<>(
                HuggingFace.entries(weights.layout().checkpointTensors(), weights.buffer(), "", DType.F32));
    }

    private HuggingFace.Loaded load() {
        SafetensorsWriter.writeModel(folder, entries, Map.of(), Long.MAX_VALUE);
        ModelConfig config = ModelConfig.parse(json.toString().getBytes(StandardCharsets.UTF_8), "config.json");
        return HuggingFace.load(engine, folder, config, notes::add);
    }

    private void refuses(String... said) {
        assertThatThrownBy(this::load)
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll(said)
                .hasMessageNotContaining("\n");
    }

    private Entry entry(String name) {
        return entries.stream().filter(e -> e.name().equals(name)).findFirst().orElseThrow();
    }

    private static Entry renamed(Entry entry, String name) {
        return new Entry(name, entry.dtype(), entry.shape(), entry.values());
    }

    private void rename(UnaryOperator<String> names) {
        entries.replaceAll(e -> renamed(e, names.apply(e.name())));
    }

    /** An entry whose first value is another. */
    private static Entry changed(Entry entry, float value) {
        FloatSource values = (first, count, chunk) -> {
            entry.values().read(first, count, chunk);
            if (first == 0) {
                chunk.setAtIndex(ValueLayout.JAVA_FLOAT, 0, value);
            }
        };
        return new Entry(entry.name(), entry.dtype(), entry.shape(), values);
    }

    private static Entry constant(String name, DType dtype, List<Long> shape) {
        return new Entry(name, dtype, shape, (first, count, chunk) -> {});
    }

    private static float first(Tensor tensor) {
        return tensor.buffer().segment().getAtIndex(ValueLayout.JAVA_FLOAT, tensor.offset());
    }

    // ---------------------------------------------------------------------------------------------- the head

    @Test
    void anEqualHeadIsTied() {
        entries.add(renamed(entry("transformer.wte.weight"), HEAD));
        Parameters weights = load().weights();
        assertThat(weights.config().tied()).isTrue();
        assertThat(weights.head).isSameAs(weights.tokenEmbedding);
        assertThat(notes).isEmpty();
    }

    /** Kept, said, and saved as what it is. */
    @Test
    void aHeadOfItsOwnStaysOne() {
        entries.add(renamed(changed(entry("transformer.wte.weight"), 42), HEAD));
        HuggingFace.Loaded loaded = load();
        Parameters weights = loaded.weights();
        assertThat(weights.config().tied()).isFalse();
        assertThat(first(weights.head)).isEqualTo(42);
        assertThat(first(weights.tokenEmbedding)).isNotEqualTo(42);
        assertThat(notes).singleElement().asString().contains(folder.toString(), HEAD, "tie_word_embeddings");

        Path saved = folder.resolve("saved");
        assertThat(saved.toFile().mkdir()).isTrue();
        HuggingFace.save(saved, weights, loaded.dtype(), Long.MAX_VALUE);
        notes.clear();
        ModelConfig again = ModelConfig.read(saved);
        assertThat(again.tied()).isFalse();
        assertThat(again.json().path("tie_word_embeddings").booleanValue()).isFalse();
        assertThat(first(HuggingFace.load(engine, saved, again, notes::add).weights().head))
                .isEqualTo(42);
        assertThat(notes).isEmpty();
    }

    /** Where memory was laid out before, nothing is dropped either. */
    @Test
    void aHeadOfItsOwnIsNotReadIntoATiedModel() {
        entries.add(renamed(changed(entry("transformer.wte.weight"), 42), HEAD));
        load();
        ModelConfig config = ModelConfig.parse(json.toString().getBytes(StandardCharsets.UTF_8), "config.json");
        Parameters tied = new Parameters(engine, new ParameterLayout(config), "tied");
        assertThatThrownBy(() -> HuggingFace.load(folder, tied))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll(HEAD, "other values", "tie_word_embeddings");
    }

    @Test
    void aHeadAloneIsTheEmbedding() {
        rename(name -> name.equals("transformer.wte.weight") ? HEAD : name);
        float first = first(load().weights().tokenEmbedding);
        notes.clear();
        use("gpt2");
        assertThat(first).isEqualTo(first(load().weights().tokenEmbedding)).isNotZero();
    }

    @Test
    void aHeadOfAnotherShape() {
        entries.add(constant(HEAD, DType.F32, List.of(7L, 48L)));
        refuses(HEAD, "[7, 48]", "[384, 48]");
    }

    @Test
    void neitherHeadNorEmbedding() {
        entries.remove(entry("transformer.wte.weight"));
        refuses("transformer.wte.weight");
    }

    @Test
    void anUntiedModelWithoutHead() {
        use("llama");
        json.put("tie_word_embeddings", false);
        entries.removeIf(e -> e.name().equals(HEAD));
        refuses(folder.toString(), HEAD, "tie_word_embeddings");
        json.remove("tie_word_embeddings");
        refuses(folder.toString(), HEAD, "tie_word_embeddings");
    }

    // ---------------------------------------------------------------------------------------------- names

    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "llama", "qwen2", "qwen3"})
    void namesWithoutPrefix(String model) {
        use(model);
        String prefix = model.equals("gpt2") ? "transformer." : "model.";
        rename(name -> name.startsWith(prefix) ? name.substring(prefix.length()) : name);
        load();
        use(model);
        // Some of them, as in transformers each for itself; and the head's, which has none, with one.
        rename(name ->
                name.equals(HEAD) ? prefix + HEAD : name.contains(".1.") ? name.substring(prefix.length()) : name);
        load();
    }

    @Test
    void aTensorUnderBothNames() {
        entries.add(renamed(entry("transformer.ln_f.weight"), "ln_f.weight"));
        refuses("holds 1 tensor(s)", "'ln_f.weight'");
    }

    @Test
    void buffersOfOldVersions() {
        for (String name : new String[] {
            "transformer.h.0.attn.bias",
            "h.1.attn.masked_bias",
            "rotary_emb.inv_freq",
            "model.layers.0.self_attn.rotary_emb.inv_freq",
            "position_ids"
        }) {
            entries.add(constant(name, DType.F32, List.of()));
        }
        entries.add(constant("transformer.position_ids", DType.F32, List.of(3L, 0L)));
        load();
        entries.add(constant("transformer.h.0.attn.c_attn.bias2", DType.F32, List.of(0L)));
        refuses("holds 1 tensor(s)", "attn.c_attn.bias2");
    }

    // ---------------------------------------------------------------------------------------------- types

    /** Changes the file's header, as no writer of ours does. */
    private void header(UnaryOperator<String> change) throws Exception {
        SafetensorsWriter.writeModel(folder, entries, Map.of("format", "pt"), Long.MAX_VALUE);
        Path file = folder.resolve("model.safetensors");
        ByteBuffer old = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        byte[] header = new byte[(int) old.getLong()];
        old.get(header);
        byte[] changed =
                change.apply(new String(header, StandardCharsets.UTF_8)).getBytes(StandardCharsets.UTF_8);
        ByteBuffer whole =
                ByteBuffer.allocate(8 + changed.length + old.remaining()).order(ByteOrder.LITTLE_ENDIAN);
        Files.write(file, whole.putLong(changed.length).put(changed).put(old).array());
    }

    @Test
    void noMetadata() throws Exception {
        header(text -> text.replace("{\"format\":\"pt\"}", "null"));
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve("model.safetensors"))) {
            assertThat(file.metadata()).isEmpty();
        }
        ModelConfig config = ModelConfig.parse(json.toString().getBytes(StandardCharsets.UTF_8), "config.json");
        HuggingFace.load(engine, folder, config, notes::add);
        header(text -> text.replace("\"pt\"", "null"));
        assertThatThrownBy(() -> HuggingFace.check(folder, config))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("__metadata__");
    }

    @Test
    void quantizedWeights() throws Exception {
        ModelConfig config = ModelConfig.parse(json.toString().getBytes(StandardCharsets.UTF_8), "config.json");
        header(text -> text.replaceFirst("\"F32\"(,\"shape\":\\[48,144\\])", "\"I32\"$1"));
        assertThatThrownBy(() -> HuggingFace.check(folder, config))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("model.safetensors", "c_attn.weight", "I32", "quantized", "BF16");
        // Where the names are others, too, the type is still what counts.
        header(text ->
                text.replaceFirst("c_attn.weight\":\\{\"dtype\":\"F32\"", "c_attn.qweight\":{\"dtype\":\"U32\""));
        assertThatThrownBy(() -> HuggingFace.check(folder, config))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("c_attn.qweight", "U32", "quantized");
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.NEGATIVE_INFINITY})
    void valuesThatAreNotFinite(float value) {
        String name = "transformer.h.1.mlp.c_fc.weight";
        entries.replaceAll(e -> e.name().equals(name) ? changed(e, value) : e);
        refuses("model.safetensors", name, "1 of 9216 values", "NaN or infinite");
    }

    // ---------------------------------------------------------------------------------------------- memory

    /** No memory is taken before shapes are known to be right: a small file must not cost gigabytes. */
    @Test
    void shapesAreComparedBeforeMemoryIsTaken() {
        // Without an engine there is nobody to take it of.
        json.put("n_inner", 4_000_000);
        SafetensorsWriter.writeModel(folder, entries, Map.of(), Long.MAX_VALUE);
        ModelConfig config = ModelConfig.parse(json.toString().getBytes(StandardCharsets.UTF_8), "config.json");
        assertThatThrownBy(() -> HuggingFace.load(null, folder, config, notes::add))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("model.safetensors", "mlp.c_fc.weight", "4000000");
    }

    @Test
    void finiteLooksAtEveryFloat() {
        try (Arena arena = Arena.ofConfined()) {
            int count = (1 << 16) + 3;
            MemorySegment floats = arena.allocate(ValueLayout.JAVA_FLOAT, count);
            Consumer<Integer> finds = place -> {
                floats.setAtIndex(ValueLayout.JAVA_FLOAT, place, -3.5f);
                assertThat(Float.intBitsToFloat(Finite.largest(floats, 0, count)))
                        .isEqualTo(3.5f);
                floats.setAtIndex(ValueLayout.JAVA_FLOAT, place, 0);
            };
            for (int place : new int[] {0, 1, (1 << 16) - 1, 1 << 16, count - 1}) {
                finds.accept(place);
            }
            assertThat(Finite.largest(floats, 0, count)).isZero();
        }
    }
}
