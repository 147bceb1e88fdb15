package dev.whirlwind.tornado;

import dev.whirlwind.model.Activation;
import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.AttentionShape;
import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Dropout;
import dev.whirlwind.model.Lion;
import dev.whirlwind.model.Objective;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.StochasticRounding;
import dev.whirlwind.model.Tensor;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Mixed precision (arXiv 1710.03740): tensors that lie in memory with 16 bits, as kept activations do, are widened before an
 * operation that reads them and rounded after one that writes them; what is rounded stays widened, too, until the program
 * ends, so that most are read without. Where matrix products read 16 bits themselves, they also get a copy of the
 * weights in 16 bits, made anew for the next program that reads it when optimizers have changed the floats. Gradients are
 * floats throughout, and need no scaling.
 */
final class MixedPrecision implements Ops {
    private final KernelEngine engine;
    private final Recorder ops;

    /** What lies widened in scratch memory, one slice of each buffer. */
    private final Map<Buffer, Widened> widened = new HashMap<>();

    /** Floats whose copies in 16 bits are read, and floats that are changed and may have such copies. */
    private final Set<Memory> copied = Collections.newSetFromMap(new IdentityHashMap<>());

    private final Set<Memory> written = Collections.newSetFromMap(new IdentityHashMap<>());

    private record Widened(Tensor half, Tensor wide) {}

    MixedPrecision(KernelEngine engine, Recorder ops) {
        this.engine = engine;
        this.ops = ops;
    }

    Set<Memory> copied() {
        return copied;
    }

    Set<Memory> written() {
        return written;
    }

    // ---------------------------------------------------------------------------------------------- conversions

    private static boolean isHalf(Tensor tensor) {
        return tensor != null && tensor.buffer() instanceof HalfMemory;
    }

    private Tensor read(Tensor tensor, long length) {
        if (!isHalf(tensor)) {
            return tensor;
        }
        Widened known = widened.get(tensor.buffer());
        if (known != null && known.half().equals(tensor)) {
            return known.wide();
        }
        Tensor wide = scratch(tensor, length);
        ops.widen(tensor, wide, length);
        return wide;
    }

    private Tensor scratch(Tensor half, long length) {
        Tensor wide = engine.scratch("wide " + ((HalfMemory) half.buffer()).name(), length);
        widened.put(half.buffer(), new Widened(half, wide));
        return wide;
    }

    /** Where to write what {@link #written} then rounds. */
    private Tensor write(Tensor tensor, long length) {
        return isHalf(tensor) ? scratch(tensor, length) : tensor;
    }

    private void written(Tensor tensor, long length) {
        if (isHalf(tensor)) {
            ops.narrow(widened.get(tensor.buffer()).wide(), tensor, length, true);
        }
    }

    /** A product's left operand, as it lies in memory if the product can read that. */
    private Tensor operand(Tensor tensor, long length) {
        return isOfBlocks(tensor) ? weights(tensor, length) : ops.readsFewBits() ? tensor : read(tensor, length);
    }

    /** Of a product: as it lies in memory, or a copy of 16 bits of it, if the product can read that. */
    private Tensor weight(Tensor tensor, long length) {
        if (isHalf(tensor) || isOfBlocks(tensor)) {
            return ops.readsFewBits() ? tensor : weights(tensor, length);
        }
        if (!ops.readsFewBits() || !engine.precision().isHalf()) {
            return tensor;
        }
        copied.add((Memory) tensor.buffer());
        return engine.halves(tensor);
    }

    private static boolean isOfBlocks(Tensor tensor) {
        return tensor.buffer() instanceof BlockMemory;
    }

    /** Weights as floats. Each matrix of 16 bits has its own, as an operation may read several. */
    private Tensor weights(Tensor tensor, long length) {
        if (isOfBlocks(tensor)) {
            Tensor wide = engine.scratchOfBlocks();
            ops.widenBlocks(tensor, wide, length);
            return wide;
        }
        if (!isHalf(tensor)) {
            return tensor;
        }
        HalfMemory memory = (HalfMemory) tensor.buffer();
        Tensor wide = engine.scratch(memory.name() + " from " + tensor.offset() + " wide", length);
        ops.widen(tensor, wide, length);
        return wide;
    }

    /** What is done to weights' floats. */
    private interface Update {
        void run(Tensor weights);
    }

    /** Changes weights; those of 16 bits are rounded at random after. */
    private void update(Tensor weights, long length, int site, Update update) {
        if (!isHalf(weights)) {
            update.run(weights);
            changed(weights);
            return;
        }
        Tensor wide = engine.scratch("changed weights wide", length);
        ops.widen(weights, wide, length);
        update.run(wide);
        ops.roundAtRandom(wide, weights, length, site);
    }

