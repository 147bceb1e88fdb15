package dev.whirlwind.training.optimizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Initializer;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Philox;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.training.TinyRun;
import dev.whirlwind.training.config.TrainConfig;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** APOLLO beside its formula in double precision: wide and high matrices, directions that change, a gradient that is clipped. */
class ApolloTest {
    private static final Map<String, String> MODELS = Map.of("llama", """
            {"model_type": "llama", "vocab_size": 16, "hidden_size": 8, "intermediate_size": 12,
             "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 16,
             "tie_word_embeddings": false}""", "gpt2", """
            {"model_type": "gpt2", "vocab_size": 16, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 12}""");

    private static final int REFRESH = 3;
    private static final double RATE = 0.01;
    private static final double DECAY = 0.1;
    private static final double BETA1 = 0.9;
    private static final double BETA2 = 0.95;
    private static final double EPS = 1e-8;

    /** A tensor as [rows, columns] as it lies in the arena, and its means. */
    private static final class Expected {
        final CheckpointTensor tensor;
        final boolean matrix;
        final int rows;
        final int columns;
        final double[] weight;
        double[] m;
        double[] v;

        Expected(CheckpointTensor tensor, boolean decayed, double[] weight) {
            this.tensor = tensor;
            matrix = decayed
                    && (tensor.name().contains("layers.") || tensor.name().contains(".h."));
            int first = Math.toIntExact(tensor.shape().getFirst());
            int last = Math.toIntExact(tensor.shape().getLast());
            rows = tensor.shape().size() == 1 ? 1 : tensor.transposed() ? last : first;
            columns = tensor.transposed() ? first : last;
            this.weight = weight;
        }

        int layer() {
            return Integer.parseInt(tensor.name().replaceAll(".*(?:layers|h)\\.(\\d+)\\..*", "$1"));
        }

        void update(double[] gradient, int t, int rank, long seed) {
            boolean ofRows = columns <= rows;
            int smaller = Math.min(rows, columns);
            int larger = Math.max(rows, columns);
            int r = Math.min(rank, smaller);
            double[] seen = gradient;
            if (matrix) {
                seen = new double[r * larger];
                double[] directions = directions(r, smaller, t, seed);
                for (int i = 0; i < rows; i++) {
                    for (int j = 0; j < columns; j++) {
                        for (int k = 0; k < r; k++) {
                            // As they lie there: [rank, columns] or [rows, rank].
                            double d = directions[ofRows ? k * columns + j : i * r + k];
                            seen[ofRows ? i * r + k : k * columns + j] += gradient[i * columns + j] * d;
                        }
                    }
                }
            }
            m = m == null ? new double[seen.length] : m;
            v = v == null ? new double[seen.length] : v;
            double[] step = new double[seen.length];
            for (int i = 0; i < seen.length; i++) {
                m[i] = BETA1 * m[i] + (1 - BETA1) * seen[i];
                v[i] = BETA2 * v[i] + (1 - BETA2) * seen[i] * seen[i];
                step[i] = m[i] / (1 - Math.pow(BETA1, t)) / (Math.sqrt(v[i] / (1 - Math.pow(BETA2, t))) + EPS);
            }
            double decay = rows > 1 ? DECAY : 0;
            for (int i = 0; i < weight.length; i++) {
                int channel = ofRows ? i / columns : i % columns;
                double change = !matrix
                        ? step[i]
                        : gradient[i]
                                * Math.sqrt((double) smaller / r)
                                * norm(step, channel, r, larger, ofRows, rank == 1)
                                / norm(seen, channel, r, larger, ofRows, rank == 1);
                weight[i] -= RATE * (change + decay * weight[i]);
            }
        }

