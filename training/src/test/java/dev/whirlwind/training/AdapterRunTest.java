package dev.whirlwind.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.AdapterMerge;
import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.adapters.AdapterConfig;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.checkpoints.Companions;
import dev.whirlwind.training.config.TrainConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs that train an adapter. */
class AdapterRunTest {
    @TempDir
    Path folder;

    private TrainConfig config(Path model, String out, Map<String, ?> options) {
        return TinyRun.config(model, folder.resolve(out), Map.of()).with(options, "test");
    }

    private static float[] floats(Parameters weights, CheckpointTensor tensor) {
        weights.download();
        return weights.buffer()
                .segment()
                .asSlice(4 * tensor.offset(), 4 * tensor.size())
                .toArray(ValueLayout.JAVA_FLOAT);
    }

    private static Parameters load(Engine engine, Path model) {
        return ModelFolder.load(engine, model, ModelFolder.config(model), _ -> {})
                .weights();
    }

    @Test
    void theBaseStaysAndTheAdapterLearns() throws IOException {
        Path model = TinyRun.gpt2(folder.resolve("model"), DType.F32);
        TinyRun.train(config(model, "run", Map.of("lora", 2, "lora_target", List.of("c_attn", "c_fc"))));
        Path last = folder.resolve("run/final");
        assertThat(Files.readString(last.resolve(AdapterConfig.NAME))).contains("\"r\" : 2", "\"lora_alpha\" : 4.0");
        try (Engine engine = TinyRun.engine()) {
            Parameters before = load(engine, model);
            Parameters after = load(engine, last);
            before.layout()
                    .checkpointTensors()
                    .forEach(tensor -> assertThat(floats(after, tensor)).containsExactly(floats(before, tensor)));
            List<CheckpointTensor> adapters = after.layout().checkpointTensors().stream()
                    .filter(CheckpointTensor::isOfAdapter)
                    .toList();
            assertThat(adapters).hasSize(2 * 2 * 2);
            assertThat(adapters)
                    .allSatisfy(tensor -> assertThat(floats(after, tensor)).doesNotContain(0f));
        }
        List<String> lines = Files.readAllLines(folder.resolve("run/metrics.jsonl"));
        assertThat(loss(lines.getFirst()))
                .isGreaterThan(loss(lines.stream()
                        .filter(line -> line.contains("\"event\":\"eval\"") && line.contains("domain"))
                        .toList()
                        .getLast()));
    }

    private static double loss(String line) {
        return Double.parseDouble(line.replaceAll(".*\"loss\":([-.E0-9]+).*", "$1"));
    }

    /** A new adapter changes nothing: the first evaluation is that of the base. */
    @Test
    void itBeginsAsTheModel() throws IOException {
        Path model = TinyRun.gpt2(folder.resolve("model"), DType.F32);
        TinyRun.train(config(model, "plain", Map.of("steps", 1)));
        TinyRun.train(config(model, "lora", Map.of("steps", 1, "lora", 2)));
        TinyRun.train(config(model, "dora", Map.of("steps", 1, "lora", 2, "dora", true)));
        double plain = firstLoss("plain");
        assertThat(firstLoss("lora")).isEqualTo(plain);
        assertThat(Math.abs(firstLoss("dora") - plain)).isLessThan(1e-6);
    }

    private double firstLoss(String run) throws IOException {
        return loss(
                Files.readAllLines(folder.resolve(run).resolve("metrics.jsonl")).getFirst());
    }