    /** What is done to moments' floats. */
    private interface Change {
        void run(Tensor moments);
    }

    /** Changes moments; those of eight bits are rounded to the nearest after. */
    private void change(String name, Tensor moments, long length, Change change) {
        if (!isOfBlocks(moments)) {
            change.run(moments);
            return;
        }
        Tensor wide = engine.scratch(name, length);
        ops.widenMoments(moments, wide, length);
        change.run(wide);
        ops.roundMoments(wide, moments, length);
    }

    private static long size(int rows, int width) {
        return (long) rows * width;
    }

    // ---------------------------------------------------------------------------------------------- operations

    @Override
    public void embed(Tensor out, Tensor wte, Tensor wpe, int batch, int sequence, int width) {
        if (isHalf(wte)) {
            ops.embedHalves(out, wte, wpe, batch, sequence, width);
        } else {
            ops.embed(out, wte, wpe, batch, sequence, width);
        }
    }

    @Override
    public void embedBackward(Tensor dwte, Tensor dwpe, Tensor dout, int batch, int sequence, int width) {
        ops.embedBackward(dwte, dwpe, dout, batch, sequence, width);
    }

    @Override
    public void layerNorm(
            Tensor out,
            Tensor mean,
            Tensor rstd,
            Tensor x,
            Tensor weight,
            Tensor bias,
            int rows,
            int width,
            float eps) {
        long n = size(rows, width);
        Tensor from = read(x, n);
        ops.layerNorm(write(out, n), mean, rstd, from, weight, bias, rows, width, eps);
        written(out, n);
    }

    @Override
    public void layerNormBackward(
            Tensor dx,
            Tensor dweight,
            Tensor dbias,
            Tensor dout,
            Tensor x,
            Tensor mean,
            Tensor rstd,
            Tensor weight,
            int rows,
            int width) {
        Tensor from = read(x, size(rows, width));
        ops.layerNormBackward(dx, dweight, dbias, dout, from, mean, rstd, weight, rows, width);
    }

    @Override
    public void rmsNorm(Tensor out, Tensor rstd, Tensor x, Tensor weight, int rows, int width, float eps) {
        long n = size(rows, width);
        Tensor from = read(x, n);
        ops.rmsNorm(write(out, n), rstd, from, weight, rows, width, eps);
        written(out, n);
    }

    @Override
    public void rmsNormBackward(
            Tensor dx, Tensor dweight, Tensor dout, Tensor x, Tensor rstd, Tensor weight, int rows, int width) {
        ops.rmsNormBackward(dx, dweight, dout, read(x, size(rows, width)), rstd, weight, rows, width);
    }

    @Override
    public void headNorm(
            Tensor out, Tensor rstd, Tensor x, Tensor queryWeight, Tensor keyWeight, AttentionShape shape, float eps) {
        long n = size(shape.rows(), shape.qkvWidth());
        Tensor from = read(x, n);
        ops.headNorm(write(out, n), rstd, from, queryWeight, keyWeight, shape, eps);
        written(out, n);
    }

    @Override
    public void headNormBackward(
            Tensor dx,
            Tensor dqueryWeight,
            Tensor dkeyWeight,
            Tensor dout,
            Tensor x,
            Tensor rstd,
            Tensor queryWeight,
            Tensor keyWeight,
            AttentionShape shape) {
        Tensor from = read(x, size(shape.rows(), shape.qkvWidth()));
        ops.headNormBackward(dx, dqueryWeight, dkeyWeight, dout, from, rstd, queryWeight, keyWeight, shape);
    }

    @Override
    public void linear(Tensor out, Tensor x, Tensor weight, Tensor bias, int rows, int inWidth, int outWidth) {
        Tensor from = operand(x, size(rows, inWidth));
        ops.linear(
                write(out, size(rows, outWidth)),
                from,
                weight(weight, size(outWidth, inWidth)),
                bias,
                rows,
                inWidth,
                outWidth);
        written(out, size(rows, outWidth));
    }

    @Override
    public void linearBackwardInput(Tensor dx, Tensor dout, Tensor weight, int rows, int inWidth, int outWidth) {
        ops.linearBackwardInput(dx, dout, weight(weight, size(outWidth, inWidth)), rows, inWidth, outWidth);
    }

    @Override
    public void linearBackwardWeight(
            Tensor dweight, Tensor dbias, Tensor dout, Tensor x, int rows, int inWidth, int outWidth) {
        Tensor from = operand(x, size(rows, inWidth));
        ops.linearBackwardWeight(dweight, dbias, dout, from, rows, inWidth, outWidth);
    }

    @Override
    public void rope(Tensor qkv, Tensor cos, Tensor sin, AttentionShape shape) {
        long n = size(shape.rows(), shape.qkvWidth());
        ops.rope(read(qkv, n), cos, sin, shape);
        written(qkv, n);
    }

