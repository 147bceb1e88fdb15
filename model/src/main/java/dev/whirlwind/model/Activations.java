package dev.whirlwind.model;

import java.util.stream.LongStream;

/**
 * What a forward pass leaves for the backward pass, and the backward pass's own scratch. Training keeps every layer's but
 * for what is to be computed again; evaluation keeps nothing, so all layers share one slice.
 */
final class Activations {
    /** The stream that blocks add to: slice l enters block l, slice [layers] leaves the last; or one place for all of them. */
    final Tensor residual;

    /** Where only some blocks' inputs are kept: those, one slice for each group of blocks; else null. */
    final Tensor groupInputs;

    /** The inputs of one group's blocks, found again; else null. */
    final Tensor blockInputs;

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
            Recompute recompute) {
        this.engine = engine;
        layers = config.layers();
        boolean keepAttention = training && !recompute.attention();
        boolean keepMlp = training && !recompute.mlp();
        boolean inGroups = training && recompute.every() > 1;
        boolean gpt2 = config.isGpt2();
        long rows = shape.rows();
        long hidden = rows * config.hiddenSize();
        long intermediate = rows * config.intermediateSize();
        long up = gpt2 ? intermediate : 2 * intermediate;
        long qkvSize = rows * shape.qkvWidth();
        long headRows = rows * shape.heads();

        residual = training && !inGroups ? slices("residual", layers + 1, hidden) : shared("residual", hidden);
        groupInputs = inGroups ? slices("residual.groups", recompute.kept(layers), hidden) : null;
        blockInputs = inGroups ? slices("residual.blocks", Math.min(recompute.every(), layers), hidden) : null;
        mean1 = gpt2 ? perLayer(keepAttention, "norm1.mean", rows) : null;
        rstd1 = perLayer(keepAttention, "norm1.rstd", rows);
        normed1 = activations(keepAttention, "norm1", hidden);
        qkv = activations(keepAttention, "qkv", qkvSize);
        headRstd = config.queryKeyNorm()
                ? perLayer(keepAttention, "qkv.rstd", rows * (shape.heads() + shape.kvHeads()))
                : null;
        rotated = config.queryKeyNorm() ? activations(keepAttention, "qkv.rotated", qkvSize) : qkv;
        attention = activations(keepAttention, "attention", rows * shape.outWidth());
        lse = perLayer(keepAttention, "attention.lse", headRows);
        middle = perLayer(keepAttention || keepMlp, "middle", hidden);
        mean2 = gpt2 ? perLayer(keepMlp, "norm2.mean", rows) : null;
        rstd2 = perLayer(keepMlp, "norm2.rstd", rows);
        normed2 = activations(keepMlp, "norm2", hidden);
        this.up = activations(keepMlp, "mlp.up", up);
        activated = activations(keepMlp, "mlp.activated", intermediate);
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
