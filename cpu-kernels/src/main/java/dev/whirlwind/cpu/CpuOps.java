package dev.whirlwind.cpu;

import dev.whirlwind.model.Activation;
import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.AttentionShape;
import dev.whirlwind.model.Dropout;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Lion;
import dev.whirlwind.model.Objective;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.StochasticRounding;
import dev.whirlwind.model.Tensor;
import java.lang.foreign.Arena;

/**
 * The instruction set on {@link CpuEngine}: finds the addresses of a layer's tensors and hands them to the kernels. These
 * read and write raw memory, so all that could lead them astray is checked here: that every range lies in its buffer, and
 * every token in its table.
 */
final class CpuOps implements Ops {
    /** Stored weights that an operation which knows floats only is given at a time. */
    private static final long PIECE = 1 << 20;

    private final CpuEngine engine;
    private final StoredWeights stored;
    private final Scratch widened = new Scratch();
    private final Embedding embedding;
    private final LayerNorm layerNorm;
    private final RmsNorm rmsNorm;
    private final HeadNorm headNorm;
    private final Linear linear;
    private final Rope rope;
    private final Attention attention;
    private final CachedAttention cachedAttention;
    private final Activations activations;
    private final Elementwise elementwise;
    private final HeadLoss headLoss;
    private final SumOfSquares sumOfSquares;
    private final AdamWStep adamw;
    private final LionStep lion;
    private final Directions directions;
    private final Factored factored;
    private final RootScales roots;
    private final ColumnOps columns;
    private final RowScales rowScales;

    private Inputs inputs;
    private int layer;

    CpuOps(CpuEngine engine, Workers workers, StoredWeights stored, Arena arena) {
        this.engine = engine;
        this.stored = stored;
        Scratch scratch = new Scratch();
        RowSums sums = new RowSums(workers, scratch);
        embedding = new Embedding(workers, stored);
        layerNorm = new LayerNorm(workers, sums);
        rmsNorm = new RmsNorm(workers, sums);
        headNorm = new HeadNorm(workers, sums);
        linear = new Linear(workers, stored);
        rope = new Rope(workers);
        attention = new Attention(workers);
        cachedAttention = new CachedAttention(workers);
        activations = new Activations(workers);
        elementwise = new Elementwise(workers);
        headLoss = new HeadLoss(workers, linear.gemm(), arena);
        sumOfSquares = new SumOfSquares(workers);
        adamw = new AdamWStep(workers);
        lion = new LionStep(workers);
        directions = new Directions(workers);
        factored = new Factored(workers, sums);
        roots = new RootScales(workers);
        columns = new ColumnOps(workers, sums);
        rowScales = new RowScales(workers);
    }

    /** What the operations that follow are about. */
    void begin(Inputs inputs, int layer) {
        if (inputs.position < 0) {
            throw new IndexOutOfBoundsException("position " + inputs.position + " is negative");
        }
        this.inputs = inputs;
        this.layer = layer;
    }

    /** The address of a tensor in the current layer, of which so many floats will be used. */
    private long at(Tensor tensor, long floats) {
        long address = weights(tensor, floats);
        return StoredWeights.isStored(address) ? stored.floats(address) : address;
    }

    /** The same for operations that know of {@link StoredWeights}. */
    private long weights(Tensor tensor, long floats) {
        if (!(tensor.buffer() instanceof CpuEngine.CpuMemory buffer) || buffer.engine() != engine) {
            throw new IllegalArgumentException("the tensor belongs to another engine");
        }
        long offset = tensor.offset(layer);
        if (offset < 0 || floats < 0 || floats > buffer.length() - offset) {
            throw new IndexOutOfBoundsException("floats " + offset + " to " + (offset + floats) + " of layer " + layer
                    + " do not lie in " + buffer.name() + ", which has " + buffer.length());
        }
        long address = buffer.address() + 4 * offset;
        return StoredWeights.isStored(address) && stored.areFloats(address, floats) ? stored.floats(address) : address;
    }

    /** What is done to some floats of operands that may be kept with fewer bits. */
    private interface Part {
        void run(long[] operands, long count);
    }

    /** An operand element by element; {@code key} is of {@link StochasticRounding} where it is changed, null where only read. */
    private record Operand(Tensor tensor, Long key) {
        static Operand read(Tensor tensor) {
            return new Operand(tensor, null);
        }

        /** Changed numbers that go to memory with fewer bits are rounded to nearest. */
        static Operand changed(Tensor tensor) {
            return new Operand(tensor, StochasticRounding.NEAREST);
        }
    }