    @Override
    public void ropeBackward(Tensor dqkv, Tensor cos, Tensor sin, AttentionShape shape) {
        ops.ropeBackward(dqkv, cos, sin, shape);
    }

    @Override
    public void attention(Tensor out, Tensor lse, Tensor qkv, AttentionShape shape, Dropout dropout) {
        Tensor from = read(qkv, size(shape.rows(), shape.qkvWidth()));
        long n = size(shape.rows(), shape.outWidth());
        ops.attention(write(out, n), lse, from, shape, dropout);
        written(out, n);
    }

    @Override
    public void attentionBackward(
            Tensor dqkv,
            Tensor dout,
            Tensor out,
            Tensor lse,
            Tensor qkv,
            Tensor delta,
            AttentionShape shape,
            Dropout dropout) {
        Tensor wideOut = read(out, size(shape.rows(), shape.outWidth()));
        Tensor wideQkv = read(qkv, size(shape.rows(), shape.qkvWidth()));
        ops.attentionBackward(dqkv, dout, wideOut, lse, wideQkv, delta, shape, dropout);
    }

    @Override
    public void cachedAttention(Tensor out, Tensor cache, Tensor qkv, AttentionShape shape, int capacity) {
        Tensor from = read(qkv, size(shape.rows(), shape.qkvWidth()));
        long n = size(shape.rows(), shape.outWidth());
        ops.cachedAttention(write(out, n), cache, from, shape, capacity);
        written(out, n);
    }

    @Override
    public void activation(Tensor out, Tensor x, Activation f, int rows, int width) {
        long n = size(rows, width);
        Tensor from = read(x, n);
        ops.activation(write(out, n), from, f, rows, width);
        written(out, n);
    }

    @Override
    public void activationBackward(Tensor dx, Tensor dout, Tensor x, Activation f, int rows, int width) {
        ops.activationBackward(dx, dout, read(x, size(rows, width)), f, rows, width);
    }

    @Override
    public void gated(Tensor out, Tensor x, Activation f, int rows, int width) {
        long n = size(rows, width);
        Tensor from = read(x, 2 * n);
        ops.gated(write(out, n), from, f, rows, width);
        written(out, n);
    }

    @Override
    public void gatedBackward(Tensor dx, Tensor dout, Tensor x, Activation f, int rows, int width) {
        ops.gatedBackward(dx, dout, read(x, 2 * size(rows, width)), f, rows, width);
    }

    @Override
    public void add(Tensor out, Tensor a, Tensor b, int rows, int width) {
        ops.add(out, a, b, rows, width);
    }

    @Override
    public void dropout(Tensor out, Tensor x, int rows, int width, Dropout dropout) {
        ops.dropout(out, read(x, size(rows, width)), rows, width, dropout);
    }

    @Override
    public void addNoise(Tensor x, int rows, int width, float magnitude) {
        ops.addNoise(x, rows, width, magnitude);
    }

    private Columns read(Columns x, int rows) {
        return isHalf(x.matrix())
                ? new Columns(read(x.matrix(), size(rows, x.rowWidth())), x.rowWidth(), x.first())
                : x;
    }

    @Override
    public void addColumns(Columns out, Columns x, int rows, int width, float factor) {
        ops.addColumns(read(out, rows), read(x, rows), rows, width, factor);
        written(out.matrix(), size(rows, out.rowWidth()));
    }

    @Override
    public void copyColumns(Columns out, Columns x, int rows, int width, float factor) {
        ops.copyColumns(read(out, rows), read(x, rows), rows, width, factor);
        written(out.matrix(), size(rows, out.rowWidth()));
    }

    @Override
    public void rowScales(
            Tensor out,
            Tensor magnitudes,
            Tensor weight,
            Tensor b,
            Tensor wa,
            Tensor baa,
            int rows,
            int in,
            int rank,
            float scale) {
        ops.rowScales(out, magnitudes, weights(weight, size(rows, in)), b, wa, baa, rows, in, rank, scale);
    }

    @Override
    public void scaleColumns(Columns out, Tensor scales, Tensor bias, int rows, int width) {
        ops.scaleColumns(read(out, rows), scales, bias, rows, width);
        written(out.matrix(), size(rows, out.rowWidth()));
    }

    @Override
    public void addColumnProducts(
            Tensor sums, Columns a, Columns b, Tensor scales, Tensor magnitudes, int rows, int width) {
        ops.addColumnProducts(sums, read(a, rows), read(b, rows), scales, magnitudes, rows, width);
    }

    @Override
    public void headLoss(Tensor nll, Tensor x, Tensor weight, int rows, int width, int vocabulary) {
        Tensor head = weight(weight, size(vocabulary, width));
        ops.headLoss(nll, operand(x, size(rows, width)), head, rows, width, vocabulary);
    }

