package dev.whirlwind.model;

import dev.whirlwind.model.ParameterLayout.Parameter;
import java.util.HashMap;
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
    private final Places places;
    private final Predicate<String> present;

    /**
     * Where parameters lie in the buffer.
     *
     * @param offsets first floats, by their names
     * @param layers length of the part that layers share; 0 where each has its own
     * @param length of all
     */
    private record Places(Map<String, Long> offsets, long layers, long length) {
        static Places of(ParameterLayout layout) {
            return new Places(Map.of(), 0, layout.length());
        }

        /** All layers in the same place, which comes first. */
        static Places ofOneLayer(ParameterLayout layout) {
            Map<String, Long> offsets = new HashMap<>();
            long length = 0;
            long layers = 0;
            for (boolean perLayer : new boolean[] {true, false}) {
                for (Parameter p : layout.parameters()) {
                    if (p.perLayer() == perLayer) {
                        offsets.put(p.name(), length);
                        length += ParameterLayout.align(p.size());
                    }
                }
                layers = perLayer ? length : layers;
            }
            return new Places(offsets, layers, length);
        }

        Tensor place(Parameter p, Buffer buffer) {
            Long offset = offsets.get(p.name());
            return offset == null ? p.in(buffer) : new Tensor(buffer, offset, 0);
        }
    }

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
                Places.of(layout),
                _ -> true);
    }

    /** An arena of zeros in which all layers share the memory of one. */
    static Parameters ofOneLayer(Engine engine, ParameterLayout layout, String name) {
        Places places = Places.ofOneLayer(layout);
        long[] starts = places.offsets().values().stream()
                .mapToLong(start -> start)
                .sorted()
                .toArray();
        return new Parameters(engine, layout, engine.allocate(name, places.length(), starts), places, _ -> true);
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
        this(engine, layout, allocate(engine, layout, name, format, files), Places.of(layout), _ -> true);
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

    private Parameters(Engine engine, ParameterLayout layout, Buffer buffer, Places places, Predicate<String> present) {
        this.engine = engine;
        this.layout = layout;
        this.buffer = buffer;
        this.places = places;
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
        Parameter parameter = present.test(kind) ? layout.parameter(kind) : null;
        return parameter == null ? null : places.place(parameter, buffer);
    }

    /** An adapter's parameter, by its name in the layout. */
    Tensor ofAdapter(String kind) {
        return tensor(present, kind);
    }

    /** The same memory with these kinds of parameters only. */
    Parameters only(Set<String> kinds) {
        return new Parameters(engine, layout, buffer, places, kinds::contains);
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

    /** The place of a kind, or of some of its rows as {@link ParameterLayout#parts} divides it. */
    public Tensor place(Parameter part) {
        Parameter kind = layout.parameter(part.name());
        return places.place(kind, buffer).skip(part.offset() - kind.offset());
    }

    /** The whole arena, {@link #length} floats. */
    public Tensor all() {
        return new Tensor(buffer, 0, 0);
    }

    /** Floats of the arena. */
    public long length() {
        return places.length();
    }

    /** Whether all layers share the memory of one. */
    public boolean isOfOneLayer() {
        return places.layers() > 0;
    }

    /** Floats of the memory that layers share; it is the first of the arena. */
    public long layersLength() {
        return places.layers();
    }
}
