package dev.whirlwind.training.optimizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Initializer;
import dev.whirlwind.model.Lion;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Recompute;
import dev.whirlwind.model.Saving;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.training.TinyRun;
import dev.whirlwind.training.config.TrainConfig;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Training some parameters is training all and taking the others' changes back, with a norm of theirs alone. */
class FreezingTest {
    /** One layer: slices of different kinds lie side by side, some with the same stride. */
    private static final String ONE_LAYER = """
            {"model_type": "llama", "vocab_size": 30, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1,
             "num_attention_heads": 2, "max_position_embeddings": 16, "initializer_range": 0.2,
             "tie_word_embeddings": false}""";

    private static final Map<String, String> MODELS = Map.of("one", ONE_LAYER, "gpt2", """
            {"model_type": "gpt2", "vocab_size": 30, "n_embd": 12, "n_layer": 4, "n_head": 3, "n_positions": 16,
             "initializer_range": 0.2, "embd_pdrop": 0.1, "attn_pdrop": 0.2, "resid_pdrop": 0.15}""", "qwen3", """
            {"model_type": "qwen3", "vocab_size": 30, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 4,
             "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6, "max_position_embeddings": 16,
             "initializer_range": 0.2, "tie_word_embeddings": false}""");

    private record Run(Map<String, float[]> weights, Map<String, float[]> gradients, double norm, long moments) {}

    private static float[] floats(Parameters parameters, CheckpointTensor tensor) {
        return parameters
                .buffer()
                .segment()
                .asSlice(4 * tensor.offset(), 4 * tensor.size())
                .toArray(ValueLayout.JAVA_FLOAT);
    }

    private static Map<String, float[]> floats(Parameters parameters) {
        parameters.download();
        Map<String, float[]> all = new HashMap<>();
        parameters.layout().checkpointTensors().forEach(tensor -> all.put(tensor.name(), floats(parameters, tensor)));
        return all;
    }

    /** A step of two passes, or as many as given. */
    private static Run run(String model, TrainConfig config, int steps) {
        return run(model, config, steps, 2);
    }

    private static Run run(String model, TrainConfig config, int steps, int passes) {
        ModelConfig architecture = ModelConfig.parse(MODELS.get(model).getBytes(StandardCharsets.UTF_8), "test");
        try (Engine engine = TinyRun.engine()) {
            Parameters weights = new Parameters(engine, new ParameterLayout(architecture), "weights");
            Initializer.initialize(weights, 5);
            weights.upload();
            RateFactors factors = config.factors(weights.layout());
            Transformer transformer = Transformer.forTraining(
                    engine, weights, 2, 9, config.memory().saving(), factors::trains);
            Optimizer optimizer =
                    new Optimizer(engine, transformer, config.optimizer().rule(), factors, 0);
            Map<String, float[]> gradients = null;
            double norm = 0;
            for (int step = 0; step < steps; step++) {
                fill(transformer, step);
                if (config.memory().updateInBackward()) {
                    transformer.forwardBackward(optimizer.inBackward(0.01, _ -> true));
                    continue;
                }
                transformer.forwardBackward();
                for (int pass = 1; pass < passes; pass++) {
                    transformer.forwardBackward();
                }
                if (gradients == null) {
                    gradients = floats(transformer.gradients());
                }
                norm = optimizer.gradientNorm();
                optimizer.update(0.01, norm);
                transformer.gradients().download();
                assertThat(transformer.gradients().buffer().segment().toArray(ValueLayout.JAVA_FLOAT))
                        .containsOnly(0f);
            }
            long moments = optimizer.state().stream()
                    .mapToLong(state -> state.buffer().length())
                    .sum();
            return new Run(floats(weights), gradients, norm, moments);
        }
    }

    private static void fill(Transformer transformer, int step) {
        for (int i = 0; i < 18; i++) {
            transformer.inputs().tokens[i] = (i * i + step) % 30;
            transformer.inputs().targets[i] = (i * 7 + step) % 30;
        }
        transformer.inputs().step = step;
        transformer.inputs().lossScale = 1f / 18;
    }

    private static TrainConfig config(Map<String, ?> options) {
        return TrainConfig.of(options, "test");
    }