    @Override
    public void headLossBackward(
            Tensor nll, Tensor dx, Tensor dweight, Tensor x, Tensor weight, int rows, int width, int vocabulary) {
        Tensor from = operand(x, size(rows, width));
        Tensor head = weight(weight, size(vocabulary, width));
        ops.headLossBackward(nll, dx, dweight, from, head, rows, width, vocabulary);
    }

    @Override
    public void headObjectiveBackward(
            Tensor losses,
            Tensor dx,
            Tensor dweight,
            Tensor x,
            Tensor weight,
            Objective.Teacher teacher,
            Objective objective,
            int rows,
            int width,
            int vocabulary) {
        Tensor from = operand(x, size(rows, width));
        Objective.Teacher taught = teacher instanceof Objective.Live live
                ? new Objective.Live(
                        operand(live.x(), size(rows, live.width())),
                        weight(live.weight(), size(vocabulary, live.width())),
                        live.width())
                : teacher;
        Tensor head = weight(weight, size(vocabulary, width));
        ops.headObjectiveBackward(losses, dx, dweight, from, head, taught, objective, rows, width, vocabulary);
    }

    @Override
    public void sumOfSquares(Tensor partials, Tensor x, long length) {
        ops.sumOfSquares(partials, x, length);
    }

    @Override
    public void adamw(Tensor parameter, Tensor gradient, Tensor m, Tensor v, long length, AdamW settings) {
        change(
                "mean as floats",
                m,
                length,
                wideM -> change(
                        "mean square as floats",
                        v,
                        length,
                        wideV -> update(
                                parameter,
                                length,
                                StochasticRounding.UPDATE,
                                p -> ops.adamw(p, gradient, wideM, wideV, length, settings))));
    }

    private void changed(Tensor weights) {
        written.add((Memory) weights.buffer());
    }

    @Override
    public void lion(Tensor parameter, Tensor gradient, Tensor m, long length, Lion settings) {
        change(
                "mean as floats",
                m,
                length,
                wideM -> update(
                        parameter,
                        length,
                        StochasticRounding.UPDATE,
                        p -> ops.lion(p, gradient, wideM, length, settings)));
    }

    @Override
    public void momentum(Tensor gradient, Tensor m, long length, float momentum) {
        change("mean as floats", m, length, wideM -> ops.momentum(gradient, wideM, length, momentum));
    }

    /** Of floats: the operands are no weights that have copies in 16 bits. */
    @Override
    public void newtonSchulz(Tensor x, Tensor scratch, int rows, int columns) {
        ops.newtonSchulz(x, scratch, rows, columns);
    }

    @Override
    public void factoredMoments(Tensor r, Tensor c, Tensor gradient, int rows, int columns) {
        ops.factoredMoments(r, c, gradient, rows, columns);
    }

    @Override
    public void factoredDirection(Tensor gradient, Tensor r, Tensor c, int rows, int columns) {
        ops.factoredDirection(gradient, r, c, rows, columns);
    }

    /** Of floats, too. */
    @Override
    public void project(Tensor out, Tensor gradient, Tensor directions, int rows, int columns, int rank) {
        ops.project(out, gradient, directions, rows, columns, rank);
    }

    @Override
    public void scaleByRoots(Tensor x, Tensor numerators, Tensor denominators, int rows, int columns, boolean ofRows) {
        ops.scaleByRoots(x, numerators, denominators, rows, columns, ofRows);
    }

    @Override
    public void unfactoredDirection(Tensor gradient, Tensor v, long length) {
        ops.unfactoredDirection(gradient, v, length);
    }

    @Override
    public void divideByNorm(Tensor x, Tensor partials, long length, float least, float scale) {
        ops.divideByNorm(x, partials, length, least, scale);
    }

    @Override
    public void descend(Tensor parameter, Tensor direction, long length, float factor, float weightDecay) {
        update(
                parameter,
                length,
                StochasticRounding.ofDescent(factor),
                p -> ops.descend(p, direction, length, factor, weightDecay));
    }

    @Override
    public void pull(Tensor gradient, Tensor importance, Tensor parameter, Tensor start, long length, float strength) {
        Tensor wide = weights(parameter, length);
        ops.pull(gradient, importance, wide, start, length, strength);
    }

    @Override
    public void combine(Tensor out, Tensor x, Tensor y, long length, float a, float b) {
        update(out, length, StochasticRounding.MOVE, to -> {
            Tensor left = x.equals(out) ? to : weights(x, length);
            Tensor right = y.equals(out) ? to : y.equals(x) ? left : weights(y, length);
            ops.combine(to, left, right, length, a, b);
        });
    }

    @Override
    public void zero(Tensor x, long length) {
        ops.zero(x, length);
    }
}