    /** A changed weight, which is rounded at random. */
    private Operand weight(Tensor tensor, int site) {
        return new Operand(tensor, StochasticRounding.key(inputs, site));
    }

    /** Runs an operation at once where all operands are floats, else on floats of some at a time. */
    private void run(long length, long piece, Part part, Operand... operands) {
        long[] places = new long[operands.length];
        int kept = 0;
        for (int i = 0; i < places.length; i++) {
            places[i] = weights(operands[i].tensor(), length);
            kept += StoredWeights.isStored(places[i]) ? 1 : 0;
        }
        if (kept == 0) {
            part.run(places, length);
            return;
        }
        long most = Math.min(length, piece);
        long scratch = widened.reserve(kept * most);
        long[] floats = new long[places.length];
        for (long from = 0; from < length; from += piece) {
            long count = Math.min(piece, length - from);
            long free = scratch;
            for (int i = 0; i < places.length; i++) {
                floats[i] = places[i] + 4 * from;
                if (StoredWeights.isStored(places[i])) {
                    stored.widenAll(floats[i], count, free);
                    floats[i] = free;
                    free += 4 * most;
                }
            }
            part.run(floats, count);
            for (int i = 0; i < places.length; i++) {
                if (floats[i] != places[i] + 4 * from && operands[i].key() != null) {
                    long element = operands[i].tensor().offset(layer) + from;
                    stored.roundAll(places[i] + 4 * from, count, floats[i], operands[i].key(), element);
                }
            }
        }
    }

    private long at(Tensor tensor, int rows, int width) {
        return at(tensor, (long) rows * width);
    }

    private long atOrNone(Tensor tensor, long floats) {
        return tensor == null ? 0 : at(tensor, floats);
    }

    /** The largest token of the batch plus one; none is negative. */
    private long tokensUsed(int places) {
        int max = 0;
        for (int i = 0; i < places; i++) {
            int token = inputs.tokens[i];
            if (token < 0) {
                throw new IndexOutOfBoundsException("token " + token + " at place " + i + " is negative");
            }
            max = Math.max(max, token);
        }
        return max + 1L;
    }

    private void checkTargets(int rows, int vocabulary) {
        for (int i = 0; i < rows; i++) {
            if (inputs.targets[i] >= vocabulary) {
                throw new IndexOutOfBoundsException("target " + inputs.targets[i] + " at place " + i
                        + " is not below the vocabulary's size, " + vocabulary);
            }
        }
    }

    private void checkTaught(int rows, int top, int vocabulary) {
        for (int i = 0; i < rows * top; i++) {
            int token = inputs.taughtTokens[i];
            if (token < 0 || token >= vocabulary) {
                throw new IndexOutOfBoundsException(
                        "the teacher's token " + token + " is not one of the vocabulary's " + vocabulary);
            }
        }
    }

    @Override
    public void embed(Tensor out, Tensor wte, Tensor wpe, int batch, int sequence, int width) {
        int rows = Math.multiplyExact(batch, sequence);
        embedding.forward(
                at(out, rows, width),
                weights(wte, tokensUsed(rows) * width),
                wpe == null ? 0 : weights(wpe, ((long) inputs.position + sequence) * width),
                inputs,
                batch,
                sequence,
                width);
    }

    @Override
    public void embedBackward(Tensor dwte, Tensor dwpe, Tensor dout, int batch, int sequence, int width) {
        int rows = Math.multiplyExact(batch, sequence);
        embedding.backward(
                atOrNone(dwte, tokensUsed(rows) * width),
                atOrNone(dwpe, (long) sequence * width),
                at(dout, rows, width),
                inputs,
                batch,
                sequence,
                width);
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
        layerNorm.forward(
                at(out, rows, width),
                at(mean, rows),
                at(rstd, rows),
                at(x, rows, width),
                at(weight, width),
                at(bias, width),
                rows,
                width,
                eps);
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
        layerNorm.backward(
                at(dx, rows, width),
                atOrNone(dweight, width),
                atOrNone(dbias, width),
                at(dout, rows, width),
                at(x, rows, width),
                at(mean, rows),
                at(rstd, rows),
                at(weight, width),
                rows,
                width);
    }

    @Override
    public void rmsNorm(Tensor out, Tensor rstd, Tensor x, Tensor weight, int rows, int width, float eps) {
        rmsNorm.forward(at(out, rows, width), at(rstd, rows), at(x, rows, width), at(weight, width), rows, width, eps);
    }