        private double[] directions(int r, int smaller, int t, long seed) {
            Inputs inputs = new Inputs(1);
            inputs.seed = seed;
            inputs.step = (t - 1) / REFRESH;
            inputs.microBatch = -1;
            double[] directions = new double[r * smaller];
            int[] bits = new int[4];
            for (int i = 0; i < directions.length; i++) {
                Philox.maskBlock(inputs, layer(), Philox.NOISE, i / 4, bits);
                directions[i] = Math.sqrt(3.0 / r) * (bits[i % 4] >> 8) * 0x1p-23;
            }
            return directions;
        }

        private static double norm(double[] x, int channel, int rank, int larger, boolean ofRows, boolean whole) {
            double sum = 0;
            for (int i = 0; i < x.length; i++) {
                int of = ofRows ? i / rank : i % larger;
                sum += whole || of == channel ? x[i] * x[i] : 0;
            }
            return Math.sqrt(sum);
        }
    }

    @ParameterizedTest
    @CsvSource({"llama, 3, 1", "llama, 1, 0", "llama, 256, 0", "gpt2, 5, 0.2", "gpt2, 1, 1"})
    void tenUpdates(String model, int rank, double clip) {
        ModelConfig config = ModelConfig.parse(MODELS.get(model).getBytes(StandardCharsets.UTF_8), "test");
        Random random = new Random(3);
        try (Engine engine = TinyRun.engine()) {
            Parameters weights = new Parameters(engine, new ParameterLayout(config), "weights");
            Initializer.initialize(weights, 1);
            weights.upload();
            Transformer transformer = Transformer.forTraining(engine, weights, 1, 8, false);
            transformer.inputs().seed = 12345;
            transformer.inputs().step = 7;
            TrainConfig options = TrainConfig.of(
                    Map.of("optimizer", "apollo", "apollo_rank", rank, "apollo_refresh", REFRESH), "test");
            Optimizer optimizer =
                    new Optimizer(engine, transformer, options.optimizer().rule(), RateFactors.NONE, clip);
            Map<String, Expected> expected = new HashMap<>();
            long matrices = weights.layout().decayedLength();
            for (CheckpointTensor tensor : weights.layout().checkpointTensors()) {
                double[] start = new double[Math.toIntExact(tensor.size())];
                for (int i = 0; i < start.length; i++) {
                    start[i] = weights.buffer().at(tensor.offset() + i);
                }
                expected.put(tensor.name(), new Expected(tensor, tensor.offset() < matrices, start));
            }
            for (int t = 1; t <= 10; t++) {
                Map<String, double[]> gradients = new HashMap<>();
                double squares = 0;
                for (Expected of : expected.values()) {
                    double[] gradient = random.doubles(of.weight.length, -0.1, 0.1)
                            .map(x -> (float) x)
                            .toArray();
                    for (int i = 0; i < gradient.length; i++) {
                        transformer
                                .gradients()
                                .buffer()
                                .segment()
                                .setAtIndex(ValueLayout.JAVA_FLOAT, of.tensor.offset() + i, (float) gradient[i]);
                        squares += gradient[i] * gradient[i];
                    }
                    gradients.put(of.tensor.name(), gradient);
                }
                transformer.gradients().upload();
                optimizer.update(RATE, optimizer.gradientNorm());
                assertThat(transformer.inputs().step).isEqualTo(7);
                double scale = clip == 0 ? 1 : Math.min(1, clip / (Math.sqrt(squares) + 1e-6));
                for (Expected of : expected.values()) {
                    double[] clipped = gradients.get(of.tensor.name());
                    for (int i = 0; i < clipped.length; i++) {
                        clipped[i] *= scale;
                    }
                    of.update(clipped, t, rank, 12345);
                }
            }
            weights.download();
            for (Expected of : expected.values()) {
                for (int i = 0; i < of.weight.length; i++) {
                    assertThat((double) weights.buffer().at(of.tensor.offset() + i))
                            .as("%s[%d]", of.tensor.name(), i)
                            .isCloseTo(of.weight[i], within(2e-5));
                }
            }
        }
    }
}
