package dev.whirlwind.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.AdapterMerge;
import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.WeightFormat;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.safetensors.DType;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs whose weights are kept with fewer bits. */
class FormatsTest {
    @TempDir
    Path folder;

    private void train(Path model, String out, Map<String, ?> options) throws IOException {
        TinyRun.train(TinyRun.config(model, folder.resolve(out), Map.of()).with(options, "test"));
    }

    private double loss(String run, String text) throws IOException {
        String last = Files.readAllLines(folder.resolve(run).resolve("metrics.jsonl")).stream()
                .filter(line -> line.contains("\"event\":\"eval\"") && line.contains(text))
                .toList()
                .getLast();
        return Double.parseDouble(last.replaceAll(".*\"loss\":([-.E0-9]+).*", "$1"));
    }

    /** Weights that are read in the file of a model make the same adapter as those that were copied. */
    @Test
    void whereWeightsLieMakesNoDifference() throws IOException {
        Path half = TinyRun.wideLlama(folder.resolve("half"), DType.BF16);
        Path whole = folder.resolve("whole");
        Files.createDirectories(whole);
        for (Path file : Storage.list(half)) {
            Files.copy(file, whole.resolve(file.getFileName()));
        }
        byte[] before = Files.readAllBytes(half.resolve("model.safetensors"));
        try (Engine engine = TinyRun.engine()) {
            Parameters weights = ModelFolder.load(engine, half, ModelFolder.config(half), _ -> {})
                    .weights();
            HuggingFace.save(whole, weights, DType.F32, 1 << 30);
        }
        try (Engine engine = TinyRun.engine()) {
            Parameters x = ModelFolder.load(engine, half, ModelFolder.config(half), WeightFormat.BF16, _ -> {})
                    .weights();
            Parameters y = ModelFolder.load(engine, whole, ModelFolder.config(whole), WeightFormat.BF16, _ -> {})
                    .weights();
            for (CheckpointTensor tensor : x.layout().checkpointTensors()) {
                for (long i = tensor.offset(); i < tensor.offset() + tensor.size(); i++) {
                    assertThat(x.buffer().at(i))
                            .as(tensor + " " + i)
                            .isEqualTo(y.buffer().at(i));
                }
            }
        }
        Map<String, Object> lora = Map.of("lora", 2, "weights", "bf16");
        train(half, "a", lora);
        train(whole, "b", lora);
        assertThat(folder.resolve("a/final/adapter_model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("b/final/adapter_model.safetensors"));
        assertThat(Files.readAllBytes(half.resolve("model.safetensors"))).isEqualTo(before);

        Map<String, Object> freeze = Map.of("freeze", List.of("q_proj", "embed_tokens", "mlp"), "weights", "bf16");
        train(half, "c", freeze);
        train(whole, "d", freeze);
        try (Engine engine = TinyRun.engine()) {
            Parameters c = ModelFolder.load(engine, folder.resolve("c/final"), ModelFolder.config(half), _ -> {})
                    .weights();
            Parameters d = ModelFolder.load(engine, folder.resolve("d/final"), ModelFolder.config(half), _ -> {})
                    .weights();
            for (CheckpointTensor tensor : c.layout().checkpointTensors()) {
                boolean vector = tensor.shape().size() == 1;
                for (long i = tensor.offset(); i < tensor.offset() + tensor.size(); i++) {
                    // The run that began with BF16 saves vectors so.
                    assertThat(c.buffer().at(i)).isEqualTo(d.buffer().at(i), within(vector ? 0.01f : 0f));
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"bf16, 0", "int8, 0.035", "nf4, 0.3"})
    void adaptersLearnOnAnyFormat(String format, double tolerance) throws IOException {
        Path model = TinyRun.wideLlama(folder.resolve("model"), DType.BF16);
        train(model, "floats", Map.of("lora", 2, "lora_plus", 4));
        train(model, "stored", Map.of("lora", 2, "lora_plus", 4, "weights", format));
        assertThat(loss("stored", "domain")).isEqualTo(loss("floats", "domain"), within(tolerance));
        assertThat(loss("stored", "general")).isEqualTo(loss("floats", "general"), within(tolerance));
        double begin = Double.parseDouble(Files.readAllLines(folder.resolve("stored/metrics.jsonl"))
                .getFirst()
                .replaceAll(".*\"loss\":([-.E0-9]+).*", "$1"));
        assertThat(loss("stored", "domain")).isLessThan(begin);
    }

    /** A merged model that is saved with 16 bits needs no floats in memory. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void mergingRoundsOnce(boolean dora) throws IOException {
        Path model = TinyRun.wideLlama(folder.resolve("model"), DType.BF16);
        train(model, "run", Map.of("lora", 2, "dora", dora));
        Path adapter = folder.resolve("run/final");
        for (WeightFormat format : List.of(WeightFormat.FP32, WeightFormat.BF16)) {
            try (Engine engine = TinyRun.engine()) {
                Parameters weights = ModelFolder.load(
                                engine, adapter, ModelFolder.config(adapter), format, _ -> _ -> true, _ -> {})
                        .weights();
                AdapterMerge.merge(engine, weights);
                Path out = folder.resolve(format.name());
                Files.createDirectories(out);
                HuggingFace.save(out, weights, DType.BF16, 1 << 30);
            }
        }
        assertThat(folder.resolve("BF16/model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("FP32/model.safetensors"));
        assertThat(Files.mismatch(folder.resolve("BF16/model.safetensors"), model.resolve("model.safetensors")))
                .isNotEqualTo(-1);
    }

    /** Updates of a hundredth of a weight's last place add up, as rounding to nearest would not let them. */
    @Test
    void smallUpdatesOfHalfWeightsAreNotLost() throws IOException {
        Path model = TinyRun.wideLlama(folder.resolve("model"), DType.BF16);
        Map<String, Object> slow =
                Map.of("lr", 2e-5, "warmup", 0, "schedule", "constant", "weight_decay", 0, "steps", 60);
        train(model, "floats", slow);
        Map<String, Object> half = new HashMap<>(slow);
        half.put("weights", "bf16");
        train(model, "stored", half);
        double begin = Double.parseDouble(Files.readAllLines(folder.resolve("stored/metrics.jsonl"))
                .getFirst()
                .replaceAll(".*\"loss\":([-.E0-9]+).*", "$1"));
        double fallen = begin - loss("floats", "domain");
        assertThat(fallen).isGreaterThan(0.001);
        assertThat(begin - loss("stored", "domain")).isEqualTo(fallen, within(0.3 * fallen));
    }

    @Test
    void quantisedWeightsAreNotTrained() throws IOException {
        Path model = TinyRun.wideLlama(folder.resolve("model"), DType.BF16);
        assertThatThrownBy(() -> train(model, "run", Map.of("weights", "nf4")))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("weights: nf4", "add --lora")
                .message()
                .hasLineCount(1);
        Path narrow = TinyRun.gpt2(folder.resolve("narrow"), DType.F32);
        assertThatThrownBy(() -> train(narrow, "narrow run", Map.of("weights", "int8", "lora", 2)))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("width", "12", "64", "bf16")
                .message()
                .hasLineCount(1);
    }

    /** What a file has room for and its format in memory has not. */
    @Test
    void weightsBeyondBf16AreRefused() throws IOException {
        Path model = TinyRun.llama(
                folder.resolve("model"),
                weights -> weights.buffer().segment().setAtIndex(ValueLayout.JAVA_FLOAT, 3, Float.MAX_VALUE));
        assertThatThrownBy(() -> train(model, "run", Map.of("weights", "bf16")))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("embed_tokens", "beyond BF16's largest", "--weights fp32")
                .message()
                .hasLineCount(1);
    }
}