    @Override
    public void rmsNormBackward(
            Tensor dx, Tensor dweight, Tensor dout, Tensor x, Tensor rstd, Tensor weight, int rows, int width) {
        rmsNorm.backward(
                at(dx, rows, width),
                atOrNone(dweight, width),
                at(dout, rows, width),
                at(x, rows, width),
                at(rstd, rows),
                at(weight, width),
                rows,
                width);
    }

    @Override
    public void headNorm(
            Tensor out, Tensor rstd, Tensor x, Tensor queryWeight, Tensor keyWeight, AttentionShape shape, float eps) {
        headNorm.forward(
                at(out, shape.rows(), shape.qkvWidth()),
                at(rstd, shape.rows(), shape.heads() + shape.kvHeads()),
                at(x, shape.rows(), shape.qkvWidth()),
                at(queryWeight, shape.headDim()),
                at(keyWeight, shape.headDim()),
                shape,
                eps);
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
        headNorm.backward(
                at(dx, shape.rows(), shape.qkvWidth()),
                atOrNone(dqueryWeight, shape.headDim()),
                atOrNone(dkeyWeight, shape.headDim()),
                at(dout, shape.rows(), shape.qkvWidth()),
                at(x, shape.rows(), shape.qkvWidth()),
                at(rstd, shape.rows(), shape.heads() + shape.kvHeads()),
                at(queryWeight, shape.headDim()),
                at(keyWeight, shape.headDim()),
                shape);
    }

    @Override
    public void linear(Tensor out, Tensor x, Tensor weight, Tensor bias, int rows, int inWidth, int outWidth) {
        linear.forward(
                at(out, rows, outWidth),
                at(x, rows, inWidth),
                weights(weight, (long) outWidth * inWidth),
                atOrNone(bias, outWidth),
                rows,
                inWidth,
                outWidth);
    }

    @Override
    public void linearBackwardInput(Tensor dx, Tensor dout, Tensor weight, int rows, int inWidth, int outWidth) {
        linear.backwardInput(
                at(dx, rows, inWidth),
                at(dout, rows, outWidth),
                weights(weight, (long) outWidth * inWidth),
                rows,
                inWidth,
                outWidth);
    }

    @Override
    public void linearBackwardWeight(
            Tensor dweight, Tensor dbias, Tensor dout, Tensor x, int rows, int inWidth, int outWidth) {
        linear.backwardWeight(
                atOrNone(dweight, (long) outWidth * inWidth),
                atOrNone(dbias, outWidth),
                at(dout, rows, outWidth),
                at(x, rows, inWidth),
                rows,
                inWidth,
                outWidth);
    }

    @Override
    public void rope(Tensor qkv, Tensor cos, Tensor sin, AttentionShape shape) {
        long angles = ((long) inputs.position + shape.sequence()) * (shape.headDim() / 2);
        rope.forward(at(qkv, shape.rows(), shape.qkvWidth()), at(cos, angles), at(sin, angles), shape, inputs);
    }

    @Override
    public void ropeBackward(Tensor dqkv, Tensor cos, Tensor sin, AttentionShape shape) {
        long angles = ((long) inputs.position + shape.sequence()) * (shape.headDim() / 2);
        rope.backward(at(dqkv, shape.rows(), shape.qkvWidth()), at(cos, angles), at(sin, angles), shape, inputs);
    }

    @Override
    public void attention(Tensor out, Tensor lse, Tensor qkv, AttentionShape shape, Dropout dropout) {
        attention.forward(
                at(out, shape.rows(), shape.outWidth()),
                at(lse, shape.rows(), shape.heads()),
                at(qkv, shape.rows(), shape.qkvWidth()),
                shape,
                dropout,
                inputs,
                layer);
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
        attention.backward(
                at(dqkv, shape.rows(), shape.qkvWidth()),
                at(dout, shape.rows(), shape.outWidth()),
                at(out, shape.rows(), shape.outWidth()),
                at(lse, shape.rows(), shape.heads()),
                at(qkv, shape.rows(), shape.qkvWidth()),
                at(delta, shape.rows(), shape.heads()),
                shape,
                dropout,
                inputs,
                layer);
    }

    @Override
    public void cachedAttention(Tensor out, Tensor cache, Tensor qkv, AttentionShape shape, int capacity) {
        if (shape.batch() != 1 || (long) inputs.position + shape.sequence() > capacity) {
            throw new IndexOutOfBoundsException("positions " + inputs.position + " to "
                    + (inputs.position + shape.sequence()) + " of " + shape.batch()
                    + " texts do not fit a cache of one text and " + capacity + " places");
        }
        cachedAttention.run(
                at(out, shape.rows(), shape.outWidth()),
                at(cache, capacity, 2 * shape.kvHeads() * shape.headDim()),
                at(qkv, shape.rows(), shape.qkvWidth()),
                shape,
                shape.layer(layer),
                inputs.position);
    }