    /** It begins as the model, too; what is saved is of twice the rank, and does for the whole weights what it did for the rest. */
    @Test
    void thePrincipalPartIsTrained() throws IOException {
        Path model = TinyRun.gpt2(folder.resolve("model"), DType.F32);
        TinyRun.train(config(model, "plain", Map.of("steps", 1)));
        TinyRun.train(config(model, "pissa", Map.of("lora", 2, "lora_init", "pissa")));
        assertThat(Math.abs(firstLoss("pissa") - firstLoss("plain"))).isLessThan(1e-5);
        Path last = folder.resolve("pissa/final");
        assertThat(Files.readString(last.resolve(AdapterConfig.NAME)))
                .contains("\"r\" : 4", "\"lora_alpha\" : 8.0", "\"init_lora_weights\" : true");
        TinyRun.train(config(last, "again", Map.of("steps", 1)));
        double end = loss(Files.readAllLines(folder.resolve("pissa/metrics.jsonl")).stream()
                .filter(line -> line.contains("\"event\":\"eval\""))
                .toList()
                .reversed()
                .stream()
                .filter(line -> line.contains(name(firstLine("again"))))
                .findFirst()
                .orElseThrow());
        assertThat(Math.abs(firstLoss("again") - end)).isLessThan(1e-5);
        assertThat(Math.abs(end - firstLoss("pissa"))).isGreaterThan(1e-3);
        refuses(model, Map.of("lora", 2, "lora_init", "pissa", "weights", "bf16"), "lora_init", "fp32");
    }

    /** Adapters of rank 2 that become part of the model change it by more than that; what is saved is a model. */
    @Test
    void restartsAddUp() throws IOException {
        Path model = TinyRun.gpt2(folder.resolve("model"), DType.F32);
        Map<String, Object> options = Map.of("lora", 2, "lora_target", List.of("c_attn"), "lora_restart_every", 3);
        TinyRun.train(config(model, "run", options));
        TinyRun.train(config(model, "once", Map.of("lora", 2, "lora_target", List.of("c_attn"), "steps", 3)));
        try (Engine engine = TinyRun.engine()) {
            Parameters before = load(engine, model);
            Parameters third = load(engine, folder.resolve("run/checkpoints/step-00000003"));
            Parameters last = load(engine, folder.resolve("run/final"));
            Parameters once = load(engine, folder.resolve("once/final"));
            AdapterMerge.merge(engine, once);
            for (CheckpointTensor tensor : before.layout().checkpointTensors()) {
                float[] begun = floats(before, tensor);
                float[] ended = floats(last, tensor);
                if (!tensor.name().contains("c_attn.weight")) {
                    assertThat(ended).containsExactly(begun);
                    continue;
                }
                // Before the first restart all is as without.
                assertThat(floats(third, tensor)).containsExactly(floats(once, tensor));
                int columns = tensor.shape().getFirst().intValue();
                assertThat(rank(floats(third, tensor), begun, columns)).isEqualTo(2);
                assertThat(rank(ended, begun, columns)).isEqualTo(6);
            }
        }
        assertThat(Files.exists(folder.resolve("run/final").resolve(AdapterConfig.NAME)))
                .isFalse();
        List<String> steps = Files.readAllLines(folder.resolve("run/metrics.jsonl")).stream()
                .filter(line -> line.contains("\"event\":\"step\""))
                .toList();
        assertThat(steps).hasSize(TinyRun.STEPS);
        refuses(model, Map.of("lora", 2, "lora_restart_every", 3, "ema", 0.9), "ema", "lora_restart_every");
        refuses(model, Map.of("lora", 2, "lora_restart_every", 3, "weights", "bf16"), "weights is bf16", "restart");
        refuses(model, Map.of("lora", 2, "lora_restart_every", 3, "anchor", 0.1), "anchor", "lora_restart_every");
        refuses(model, Map.of("lora", 2, "lora_restart_every", 3, "lora_init", "pissa"), "lora_init", "restart");
    }