    @ParameterizedTest
    @CsvSource({
        "one, '{embed_tokens,k_proj}'",
        "gpt2, h.[01]",
        "gpt2, '{wte,wpe,h.0,h.1,h.2}'",
        "gpt2, '{wpe,h}'",
        "gpt2, '*weight'",
        "gpt2, '{h.1,h.2.attn,h.3.mlp}'",
        "qwen3, layers.[0-2]",
        "qwen3, '{embed_tokens,layers.0,layers.1}'",
        "qwen3, '{embed_tokens,k_proj,up_proj,lm_head,q_norm}'",
        "qwen3, '{lm_head,*norm}'",
        "qwen3, '{embed_tokens,layers.[0-3],norm}'",
        "qwen3, '{embed_tokens,layers.0,layers.2,lm_head}'",
    })
    void aGradientIsThatOfTrainingAll(String model, String freeze) {
        for (boolean recompute : new boolean[] {false, true}) {
            Run all = run(model, config(Map.of("recompute", recompute)), 1);
            Run some = run(model, config(Map.of("recompute", recompute, "freeze", List.of(freeze))), 1);
            assertThat(some.gradients).isNotEmpty().hasSizeLessThan(all.gradients.size());
            double squares = 0;
            for (Map.Entry<String, float[]> gradient : some.gradients.entrySet()) {
                assertThat(gradient.getValue())
                        .as(gradient.getKey())
                        .containsExactly(all.gradients.get(gradient.getKey()));
                for (float x : gradient.getValue()) {
                    squares += (double) x * x;
                }
            }
            assertThat(some.norm).isCloseTo(Math.sqrt(squares), within(1e-6 * some.norm));
            assertThat(some.moments).isLessThan(all.moments);
        }
    }

    @ParameterizedTest
    @CsvSource({"adamw", "lion", "muon", "adafactor", "apollo"})
    void whatIsFrozenStaysAndTheRestMovesAsItWould(String optimizer) {
        for (String model : MODELS.keySet()) {
            String freeze = switch (model) {
                case "gpt2" -> "{wpe,h.0,h.2.attn}";
                case "one" -> "{embed_tokens,o_proj}";
                default -> "{embed_tokens,layers.0,k_proj,lm_head,layers.2.mlp}";
            };
            Run before = run(model, config(Map.of()), 0);
            Run all = run(model, config(Map.of("optimizer", optimizer)), 1);
            Run some = run(model, config(Map.of("optimizer", optimizer, "freeze", List.of(freeze))), 1);
            before.weights.forEach((name, start) -> {
                boolean trained = some.gradients.containsKey(name);
                assertThat(some.weights.get(name)).as(name).containsExactly(trained ? all.weights.get(name) : start);
                assertThat(all.weights.get(name)).as(name).isNotEqualTo(start);
            });
        }
    }

    /** Gradients of one layer at a time, used up at once, are the same gradients; nor does what is computed again differ. */
    @ParameterizedTest
    @CsvSource({"adamw", "lion", "muon", "adafactor", "apollo"})
    void savingMemoryChangesNothing(String optimizer) {
        for (String model : MODELS.keySet()) {
            Map<String, Object> options = new HashMap<>(Map.of("optimizer", optimizer, "layer_decay", 0.7));
            String freeze = model.equals("gpt2") ? "{wpe,h.0,h.2.attn}" : "{embed_tokens,k_proj}";
            for (List<String> frozen : List.of(List.<String>of(), List.of(freeze))) {
                options.put("freeze", frozen);
                TrainConfig config = config(options);
                Map<String, float[]> expected = run(model, config, 3, 1).weights;
                for (Map<String, ?> saving : SAVING) {
                    Map<String, float[]> actual = run(model, config.with(saving, "test"), 3, 1).weights;
                    expected.forEach((name, values) -> assertThat(actual.get(name))
                            .as("%s %s %s", model, saving, name)
                            .containsExactly(values));
                }
            }
        }
    }

    /** A layer's gradient is clipped by its own norm; what comes after one that is no number is left alone. */
    @Test
    void clippingIsByLayerWhereGradientsAreUsedAtOnce() {
        ModelConfig architecture = ModelConfig.parse(MODELS.get("qwen3").getBytes(StandardCharsets.UTF_8), "test");
        float clip = 0.01f;
        try (Engine engine = TinyRun.engine()) {
            Parameters weights = new Parameters(engine, new ParameterLayout(architecture), "weights");
            Initializer.initialize(weights, 5);
            weights.upload();
            Map<String, float[]> gradients = run("qwen3", config(Map.of()), 1, 1).gradients;
            Saving saving = new Saving(Recompute.NOTHING, true);
            Transformer transformer = Transformer.forTraining(engine, weights, 2, 9, saving, _ -> true);
            Optimizer optimizer = new Optimizer(
                    engine, transformer, LionRule.of(new Lion(0.9f, 0.5f, 0), false), RateFactors.NONE, clip);
            fill(transformer, 0);
            Optimizer.InBackward update = optimizer.inBackward(0.01, _ -> true);
            transformer.forwardBackward(update);
            Map<String, Double> squares = new HashMap<>();
            gradients.forEach((name, values) -> {
                for (float x : values) {
                    squares.merge(part(name), (double) x * x, Double::sum);
                }
            });
            double all = squares.values().stream().mapToDouble(x -> x).sum();
            assertThat(update.norm()).isCloseTo(Math.sqrt(all), within(1e-5));
            State mean = optimizer.state().getFirst();
            mean.download();
            mean.tensors().forEach(tensor -> {
                double scale = Math.min(1, clip / Math.sqrt(squares.get(part(tensor.name()))));
                float[] expected = gradients.get(tensor.name());
                for (int i = 0; i < expected.length; i++) {
                    assertThat((double) mean.buffer().at(tensor.offset() + i))
                            .as(tensor.name())
                            .isCloseTo(0.5 * scale * expected[i], within(1e-7));
                }
            });

            transformer.inputs().lossScale = 1e38f;
            Optimizer.InBackward broken = optimizer.inBackward(0.01, _ -> true);
            transformer.forwardBackward(broken);
            assertThat(broken.norm()).isNotFinite();
            floats(weights).forEach((name, values) -> {
                for (float x : values) {
                    assertThat(x).as(name).isFinite();
                }
            });
        }
    }