    @Override
    public void activation(Tensor out, Tensor x, Activation f, int rows, int width) {
        activations.forward(f, at(out, rows, width), at(x, rows, width), (long) rows * width);
    }

    @Override
    public void activationBackward(Tensor dx, Tensor dout, Tensor x, Activation f, int rows, int width) {
        activations.backward(f, at(dx, rows, width), at(dout, rows, width), at(x, rows, width), (long) rows * width);
    }

    @Override
    public void gated(Tensor out, Tensor x, Activation f, int rows, int width) {
        activations.gated(f, at(out, rows, width), at(x, 2L * rows * width), rows, width);
    }

    @Override
    public void gatedBackward(Tensor dx, Tensor dout, Tensor x, Activation f, int rows, int width) {
        long both = 2L * rows * width;
        activations.gatedBackward(f, at(dx, both), at(dout, rows, width), at(x, both), rows, width);
    }

    @Override
    public void add(Tensor out, Tensor a, Tensor b, int rows, int width) {
        elementwise.add(at(out, rows, width), at(a, rows, width), at(b, rows, width), (long) rows * width);
    }

    @Override
    public void dropout(Tensor out, Tensor x, int rows, int width, Dropout dropout) {
        elementwise.dropout(at(out, rows, width), at(x, rows, width), (long) rows * width, dropout, inputs, layer);
    }

    private long at(Columns x, int rows, int width) {
        return at(x.matrix().skip(x.first()), (long) (rows - 1) * x.rowWidth() + width);
    }

    @Override
    public void addColumns(Columns out, Columns x, int rows, int width, float factor) {
        columns.run(at(out, rows, width), out.rowWidth(), at(x, rows, width), x.rowWidth(), rows, width, factor, true);
    }

    @Override
    public void copyColumns(Columns out, Columns x, int rows, int width, float factor) {
        columns.run(at(out, rows, width), out.rowWidth(), at(x, rows, width), x.rowWidth(), rows, width, factor, false);
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
        long[] row = {0};
        int most = (int) Math.max(1, PIECE / in);
        Part some = (floats, count) -> {
            rowScales.run(
                    at(out, rows) + 4 * row[0],
                    at(magnitudes, rows) + 4 * row[0],
                    floats[0],
                    at(b, rows, rank) + 4 * row[0] * rank,
                    at(wa, rows, rank) + 4 * row[0] * rank,
                    at(baa, rows, rank) + 4 * row[0] * rank,
                    (int) (count / in),
                    in,
                    rank,
                    scale);
            row[0] += count / in;
        };
        run((long) rows * in, (long) most * in, some, Operand.read(weight));
    }

    @Override
    public void scaleColumns(Columns out, Tensor scales, Tensor bias, int rows, int width) {
        columns.scale(at(out, rows, width), out.rowWidth(), at(scales, width), atOrNone(bias, width), rows, width);
    }

    @Override
    public void addColumnProducts(
            Tensor sums, Columns a, Columns b, Tensor scales, Tensor magnitudes, int rows, int width) {
        columns.addProducts(
                at(sums, width),
                at(a, rows, width),
                a.rowWidth(),
                at(b, rows, width),
                b.rowWidth(),
                at(scales, width),
                at(magnitudes, width),
                rows,
                width);
    }

    @Override
    public void addNoise(Tensor x, int rows, int width, float magnitude) {
        elementwise.addNoise(at(x, rows, width), (long) rows * width, magnitude, inputs, layer);
    }

    @Override
    public void headLoss(Tensor nll, Tensor x, Tensor weight, int rows, int width, int vocabulary) {
        checkTargets(rows, vocabulary);
        headLoss.forward(
                at(nll, rows),
                at(x, rows, width),
                weights(weight, (long) vocabulary * width),
                inputs.targets,
                rows,
                width,
                vocabulary);
    }