    /** Of a matrix of differences, by elimination; what is left of floats' rounding counts as nothing. */
    private static int rank(float[] x, float[] y, int columns) {
        double[][] rows = new double[x.length / columns][columns];
        for (int i = 0; i < x.length; i++) {
            rows[i / columns][i % columns] = (double) x[i] - y[i];
        }
        int rank = 0;
        while (true) {
            int row = 0;
            int column = 0;
            for (int i = 0; i < x.length; i++) {
                if (Math.abs(rows[i / columns][i % columns]) > Math.abs(rows[row][column])) {
                    row = i / columns;
                    column = i % columns;
                }
            }
            double[] pivot = rows[row].clone();
            if (Math.abs(pivot[column]) < 1e-5) {
                return rank;
            }
            rank++;
            for (double[] other : rows) {
                double factor = other[column] / pivot[column];
                for (int i = 0; i < columns; i++) {
                    other[i] -= factor * pivot[i];
                }
            }
        }
    }

    /** The learning rate rises again after a restart. */
    @Test
    void restartsWarmUp() {
        TrainConfig config =
                TrainConfig.of(Map.of("lora", 2, "lora_restart_every", 10, "lora_restart_warmup", 4), "test");
        assertThat(IntStream.of(0, 9, 10, 11, 13, 14, 20)
                        .mapToDouble(config.adapter()::rewarming)
                        .boxed())
                .containsExactly(1.0, 1.0, 0.25, 0.5, 1.0, 1.0, 0.25);
    }

    /** A base model that another one took the place of is noticed when the adapter's run goes on. */
    @Test
    void theBaseIsKnownAgain() throws IOException {
        Path model = TinyRun.gpt2(folder.resolve("model"), DType.F32);
        String before = Companions.base(model);
        assertThat(Companions.base(model)).isEqualTo(before);
        TrainConfig config = config(model, "run", Map.of("lora", 2, "steps", 2));
        TinyRun.train(config);
        TrainConfig longer = config.with(Map.of("steps", 4), "test");
        Path weights = model.resolve("model.safetensors");
        byte[] bytes = Files.readAllBytes(weights);
        bytes[bytes.length - 9] ^= 1;
        Files.write(weights, bytes);
        assertThat(Companions.base(model)).isNotEqualTo(before);
        assertThatThrownBy(() -> TinyRun.train(longer))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("base holds something else than it did")
                .message()
                .hasLineCount(1);
    }

    private static String name(String line) {
        return line.replaceAll(".*(\"name\":\"[^\"]*\").*", "$1");
    }

    private String firstLine(String run) {
        try {
            return Files.readAllLines(folder.resolve(run).resolve("metrics.jsonl"))
                    .getFirst();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** PEFT's is_trainable. */
    @Test
    void anAdapterIsTrainedOn() throws IOException {
        Path model = TinyRun.gpt2(folder.resolve("model"), DType.F32);
        TinyRun.train(config(model, "one", Map.of("lora", 2)));
        Path first = folder.resolve("one/final");
        TinyRun.train(config(first, "two", Map.of()));
        assertThat(folder.resolve("two/final/adapter_model.safetensors")).isRegularFile();
        assertThat(Files.mismatch(
                        folder.resolve("two/final/adapter_model.safetensors"),
                        first.resolve("adapter_model.safetensors")))
                .isNotNegative();
        assertThatThrownBy(() -> TinyRun.train(config(first, "three", Map.of("lora", 2))))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("is an adapter already")
                .message()
                .hasLineCount(1);
    }

    @Test
    void whatCannotBeMeant() throws IOException {
        Path model = TinyRun.gpt2(folder.resolve("model"), DType.F32);
        refuses(model, Map.of("lora", 2, "lora_target", List.of("q_proj")), "none of the model's: ", "c_attn");
        refuses(model, Map.of("lora", 2, "lora_target", List.of("wte")), "cannot have an adapter");
        refuses(model, Map.of("lora", 2, "lora_save", List.of("lm_head")), "its head is the token embedding");
        refuses(model, Map.of("lora", 13), "rank", "13", "12");
        refuses(model, Map.of("lora_plus", 16), "lora_plus only has an effect with an adapter");
    }

    private void refuses(Path model, Map<String, ?> options, String... words) {
        assertThatThrownBy(() -> TinyRun.train(config(model, "x", options)))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll(words)
                .message()
                .hasLineCount(1);
    }
}
