package dev.whirlwind.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Where each parameter lies in one contiguous arena of floats; weights, gradients and moments share it. All
 * layers' parameters of one kind follow each other, [layers, rows, columns]. Parameters that weight decay acts on (two
 * or more dimensions) come first. Queries, keys and values are one matrix, and so are gate and up: their rows just
 * follow each other, so a checkpoint's separate tensors are ranges of them.
 */
public final class ParameterLayout {
    /** Slices start at multiples of 16 floats, 64 bytes: a cache line, and a 512-bit vector. */
    private static final int ALIGNMENT = 16;

    /**
     * One kind of parameter.
     *
     * @param layers number of slices; 1 for what is not part of a layer
     * @param rows outputs of a linear weight; 1 for a vector
     * @param columns inputs of a linear weight; length of a vector
     * @param decayed whether weight decay acts on it
     * @param offset first float in the arena
     * @param stride floats from one layer to the next; 0 for what is not part of a layer
     */
    public record Parameter(String name, int layers, int rows, int columns, boolean decayed, long offset, long stride) {
        /** Floats of one layer's slice. */
        public long size() {
            return (long) rows * columns;
        }

        /** Whether every layer has one. */
        public boolean perLayer() {
            return stride > 0;
        }

        /** Its place in an arena. */
        public Tensor in(Buffer arena) {
            return new Tensor(arena, offset, stride);
        }
    }

    private final ModelConfig config;
    private final Map<String, Parameter> parameters = new LinkedHashMap<>();
    private long length;
    private long decayedLength;

    public ParameterLayout(ModelConfig config) {
        this.config = config;
        int hidden = config.hiddenSize();
        int qkv = config.attention(1, 1).qkvWidth();
        int out = config.attention(1, 1).outWidth();
        int up = config.isGpt2() ? config.intermediateSize() : 2 * config.intermediateSize();

        matrix("token_embedding", false, config.vocabularySize(), hidden);
        if (config.isGpt2()) {
            matrix("position_embedding", false, config.maxPositions(), hidden);
        }
        if (!config.tied()) {
            matrix("head", false, config.vocabularySize(), hidden);
        }
        matrix("attention.qkv", true, qkv, hidden);
        matrix("attention.out", true, hidden, out);
        matrix("mlp.up", true, up, hidden);
        matrix("mlp.down", true, hidden, config.intermediateSize());
        decayedLength = length;

        vector("norm1", true, hidden, config.isGpt2());
        vector("norm2", true, hidden, config.isGpt2());
        vector("final_norm", false, hidden, config.isGpt2());
        if (config.queryKeyNorm()) {
            vector("attention.query_norm", true, config.headDim(), false);
            vector("attention.key_norm", true, config.headDim(), false);
        }
        bias(config.qkvBias(), "attention.qkv", qkv);
        bias(config.outBias(), "attention.out", hidden);
        bias(config.mlpBias(), "mlp.up", up);
        bias(config.mlpBias(), "mlp.down", hidden);
    }

    private void matrix(String name, boolean perLayer, int rows, int columns) {
        append(name + ".weight", perLayer, rows, columns, true);
    }

    private void vector(String name, boolean perLayer, int columns, boolean withBias) {
        append(name + ".weight", perLayer, 1, columns, false);
        if (withBias) {
            append(name + ".bias", perLayer, 1, columns, false);
        }
    }

    private void bias(boolean present, String name, int columns) {
        if (present) {
            append(name + ".bias", true, 1, columns, false);
        }
    }

    private void append(String name, boolean perLayer, int rows, int columns, boolean decayed) {
        int layers = perLayer ? config.layers() : 1;
        long stride = align((long) rows * columns);
        parameters.put(name, new Parameter(name, layers, rows, columns, decayed, length, perLayer ? stride : 0));
        length += layers * stride;
    }

    static long align(long floats) {
        return (floats + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    public ModelConfig config() {
        return config;
    }

    /** Floats of the arena; a little padding included, which stays zero. */
    public long length() {
        return length;
    }

    /** Floats of the arena's first part, which weight decay acts on. */
    public long decayedLength() {
        return decayedLength;
    }

    /** Number of parameters, padding excluded. */
    public long parameterCount() {
        return parameters.values().stream()
                .mapToLong(p -> p.layers() * p.size())
                .sum();
    }

    public List<Parameter> parameters() {
        return new ArrayList<>(parameters.values());
    }

    /** The parameters as checkpoints divide them: of a fused matrix each part, such as the queries' rows. */
    public List<Parameter> parts() {
        List<Parameter> parts = new ArrayList<>();
        for (Parameter p : parameters.values()) {
            for (CheckpointTensor tensor : checkpointTensors()) {
                if (tensor.offset() >= p.offset() && tensor.offset() < p.offset() + p.size()) {
                    int rows = p.decayed() ? Math.toIntExact(tensor.size() / p.columns()) : 1;
                    int columns = Math.toIntExact(tensor.size() / rows);
                    parts.add(new Parameter(
                            p.name(), p.layers(), rows, columns, p.decayed(), tensor.offset(), p.stride()));
                }
            }
        }
        return parts;
    }

    /** The arena as the tensors of a Hugging Face checkpoint. */
    public List<CheckpointTensor> checkpointTensors() {
        return CheckpointTensor.of(this);
    }

    boolean has(String name) {
        return parameters.containsKey(name);
    }

    Parameter parameter(String name) {
        return parameters.get(name);
    }

    /** The parameter's place in an arena, or null if this architecture has no such parameter. */
    Tensor tensor(Buffer arena, String name) {
        Parameter parameter = parameters.get(name);
        return parameter == null ? null : parameter.in(arena);
    }
}
