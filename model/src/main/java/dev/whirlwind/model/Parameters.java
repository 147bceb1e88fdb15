package dev.whirlwind.model;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/**
 * The parameters of a model, or something of the same layout such as their gradients, in an engine's memory. Those that
 * an architecture does not have are null.
 */
public final class Parameters {
    final Tensor tokenEmbedding;
    final Tensor positionEmbedding;
    final Tensor head;
    final Tensor norm1Weight;
    final Tensor norm1Bias;
    final Tensor qkvWeight;
    final Tensor qkvBias;
    final Tensor queryNorm;
    final Tensor keyNorm;
    final Tensor outWeight;
    final Tensor outBias;
    final Tensor norm2Weight;
    final Tensor norm2Bias;
    final Tensor upWeight;
    final Tensor upBias;
    final Tensor downWeight;
    final Tensor downBias;
    final Tensor finalNormWeight;
    final Tensor finalNormBias;

    private final Engine engine;
    private final ParameterLayout layout;
    private final Buffer buffer;
    private final Predicate<String> present;

    /** Allocates an arena of zeros named {@code name}. */
    public Parameters(Engine engine, ParameterLayout layout, String name) {
        this(engine, layout, name, WeightFormat.FP32);
    }

    /** The same of numbers of which those of matrices are kept in a format. */
    public Parameters(Engine engine, ParameterLayout layout, String name, Format format) {
        this(
                engine,
                layout,
                format == Format.FP32
                        ? engine.allocate(name, layout.length(), layout.starts())
                        : engine.allocateWeights(
                                name,
                                List.of(
                                        new Format.Span(layout.decayedLength(), format),
                                        new Format.Span(layout.length() - layout.decayedLength(), Format.FP32)),
                                layout.starts()),
                _ -> true);
    }

    /** The same of weights whose matrices are kept in a format. */
    public Parameters(Engine engine, ParameterLayout layout, String name, WeightFormat format) {
        this(engine, layout, name, format, Map.of());
    }

    /** And of which some are read where they lie in files. */
    Parameters(
            Engine engine,
            ParameterLayout layout,
            String name,
            WeightFormat format,
            Map<CheckpointTensor, Format.FilePart> files) {
        this(engine, layout, allocate(engine, layout, name, format, files), _ -> true);
    }

    private static Buffer allocate(
            Engine engine,
            ParameterLayout layout,
            String name,
            WeightFormat format,
            Map<CheckpointTensor, Format.FilePart> files) {
        return format == WeightFormat.FP32
                ? engine.allocate(name, layout.length(), layout.starts())
                : engine.allocateWeights(name, layout.spans(format, files), layout.starts());
    }

    private Parameters(Engine engine, ParameterLayout layout, Buffer buffer, Predicate<String> present) {
        this.engine = engine;
        this.layout = layout;
        this.buffer = buffer;
        this.present = present;
        tokenEmbedding = tensor(present, "token_embedding.weight");
        positionEmbedding = tensor(present, "position_embedding.weight");
        head = layout.config().tied() ? tokenEmbedding : tensor(present, "head.weight");
        norm1Weight = tensor(present, "norm1.weight");
        norm1Bias = tensor(present, "norm1.bias");
        qkvWeight = tensor(present, "attention.qkv.weight");
        qkvBias = tensor(present, "attention.qkv.bias");
        queryNorm = tensor(present, "attention.query_norm.weight");
        keyNorm = tensor(present, "attention.key_norm.weight");
        outWeight = tensor(present, "attention.out.weight");
        outBias = tensor(present, "attention.out.bias");
        norm2Weight = tensor(present, "norm2.weight");
        norm2Bias = tensor(present, "norm2.bias");
        upWeight = tensor(present, "mlp.up.weight");
        upBias = tensor(present, "mlp.up.bias");
        downWeight = tensor(present, "mlp.down.weight");
        downBias = tensor(present, "mlp.down.bias");
        finalNormWeight = tensor(present, "final_norm.weight");
        finalNormBias = tensor(present, "final_norm.bias");
    }

    private Tensor tensor(Predicate<String> present, String kind) {
        return present.test(kind) ? layout.tensor(buffer, kind) : null;
    }

    /** An adapter's parameter, by its name in the layout. */
    Tensor ofAdapter(String kind) {
        return tensor(present, kind);
    }

    /** The same memory with these kinds of parameters only. */
    Parameters only(Set<String> kinds) {
        return new Parameters(engine, layout, buffer, kinds::contains);
    }

    public ParameterLayout layout() {
        return layout;
    }

    public ModelConfig config() {
        return layout.config();
    }

    public Buffer buffer() {
        return buffer;
    }

    /** Makes what the host wrote into the buffer visible to the engine. */
    public void upload() {
        engine.upload(buffer, 0, buffer.length());
    }

    /** Makes what the engine computed visible in the buffer's host view. */
    public void download() {
        engine.download(buffer, 0, buffer.length());
    }

    /** The whole arena, {@code layout().length()} floats. */
    public Tensor all() {
        return new Tensor(buffer, 0, 0);
    }
}