    private static String part(String name) {
        return name.contains("layers.") ? name.replaceAll(".*layers\\.(\\d+).*", "$1") : "rest";
    }

    private static final List<Map<String, ?>> SAVING = List.of(
            Map.of("update_in_backward", true),
            Map.of("recompute", true),
            Map.of("recompute", true, "recompute_part", "attention"),
            Map.of("recompute", true, "recompute_part", "mlp"),
            Map.of("recompute", true, "recompute_every", 2),
            Map.of("recompute", true, "recompute_every", 3, "update_in_backward", true),
            Map.of("recompute", true, "recompute_every", 9));

    /** Of one step the movement, but for weight decay's share, is a multiple of the rate. */
    @ParameterizedTest
    @CsvSource({"adamw", "lion", "muon", "adafactor", "apollo"})
    void ratesAreByName(String optimizer) {
        for (String model : MODELS.keySet()) {
            Map<String, Object> options = Map.of("optimizer", optimizer, "weight_decay", 0.5);
            List<String> rates = switch (model) {
                case "gpt2" -> List.of("wte=0.5", "h.2=0.25", "h.1.mlp=2");
                case "one" -> List.of("embed*=0.5", "layers.0.mlp=0.25");
                default -> List.of("embed*=0.5", "layers.2=0.25", "q_proj=2", "norm=4");
            };
            TrainConfig one = config(options);
            Run before = run(model, one, 0);
            Run same = run(model, one, 1);
            TrainConfig other = one.with(Map.of("lr_for", rates, "layer_decay", 0.5), "test");
            Run run = run(model, other, 1);
            ParameterLayout layout =
                    new ParameterLayout(ModelConfig.parse(MODELS.get(model).getBytes(StandardCharsets.UTF_8), "test"));
            RateFactors factors = other.factors(layout);
            before.weights.forEach((name, start) -> {
                float[] moved = same.weights.get(name);
                float[] now = run.weights.get(name);
                for (int i = 0; i < start.length; i++) {
                    double expected = start[i] + factors.of(name) * ((double) moved[i] - start[i]);
                    assertThat((double) now[i]).as("%s[%d]", name, i).isCloseTo(expected, within(1e-6));
                }
            });
        }
    }

    @Test
    void groupsAreAsFewAsCanBe() {
        ParameterLayout layout =
                new ParameterLayout(ModelConfig.parse(MODELS.get("qwen3").getBytes(StandardCharsets.UTF_8), "test"));
        assertThat(groups(layout, Map.of())).hasSize(2);
        // Embedding and head lie side by side; so do the second norm of the layers and the last.
        assertThat(groups(layout, Map.of("freeze", List.of("layers.0")))).hasSize(1 + 4 + 4);
        assertThat(groups(layout, Map.of("freeze", List.of("embed_tokens")))).hasSize(2);
        // One for each kind of matrix and vector, whose layers are run one by one; embedding and head are one each.
        assertThat(groups(layout, Map.of("layer_decay", 0.9))).hasSize(1 + 1 + 4 + 5);
        assertThat(groups(layout, Map.of("lr_for", List.of("k_proj=0.5")))).hasSize(3 + 2 + 1);
    }

    private static List<ParameterGroup> groups(ParameterLayout layout, Map<String, ?> options) {
        try (Engine engine = TinyRun.engine()) {
            RateFactors factors = config(options).factors(layout);
            Parameters weights = new Parameters(engine, layout, "weights");
            Parameters gradients = new Parameters(engine, layout.only(factors::trains), "gradients");
            return ParameterGroup.merged(new ParameterGroups(engine, weights, gradients, factors).parts());
        }
    }
}
