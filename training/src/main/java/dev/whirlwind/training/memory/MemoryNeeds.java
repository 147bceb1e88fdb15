package dev.whirlwind.training.memory;

import dev.whirlwind.model.AdapterMerge;
import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Generator;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Pissa;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.WeightFormat;
import dev.whirlwind.training.config.AdapterOptions;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.evaluation.Samples;
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
     * What a process of ours has beside tensors, with the heap that the launcher gives it: classes, compiled code, packed
     * parts of matrices.
     */
    static final long JAVA = 196L << 20;

    /** The library for tokenizers, and what it and we make of a byte of its file. */
    private static final long TOKENIZER = 68L << 20;

    private static final long OF_A_FILE = 14;

    /** Bytes of a tokenizer's file for each token of the vocabulary. */
    private static final long TOKEN = 70;

    /** Tokens of a vocabulary of bytes, for which there is no library. */
    private static final int BYTES = 256;

    private MemoryNeeds() {}

    /**
     * What a run has beside its own model.
     *
     * @param sampleTokens most tokens of a sample with its prompt; 0 for no samples
     * @param teacher a model that is learnt from; null for none
     * @param keptTokens likeliest tokens that were kept of a teacher; 0 for none
     * @param tokenizer bytes of the tokenizer's files; 0 where they are not known
     */
    public record Beside(int sampleTokens, ModelConfig teacher, int keptTokens, long tokenizer) {
        public static final Beside NOTHING = new Beside(0, null, 0, 0);
    }

    /** To train; evaluations between steps take no more. */
    public static MemoryUse training(ModelConfig given, TrainConfig options, Beside beside) {
        Double dropout = options.regularisation().dropout();
        ModelConfig config = dropout == null ? given : given.withDropout(dropout.floatValue());
        int batch = options.length().batch();
        int sequence = options.length().sequenceLength(config.maxPositions());
        Precision precision = options.engine().precision();
        MemoryUse logits = logits(config, batch, sequence);
        MemoryUse use = java(config, beside.tokenizer()).plus(logits);
        if (beside.teacher() != null || beside.keptTokens() > 0) {
            use = use.plus(logits.all(Purpose.TEACHER));
        }
        if (beside.teacher() != null) {
            use = use.plus(
                    tensors(new ParameterLayout(beside.teacher()), precision, WeightFormat.FP32, (engine, weights) -> {
                                Transformer.forEvaluation(engine, weights, batch, sequence);
                            })
                            .all(Purpose.TEACHER));
        }
        if (beside.keptTokens() > 0) {
            long places = config.attention(batch, sequence).rows();
            use = use.plus(MemoryUse.of(Purpose.TEACHER, places * (2L * beside.keptTokens() + 1) * Float.BYTES));
        }
        return use.plus(tensors(
                options.layout(config), precision, options.memory().weights(), (engine, weights) -> {
                    RateFactors factors = options.factors(weights.layout());
                    Transformer transformer = Transformer.forTraining(
                            engine, weights, batch, sequence, options.memory().saving(), factors::trains);
                    engine.now(Purpose.SCRATCH);
                    if (options.adapter().loraInit() == AdapterOptions.Init.PISSA) {
                        new Pissa(engine, weights);
                    }
                    if (options.adapter().restarts()) {
                        new AdapterMerge(engine, weights, weights);
                    }
                    engine.now(Purpose.MOMENTS);
                    new Optimizer(engine, transformer, options.optimizer().rule(), factors, 0);
                    engine.now(Purpose.ANCHOR);
                    boolean elastic = options.regularisation().ewc() != null;
                    if (options.regularisation().anchor() > 0 || elastic) {
                        Parameters importance = elastic ? new Parameters(engine, weights.layout(), "importance") : null;
                        new Anchor(engine, transformer, 1, importance, 1);
                    }
                    engine.now(Purpose.EMA);
                    if (options.optimizer().ema() != null) {
                        WeightAverage average = new WeightAverage(engine, transformer, 0.5);
                        Transformer.forEvaluation(engine, average.parameters(), batch, sequence);
                    }
                    engine.now(Purpose.SAMPLES);
                    if (beside.sampleTokens() > 0) {
                        new Generator(engine, weights, beside.sampleTokens(), Samples.chunk(beside.sampleTokens()));
                    }
                }));
    }

    /** To estimate {@link Fisher}. */
    public static long fisher(ModelConfig config, int sequence) {
        return total(
                config, WeightFormat.FP32, 1, sequence, (engine, weights) -> new Fisher(engine, weights, sequence));
    }

    /** To compute losses of {@code batch} sequences at once. */
    public static long evaluation(ModelConfig config, int batch, int sequence) {
        return evaluation(config, batch, sequence, WeightFormat.FP32);
    }

    /** The same of weights in a format. */
    public static long evaluation(ModelConfig config, int batch, int sequence, WeightFormat format) {
        return total(
                config,
                format,
                batch,
                sequence,
                (engine, weights) -> Transformer.forEvaluation(engine, weights, batch, sequence));
    }

    /** To continue a text up to {@code capacity} tokens, which are read {@code chunk} at a time. */
    public static long generation(ModelConfig config, int capacity, int chunk) {
        return generation(config, capacity, chunk, WeightFormat.FP32);
    }

    /** The same with weights in a format. */
    public static long generation(ModelConfig config, int capacity, int chunk, WeightFormat format) {
        return total(config, format, 0, 0, (engine, weights) -> new Generator(engine, weights, capacity, chunk));
    }

    /** To hold a model's weights. */
    public static long weights(ModelConfig config) {
        return weights(config, WeightFormat.FP32);
    }

    /** The same in a format. */
    public static long weights(ModelConfig config, WeightFormat format) {
        return total(config, format, 0, 0, (engine, weights) -> {});
    }

    private static long total(
            ModelConfig config,
            WeightFormat format,
            int batch,
            int sequence,
            BiConsumer<CountingEngine, Parameters> use) {
        return java(config, 0)
                .plus(batch == 0 ? MemoryUse.NONE : logits(config, batch, sequence))
                .plus(tensors(new ParameterLayout(config), Precision.FP32, format, use))
                .total();
    }

    static MemoryUse java(ModelConfig config, long tokenizer) {
        int vocabulary = config.vocabularySize();
        long file = tokenizer > 0 ? tokenizer : TOKEN * vocabulary;
        return MemoryUse.of(Purpose.JAVA, JAVA + (vocabulary <= BYTES ? 0 : TOKENIZER + OF_A_FILE * file));
    }

    private static MemoryUse logits(ModelConfig config, int batch, int sequence) {
        int rows = config.attention(batch, sequence).rows();
        return MemoryUse.of(Purpose.LOGITS, Ops.logitsBytes(rows, config.vocabularySize()));
    }

    private static MemoryUse tensors(
            ParameterLayout layout,
            Precision precision,
            WeightFormat format,
            BiConsumer<CountingEngine, Parameters> use) {
        try {
            CountingEngine engine = new CountingEngine(precision);
            Parameters weights = new Parameters(engine, layout, "weights", format);
            MemoryUse loading = loading(layout).plus(engine.use());
            use.accept(engine.now(Purpose.ACTIVATIONS), weights);
            return loading.total() > engine.use().total() ? loading : engine.use();
        } catch (ArithmeticException e) {
            return MemoryUse.of(Purpose.WEIGHTS, MemoryUse.TOO_MUCH);
        }
    }

    /** Tensors that files hold the other way round are read whole, one at a time, before anything else is taken. */
    private static MemoryUse loading(ParameterLayout layout) {
        return MemoryUse.of(
                Purpose.SCRATCH,
                layout.checkpointTensors().stream()
                        .filter(CheckpointTensor::transposed)
                        .mapToLong(tensor -> Float.BYTES * tensor.size())
                        .max()
                        .orElse(0));
    }
}
