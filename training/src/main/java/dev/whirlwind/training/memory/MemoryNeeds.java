package dev.whirlwind.training.memory;

import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Generator;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.optimizers.Anchor;
import dev.whirlwind.training.optimizers.Fisher;
import dev.whirlwind.training.optimizers.Optimizer;
import dev.whirlwind.training.optimizers.RateFactors;
import dev.whirlwind.training.optimizers.WeightAverage;
import java.util.function.BiConsumer;

/**
 * Bytes of memory that a model takes, and with it the engine and Java. Tensors are counted by the very code that
 * allocates them, on an engine that has none to give.
 */
public final class MemoryNeeds {
    /**
     * What a process of ours has beside tensors: Java's heap and code, packed parts of matrices, tokenizers. 215 to 230
     * MiB were measured for models from 3 to 124 million parameters.
     */
    static final long OVERHEAD = 224L << 20;

    private MemoryNeeds() {}

    /** To train with the default options. */
    public static long training(ModelConfig config, int batch, int sequence, boolean recompute) {
        return training(config, batch, sequence, recompute, TrainConfig.DEFAULTS);
    }

    /**
     * To train on micro-batches of {@code batch} sequences; evaluations between steps take no more.
     *
     * @param options of which the optimizer and what follows it are of interest
     */
    public static long training(ModelConfig config, int batch, int sequence, boolean recompute, TrainConfig options) {
        return loss(config, batch, sequence)
                + tensors(options.layout(config), (engine, weights) -> {
                    RateFactors factors = options.factors(weights.layout());
                    Transformer transformer =
                            Transformer.forTraining(engine, weights, batch, sequence, recompute, factors::trains);
                    new Optimizer(engine, transformer, options.optimizer().rule(), factors, 0);
                    boolean elastic = options.regularisation().ewc() != null;
                    if (options.regularisation().anchor() > 0 || elastic) {
                        Parameters importance = elastic ? new Parameters(engine, weights.layout(), "importance") : null;
                        new Anchor(engine, transformer, 1, importance, 1);
                    }
                    if (options.optimizer().ema() != null) {
                        WeightAverage average = new WeightAverage(engine, transformer, 0.5);
                        Transformer.forEvaluation(engine, average.parameters(), batch, sequence);
                    }
                });
    }

    /** To estimate {@link Fisher}. */
    public static long fisher(ModelConfig config, int sequence) {
        return loss(config, 1, sequence) + tensors(config, (engine, weights) -> new Fisher(engine, weights, sequence));
    }

    /** What learning from so many tokens of a kept teacher takes besides: these, and as many logits as the model's. */
    public static long keptTeacher(ModelConfig config, int batch, int sequence, int top) {
        return loss(config, batch, sequence) - OVERHEAD + (long) batch * sequence * (2L * top + 1) * Float.BYTES;
    }

    /** To compute losses of {@code batch} sequences at once. */
    public static long evaluation(ModelConfig config, int batch, int sequence) {
        return loss(config, batch, sequence)
                + tensors(config, (engine, weights) -> Transformer.forEvaluation(engine, weights, batch, sequence));
    }

    /** To continue a text up to {@code capacity} tokens, which are read {@code chunk} at a time. */
    public static long generation(ModelConfig config, int capacity, int chunk) {
        return OVERHEAD + tensors(config, (engine, weights) -> new Generator(engine, weights, capacity, chunk));
    }

    /** To continue texts with the weights that are there, beside what these and all else take. */
    public static long sampling(ModelConfig config, int capacity, int chunk) {
        long weights = tensors(config, (engine, _) -> {});
        return tensors(config, (engine, shared) -> new Generator(engine, shared, capacity, chunk)) - weights;
    }

    /** To hold a model's weights. */
    public static long weights(ModelConfig config) {
        return OVERHEAD + tensors(config, (engine, weights) -> {});
    }

    /** Beside tensors: overhead, and logits. */
    private static long loss(ModelConfig config, int batch, int sequence) {
        int rows = config.attention(batch, sequence).rows();
        return OVERHEAD + Math.min(Ops.LOGITS_BYTES, Float.BYTES * (long) rows * config.vocabularySize());
    }

    /** Far from overflow when more is added, where the sum is more than a long has. */
    static long tensors(ModelConfig config, BiConsumer<Engine, Parameters> use) {
        return tensors(new ParameterLayout(config), use);
    }

    private static long tensors(ParameterLayout layout, BiConsumer<Engine, Parameters> use) {
        try {
            CountingEngine engine = new CountingEngine();
            use.accept(engine, new Parameters(engine, layout, "weights"));
            return Math.min(Long.MAX_VALUE / 4, Math.addExact(engine.bytes(), conversion(layout)));
        } catch (ArithmeticException e) {
            return Long.MAX_VALUE / 4;
        }
    }

    /** Tensors that files hold the other way round are read whole, one at a time. */
    private static long conversion(ParameterLayout layout) {
        return layout.checkpointTensors().stream()
                .filter(CheckpointTensor::transposed)
                .mapToLong(tensor -> Float.BYTES * tensor.size())
                .max()
                .orElse(0);
    }
}
