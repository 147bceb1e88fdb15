package dev.whirlwind.model;

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

    /** Allocates an arena of zeros named {@code name}. */
    public Parameters(Engine engine, ParameterLayout layout, String name) {
        this.engine = engine;
        this.layout = layout;
        buffer = engine.allocate(name, layout.length());
        tokenEmbedding = layout.tensor(buffer, "token_embedding.weight");
        positionEmbedding = layout.tensor(buffer, "position_embedding.weight");
        head = layout.config().tied() ? tokenEmbedding : layout.tensor(buffer, "head.weight");
        norm1Weight = layout.tensor(buffer, "norm1.weight");
        norm1Bias = layout.tensor(buffer, "norm1.bias");
        qkvWeight = layout.tensor(buffer, "attention.qkv.weight");
        qkvBias = layout.tensor(buffer, "attention.qkv.bias");
        queryNorm = layout.tensor(buffer, "attention.query_norm.weight");
        keyNorm = layout.tensor(buffer, "attention.key_norm.weight");
        outWeight = layout.tensor(buffer, "attention.out.weight");
        outBias = layout.tensor(buffer, "attention.out.bias");
        norm2Weight = layout.tensor(buffer, "norm2.weight");
        norm2Bias = layout.tensor(buffer, "norm2.bias");
        upWeight = layout.tensor(buffer, "mlp.up.weight");
        upBias = layout.tensor(buffer, "mlp.up.bias");
        downWeight = layout.tensor(buffer, "mlp.down.weight");
        downBias = layout.tensor(buffer, "mlp.down.bias");
        finalNormWeight = layout.tensor(buffer, "final_norm.weight");
        finalNormBias = layout.tensor(buffer, "final_norm.bias");
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