    @Override
    public void headLossBackward(
            Tensor nll, Tensor dx, Tensor dweight, Tensor x, Tensor weight, int rows, int width, int vocabulary) {
        checkTargets(rows, vocabulary);
        headLoss.backward(
                at(nll, rows),
                at(dx, rows, width),
                atOrNone(dweight, (long) vocabulary * width),
                at(x, rows, width),
                weights(weight, (long) vocabulary * width),
                inputs.targets,
                inputs.lossScale,
                rows,
                width,
                vocabulary);
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
        checkTargets(rows, vocabulary);
        HeadLoss.Aim aim = switch (teacher) {
            case null -> new HeadLoss.Aim(objective, 0, 0, 0, null);
            case Objective.Live live ->
                new HeadLoss.Aim(
                        objective,
                        at(live.x(), rows, live.width()),
                        weights(live.weight(), (long) vocabulary * live.width()),
                        live.width(),
                        null);
            case Objective.Kept kept -> {
                checkTaught(rows, kept.top(), vocabulary);
                yield new HeadLoss.Aim(objective, 0, 0, kept.top(), inputs);
            }
        };
        headLoss.objective(
                aim,
                at(losses, 2, rows),
                at(dx, rows, width),
                atOrNone(dweight, (long) vocabulary * width),
                at(x, rows, width),
                weights(weight, (long) vocabulary * width),
                inputs.targets,
                inputs.lossScale,
                rows,
                width,
                vocabulary);
    }

    @Override
    public void sumOfSquares(Tensor partials, Tensor x, long length) {
        sumOfSquares.run(at(partials, PARTIALS), at(x, length), length);
    }

    @Override
    public void adamw(Tensor parameter, Tensor gradient, Tensor m, Tensor v, long length, AdamW settings) {
        run(
                length,
                PIECE,
                (o, count) -> adamw.run(o[0], o[1], o[2], o[3], count, settings, inputs),
                weight(parameter, StochasticRounding.UPDATE),
                Operand.changed(gradient),
                Operand.changed(m),
                Operand.changed(v));
    }

    @Override
    public void lion(Tensor parameter, Tensor gradient, Tensor m, long length, Lion settings) {
        run(
                length,
                PIECE,
                (o, count) -> lion.run(o[0], o[1], o[2], count, settings, inputs),
                weight(parameter, StochasticRounding.UPDATE),
                Operand.changed(gradient),
                Operand.changed(m));
    }

    @Override
    public void momentum(Tensor gradient, Tensor m, long length, float momentum) {
        run(
                length,
                PIECE,
                (o, count) -> directions.momentum(o[0], o[1], count, momentum, inputs.gradientScale),
                Operand.changed(gradient),
                Operand.changed(m));
    }

    @Override
    public void factoredMoments(Tensor r, Tensor c, Tensor gradient, int rows, int columns) {
        factored.moments(
                at(r, rows),
                at(c, columns),
                at(gradient, rows, columns),
                rows,
                columns,
                inputs.secondMomentDecay,
                inputs.gradientScale);
    }

    @Override
    public void factoredDirection(Tensor gradient, Tensor r, Tensor c, int rows, int columns) {
        factored.direction(
                at(gradient, rows, columns), at(r, rows), at(c, columns), rows, columns, inputs.gradientScale);
    }

    @Override
    public void scaleByRoots(Tensor x, Tensor numerators, Tensor denominators, int rows, int columns, boolean ofRows) {
        int channels = ofRows ? rows : columns;
        roots.scale(at(x, rows, columns), at(numerators, channels), at(denominators, channels), rows, columns, ofRows);
    }

    @Override
    public void unfactoredDirection(Tensor gradient, Tensor v, long length) {
        factored.vector(at(gradient, length), at(v, length), length, inputs.secondMomentDecay, inputs.gradientScale);
    }

    @Override
    public void divideByNorm(Tensor x, Tensor partials, long length, float least, float scale) {
        directions.divideByNorm(at(x, length), at(partials, PARTIALS), length, least, scale);
    }

    @Override
    public void descend(Tensor parameter, Tensor direction, long length, float factor, float weightDecay) {
        float rate = inputs.learningRate;
        run(
                length,
                PIECE,
                (o, count) -> directions.combine(o[0], o[0], o[1], count, 1 - rate * weightDecay, -rate * factor),
                weight(parameter, StochasticRounding.ofDescent(factor)),
                Operand.read(direction));
    }

    @Override
    public void pull(Tensor gradient, Tensor importance, Tensor parameter, Tensor start, long length, float strength) {
        run(
                length,
                PIECE,
                (o, count) -> directions.pull(o[0], o[1], o[2], o[3], count, strength),
                Operand.changed(gradient),
                Operand.read(importance),
                Operand.read(parameter),
                Operand.read(start));
    }

    @Override
    public void combine(Tensor out, Tensor x, Tensor y, long length, float a, float b) {
        run(
                length,
                PIECE,
                (o, count) -> directions.combine(o[0], o[1], o[2], count, a, b),
                weight(out, StochasticRounding.MOVE),
                Operand.read(x),
                Operand.read(y));
    }

    @Override
    public void zero(Tensor x, long length) {
        elementwise.zero(at(x, length), length);
    }
}
