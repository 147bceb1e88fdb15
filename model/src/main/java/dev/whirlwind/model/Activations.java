package dev.whirlwind.model;

import java.util.stream.LongStream;

/**
 * What a forward pass leaves for the backward pass, and the backward pass's own scratch. Training keeps every layer's;
 * recomputation keeps only the residual stream; evaluation keeps nothing, so all layers share one slice.
 */
final class Activations {
    /** The stream that blocks add to: slice l enters block l, slice [layers] leaves the last. */
    final Tensor residual;

    final Tensor mean1;
    final Tensor rstd1;
    final Tensor normed1;
    final Tensor qkv;
    final Tensor headRstd;

    /** qkv after head norm and rotation: what attention sees. The same place as qkv where there is no head norm. */
    final Tensor rotated;

    final Tensor attention;
    final Tensor lse;
    final Tensor middle;
    final Tensor mean2;
    final Tensor rstd2;
    final Tensor normed2;
    final Tensor up;
    final Tensor activated;
    final Tensor branch;
    final Tensor finalMean;
    final Tensor finalRstd;
    final Tensor finalNormed;
    /** Of each place; training has the objective's values behind it. */
    final Tensor nll;

    /** Null without rotary positions. */
    final RopeTable rope;

    final Tensor dresidual;
    final Tensor dbranch;
    final Tensor dnormed;
    final Tensor dqkv;
    final Tensor dattention;
    final Tensor delta;
    final Tensor dup;
    final Tensor dactivated;

    Tensor logits;

    private final Engine engine;
    private final int layers;

    Activations(
            Engine engine,
            ModelConfig config,
            AttentionShape shape,
            int positions,
            boolean training,
            boolean recompute) {
        this.engine = engine;
        layers = config.layers();
        boolean keep = training && !recompute;
        boolean gpt2 = config.isGpt2();
        long rows = shape.rows();
        long hidden = rows * config.hiddenSize();
        long intermediate = rows * config.intermediateSize();
        long up = gpt2 ? intermediate : 2 * intermediate;
        long qkvSize = rows * shape.qkvWidth();
        long headRows = rows * shape.heads();

        residual = training ? slices("residual", layers + 1, hidden) : shared("residual", hidden);
        mean1 = gpt2 ? perLayer(keep, "norm1.mean", rows) : null;
        rstd1 = perLayer(keep, "norm1.rstd", rows);
        normed1 = activations(keep, "norm1", hidden);
        qkv = activations(keep, "qkv", qkvSize);
        headRstd = config.queryKeyNorm() ? perLayer(keep, "qkv.rstd", rows * (shape.heads() + shape.kvHeads())) : null;
        rotated = config.queryKeyNorm() ? activations(keep, "qkv.rotated", qkvSize) : qkv;
        attention = activations(keep, "attention", rows * shape.outWidth());
        lse = perLayer(keep, "attention.lse", headRows);
        middle = perLayer(keep, "middle", hidden);
        mean2 = gpt2 ? perLayer(keep, "norm2.mean", rows) : null;
        rstd2 = perLayer(keep, "norm2.rstd", rows);
        normed2 = activations(keep, "norm2", hidden);
        this.up = activations(keep, "mlp.up", up);
        activated = activations(keep, "mlp.activated", intermediate);
        branch = shared("branch", hidden);
        finalMean = gpt2 ? shared("final_norm.mean", rows) : null;
        finalRstd = shared("final_norm.rstd", rows);
        finalNormed = activations(false, "final_norm", hidden);
        nll = shared("nll", training ? 2 * rows : rows);

        rope = config.rope() == null ? null : new RopeTable(engine, config.rope(), positions, config.headDim() / 2);

        dresidual = training ? shared("d.residual", hidden) : null;
        dbranch = training && config.residualDropout() > 0 ? shared("d.branch", hidden) : null;
        dnormed = training ? shared("d.norm", hidden) : null;
        dqkv = training ? shared("d.qkv", qkvSize) : null;
        dattention = training ? shared("d.attention", rows * shape.outWidth()) : null;
        delta = training ? shared("d.attention.delta", headRows) : null;
        dup = training ? shared("d.mlp.up", up) : null;
        dactivated = training ? shared("d.mlp.activated", intermediate) : null;
    }

    /** Logits are held whole only when somebody asks for them. */
    void needLogits(Engine engine, long size) {
        if (logits == null) {
            logits = new Tensor(engine.allocate("logits", size), 0, 0);
        }
    }

    private Tensor perLayer(boolean keep, String name, long size) {
        return keep ? slices(name, layers, size) : shared(name, size);
    }

    /** What matrix products and attention read: 16 bits of it do. */
    private Tensor activations(boolean keep, String name, long size) {
        if (!keep) {
            return new Tensor(engine.allocateActivations(name, size), 0, 0);
        }
        long stride = ParameterLayout.align(size);
        return new Tensor(
                engine.allocateActivations(name, Math.multiplyExact(layers, stride), starts(layers, stride)),
                0,
                stride);
    }

    private Tensor slices(String name, int count, long size) {
        long stride = ParameterLayout.align(size);
        return new Tensor(engine.allocate(name, Math.multiplyExact(count, stride), starts(count, stride)), 0, stride);
    }

    static long[] starts(int count, long stride) {
        return LongStream.range(0, count).map(i -> i * stride).toArray();
    }

    private Tensor shared(String name, long size) {
        return new Tensor(engine.allocate(name, size), 0, 0);
    }
}
