package dev.whirlwind.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntConsumer;
import java.util.function.Predicate;

/**
 * A decoder-only transformer, forward and backward, as straight-line code over {@link Ops}. GPT-2 (Radford et al. 2019)
 * normalises before each half of a block with layer norm, knows learned positions; Llama (arXiv 2302.13971) and its
 * kin RMS norm, rotary positions and a gate. The rest is the same, and written once.
 *
 * <p>It runs as a few {@link Program}s: embed, block (once per layer), head; and the same backward.
 */
public final class Transformer {
    /** The kinds of a block's linear layers, by their weights. */
    private static final String QKV = "attention.qkv.weight";

    private static final String OUT = "attention.out.weight";
    private static final String UP = "mlp.up.weight";
    private static final String DOWN = "mlp.down.weight";

    private final Engine engine;
    private final ModelConfig config;
    private final Parameters weights;
    private final Parameters gradients;
    private final Activations a;
    private final Inputs inputs;
    private final AttentionShape shape;
    private final KeyValueCache cache;
    private final Recompute recompute;
    private final int positions;
    private final int rows;
    private final int hidden;
    private final int intermediate;
    private final Dropout embeddingDropout;
    private final Dropout attentionDropout;
    private final Dropout attentionResidualDropout;
    private final Dropout mlpResidualDropout;

    private final Program embed = ops -> embed(ops, false);
    private final Program embedForTraining = ops -> embed(ops, true);
    private final Program headLoss = this::headLoss;
    private final Program headLogits = this::headLogits;
    private final Program headBackward = this::headBackward;
    private final Program embedBackward = this::embedBackward;
    private final Program zeroGradients = this::zeroGradients;
    private final Program seen = this::finalNorm;
    private final Program keepGroupInput = this::keepGroupInput;
    private final Program fetchGroupInput = this::fetchGroupInput;
    private final Program keepBlockInput = this::keepBlockInput;
    private final Program fetchBlockInput = this::fetchBlockInput;
    private final Program logitsPart = ops -> logitsPart(ops, false);
    private final Program logitsRest = ops -> logitsPart(ops, true);
    private Tensor partOfLogits;

    /** The backward pass of each layer from the lowest that anything is trained in or below; layers alike share one. */
    private final List<Program> blockBackward = new ArrayList<>();

    private final int lowestLayer;

    /** The forward pass of each layer; layers with the same adapters share one. */
    private final List<Block> blocks = new ArrayList<>();

    /** Null without. */
    private final Adapters adapters;

    private Objective objective = Objective.PLAIN;
    private Transformer teacher;
    private Objective.Kept kept;
    private float noise;

    /** The token that documents end with, between which nothing is seen in training; negative for none. */
    private int separator = -1;

    /** A block's forward pass, with the adapters of its linear layers by their kind. */
    private final class Block {
        final Map<String, LowRank> adapters;
        final Program forward = ops -> block(ops, this, false);
        final Program training = dropsOut() ? ops -> block(ops, this, true) : forward;

        /** What the backward pass reads and was not kept. */
        final Program again = ops -> blockAgain(ops, this);

        Block(Map<String, LowRank> adapters) {
            this.adapters = adapters;
        }
    }

    private Transformer(
            Engine engine,
            Parameters weights,
            Parameters gradients,
            int batch,
            int sequence,
            KeyValueCache cache,
            Recompute recompute) {
        this.engine = engine;
        this.weights = weights;
        this.gradients = gradients;
        this.cache = cache;
        this.recompute = recompute;
        config = weights.config();
        positions = cache == null ? sequence : cache.capacity();
        config.requirePositions(positions);
        shape = config.attention(batch, sequence);
        rows = shape.rows();
        hidden = config.hiddenSize();
        intermediate = config.intermediateSize();
        inputs = engine.inputs(rows);
        embeddingDropout = new Dropout(config.embeddingDropout(), Dropout.EMBEDDING);
        attentionDropout = new Dropout(config.attentionDropout(), Dropout.ATTENTION);
        attentionResidualDropout = new Dropout(config.residualDropout(), Dropout.ATTENTION_RESIDUAL);
        mlpResidualDropout = new Dropout(config.residualDropout(), Dropout.MLP_RESIDUAL);
        a = new Activations(engine, config, shape, positions, gradients != null, recompute);
        adapters = Adapters.of(engine, weights, rows, gradients != null);
        Map<Map<String, LowRank>, Block> kinds = new HashMap<>();
        for (int layer = 0; layer < config.layers(); layer++) {
            blocks.add(kinds.computeIfAbsent(weights.layout().lowRanks(layer), Block::new));
        }
        lowestLayer = gradients == null ? config.layers() : planBackward();
    }

    /**
     * To train on micro-batches of {@code batch} sequences; it allocates gradients.
     *
     * @param recompute keep only the blocks' inputs and run most of each block's forward pass again before its backward pass
     */
    public static Transformer forTraining(
            Engine engine, Parameters weights, int batch, int sequence, boolean recompute) {
        Saving saving = Saving.of(recompute ? Recompute.BLOCKS : Recompute.NOTHING);
        return forTraining(engine, weights, batch, sequence, saving, _ -> true);
    }

    /**
     * The same for some of the parameters: the others have no gradients, and nothing is computed for them alone.
     *
     * @param saving with gradients of one layer, only {@link #forwardBackward(GradientUser)} can be called
     * @param trained whether a tensor is trained, by its name in the checkpoint
     */
    public static Transformer forTraining(
            Engine engine, Parameters weights, int batch, int sequence, Saving saving, Predicate<String> trained) {
        ParameterLayout layout = weights.layout().only(trained);
        Parameters gradients = saving.oneLayersGradients()
                ? Parameters.ofOneLayer(engine, layout, "gradients")
                : new Parameters(engine, layout, "gradients");
        return new Transformer(engine, weights, gradients, batch, sequence, null, saving.recompute());
    }

    /** To compute losses and logits. */
    public static Transformer forEvaluation(Engine engine, Parameters weights, int batch, int sequence) {
        return new Transformer(engine, weights, null, batch, sequence, null, Recompute.NOTHING);
    }

    /** To continue one text by {@code sequence} tokens at a time, with a cache that may be shared. */
    public static Transformer forGeneration(Engine engine, Parameters weights, int sequence, KeyValueCache cache) {
        return new Transformer(engine, weights, null, 1, sequence, cache, Recompute.NOTHING);
    }

    /**
     * Trains for another objective from now on; before the first pass.
     *
     * @param newTeacher of the same batch, sequence and vocabulary, on the same engine; null without distillation
     */
    public void trainFor(Objective newObjective, Transformer newTeacher) {
        objective = newObjective;
        teacher = newTeacher;
    }

    /** The same with what was kept of a teacher, to be put into the inputs before each pass. */
    public void trainFor(Objective newObjective, Objective.Kept newKept) {
        objective = newObjective;
        kept = newKept;
        inputs.keepTeacher(kept.top());
    }

    /**
     * Adds uniform noise of up to alpha / sqrt(sequence * hidden size) to each embedding when training (NEFTune, arXiv
     * 2310.05914), from now on; before the first pass.
     */
    public void addNoise(double alpha) {
        noise = (float) (alpha / Math.sqrt((double) shape.sequence() * hidden));
    }

    /**
     * Lets each document of a training sequence be read as a text of its own from now on: attention does not reach from one into
     * another, and positions start anew.
     *
     * @param newSeparator the token that a document ends with
     */
    public void maskDocuments(int newSeparator) {
        separator = newSeparator;
    }

    /** The batch; fill tokens and targets before a pass. */
    public Inputs inputs() {
        return inputs;
    }

    public Parameters weights() {
        return weights;
    }

    /** Gradients of the weights, summed over the backward passes since they were last zero; null unless training. */
    public Parameters gradients() {
        return gradients;
    }

    public int batch() {
        return shape.batch();
    }

    public int sequence() {
        return shape.sequence();
    }

    /**
     * Most tokens of texts whose rotations do not depend on their length; {@link #textLength} tells of longer and shorter
     * ones, which cannot share a batch.
     */
    public int lengthIndependentUpTo() {
        return config.rope() == null
                ? Integer.MAX_VALUE
                : config.rope().scaling().fixedUpTo();
    }

    /**
     * Tokens of the texts of the passes to come, where rotations depend on it (dynamic scaling, LongRoPE); of the prompt
     * when generating. At first it is the whole sequence, and texts beyond {@link #lengthIndependentUpTo} count as such,
     * as they do to {@code transformers} in a padded batch.
     */
    public void textLength(int tokens) {
        if (a.rope != null) {
            int fixed = lengthIndependentUpTo();
            a.rope.use(cache != null ? tokens : tokens > fixed ? shape.sequence() : Math.min(fixed, shape.sequence()));
        }
    }

    // ---------------------------------------------------------------------------------------------- passes

    /** Forward without dropout: the sum of the negative log-likelihoods (nats) of the predicted places. */
    public double evaluate() {
        forward(embed, false);
        engine.run(headLoss, inputs, 0);
        return sumOfNll();
    }

    /**
     * Forward with dropout and backward: adds {@code inputs.lossScale} times the gradient of the summed negative
     * log-likelihood to the gradients, and returns that sum (nats).
     */
    public double forwardBackward() {
        if (gradients.isOfOneLayer()) {
            throw new IllegalStateException("gradients of all layers, where there is memory for one layer's");
        }
        passThrough();
        engine.run(headBackward, inputs, 0);
        backward(_ -> {});
        return sumOfNll();
    }

    /**
     * The same, but gradients are used up as they are found. A user that does not want them ends the pass, and the gradients
     * are zero.
     */
    public double forwardBackward(GradientUser user) {
        passThrough();
        engine.run(headBackward, inputs, 0);
        double nll = sumOfNll();
        if (user.wants(nll)) {
            backward(user::layer);
            user.rest();
        } else {
            zeroGradients();
        }
        return nll;
    }

    private void passThrough() {
        if (teacher != null) {
            teacher.see(inputs.tokens, separator);
        }
        forward(dropsOut() || noise > 0 ? embedForTraining : embed, true);
    }

    private void backward(IntConsumer whole) {
        int group = recompute.every();
        for (int layer = config.layers() - 1; layer >= lowestLayer; layer--) {
            if (group > 1) {
                findInput(layer, layer == config.layers() - 1 || (layer + 1) % group == 0);
            }
            if (recompute.any()) {
                engine.run(blocks.get(layer).again, inputs, layer);
            }
            engine.run(blockBackward.get(layer - lowestLayer), inputs, layer);
            whole.accept(layer);
        }
        if (gradients.layout().hasEmbedding()) {
            engine.run(embedBackward, inputs, 0);
        }
    }

    /**
     * Puts a block's input where the block reads it.
     *
     * @param isLast whether it is the last of its group: then the others' are found on the way
     */
    private void findInput(int layer, boolean isLast) {
        int first = layer / recompute.every() * recompute.every();
        if (!isLast) {
            engine.run(fetchBlockInput, inputs, layer - first);
            return;
        }
        engine.run(fetchGroupInput, inputs, first / recompute.every());
        for (int before = first; before < layer; before++) {
            engine.run(keepBlockInput, inputs, before - first);
            engine.run(blocks.get(before).training, inputs, before);
        }
    }

    /** Forward only: the logits, [batch * sequence, vocabulary] native floats, valid until the next pass. */
    public MemorySegment logits() {
        forward(embed, false);
        needLogits();
        engine.run(headLogits, inputs, 0);
        return engine.host(a.logits, (long) rows * config.vocabularySize());
    }

    /** Is shown the logits of some rows, [count, vocabulary] native floats, which are valid until it returns. */
    @FunctionalInterface
    public interface LogitsVisitor {
        void visit(int firstRow, int count, MemorySegment logits);
    }

    /** Forward only: the logits of all rows in turn, of no more at once than {@link Ops#LOGITS_BYTES} have room for. */
    public void visitLogits(LogitsVisitor visitor) {
        int part = rowsOfPart();
        if (partOfLogits == null) {
            partOfLogits = new Tensor(engine.allocate("some logits", (long) part * config.vocabularySize()), 0, 0);
        }
        forward(embed, false);
        engine.run(seen, inputs, 0);
        for (int first = 0; first < rows; first += part) {
            int count = Math.min(part, rows - first);
            engine.run(count == part ? logitsPart : logitsRest, inputs, first / part);
            visitor.visit(first, count, engine.host(partOfLogits, (long) count * config.vocabularySize()));
        }
    }

    private int rowsOfPart() {
        return Math.clamp(Ops.LOGITS_BYTES / Float.BYTES / config.vocabularySize(), 1, rows);
    }

    /** Of as many rows, or of those that are left after them; a part's number is that of a layer. */
    private void logitsPart(Ops ops, boolean rest) {
        int part = rowsOfPart();
        Tensor x = new Tensor(a.finalNormed.buffer(), a.finalNormed.offset(), (long) part * hidden);
        int count = rest ? rows % part : part;
        ops.linear(partOfLogits, x, weights.head, null, count, hidden, config.vocabularySize());
    }

    /** Takes the memory that {@link #logits} will need. */
    void needLogits() {
        a.needLogits(engine, (long) rows * config.vocabularySize());
    }

    /** Forward only, up to what the head sees. */
    private void see(int[] tokens, int ofDocuments) {
        System.arraycopy(tokens, 0, inputs.tokens, 0, rows);
        forward(embed, false, ofDocuments);
        engine.run(seen, inputs, 0);
    }

    /** Forward only, for what it leaves in the cache. */
    public void fillCache() {
        forward(embed, false);
    }

    /** Sets the gradients to zero; needed only when an optimizer has not just done it. */
    public void zeroGradients() {
        engine.run(zeroGradients, inputs, 0);
    }

    /** The negative log-likelihood of each place of the last loss, [batch * sequence] native floats. */
    public MemorySegment nll() {
        return engine.host(a.nll, rows);
    }

    private void forward(Program embedding, boolean training) {
        forward(embedding, training, training ? separator : -1);
    }

    private void forward(Program embedding, boolean training, int ofDocuments) {
        inputs.require(config.vocabularySize(), positions - shape.sequence());
        if (ofDocuments < 0) {
            inputs.joinDocuments();
        } else {
            inputs.divideDocuments(ofDocuments, shape.sequence());
        }
        if (a.rope != null) {
            a.rope.ready();
        }
        engine.run(embedding, inputs, 0);
        for (int layer = 0; layer < config.layers(); layer++) {
            if (training && recompute.every() > 1 && layer % recompute.every() == 0) {
                engine.run(keepGroupInput, inputs, layer / recompute.every());
            }
            engine.run(training ? blocks.get(layer).training : blocks.get(layer).forward, inputs, layer);
        }
    }

    /** The lowest layer that a gradient must reach. */
    private int planBackward() {
        Map<List<Object>, Program> programs = new HashMap<>();
        ParameterLayout layout = gradients.layout();
        int lowest = layout.lowestLayer();
        for (int layer = lowest; layer < config.layers(); layer++) {
            Set<String> kinds = layout.chosenIn(layer);
            Block block = blocks.get(layer);
            blockBackward.add(programs.computeIfAbsent(List.of(kinds, block), _ -> {
                Parameters trained = gradients.only(kinds);
                return ops -> blockBackward(ops, block, trained);
            }));
        }
        return lowest;
    }

    private boolean dropsOut() {
        return weights.layout().adapter().dropout() > 0
                || embeddingDropout.active()
                || attentionDropout.active()
                || mlpResidualDropout.active();
    }

    private double sumOfNll() {
        MemorySegment nll = nll();
        double sum = 0;
        for (int row = 0; row < rows; row++) {
            sum += nll.getAtIndex(ValueLayout.JAVA_FLOAT, row);
        }
        return sum;
    }

    // ---------------------------------------------------------------------------------------------- forward

    private void embed(Ops ops, boolean training) {
        Tensor x = a.residual.at(0);
        ops.embed(x, weights.tokenEmbedding, weights.positionEmbedding, shape.batch(), shape.sequence(), hidden);
        if (training) {
            if (noise > 0) {
                ops.addNoise(x, rows, hidden, noise);
            }
            drop(ops, x, x, embeddingDropout);
        }
    }

    private void block(Ops ops, Block block, boolean training) {
        attend(ops, block, training);
        addAttention(ops, block, training);
        widen(ops, block, training);
        linear(
                ops,
                block,
                DOWN,
                a.branch,
                a.activated,
                weights.downWeight,
                weights.downBias,
                intermediate,
                hidden,
                training);
        if (training) {
            drop(ops, a.branch, a.branch, mlpResidualDropout);
        }
        ops.add(a.residual.next(), a.middle, a.branch, rows, hidden);
    }

    /** As much of it as the backward pass reads and was not kept. */
    private void blockAgain(Ops ops, Block block) {
        if (recompute.attention()) {
            attend(ops, block, true);
        }
        if (recompute.blocks()) {
            addAttention(ops, block, true);
        }
        if (recompute.mlp()) {
            widen(ops, block, true);
        }
    }

    private void attend(Ops ops, Block block, boolean training) {
        norm(ops, a.normed1, a.mean1, a.rstd1, a.residual, weights.norm1Weight, weights.norm1Bias);
        linear(
                ops,
                block,
                QKV,
                a.qkv,
                a.normed1,
                weights.qkvWeight,
                weights.qkvBias,
                hidden,
                shape.qkvWidth(),
                training);
        if (config.queryKeyNorm()) {
            ops.headNorm(a.rotated, a.headRstd, a.qkv, weights.queryNorm, weights.keyNorm, shape, config.normEps());
        }
        if (config.rope() != null) {
            ops.rope(a.rotated, a.rope.cos, a.rope.sin, shape);
        }
        if (cache == null) {
            ops.attention(a.attention, a.lse, a.rotated, shape, training ? attentionDropout : Dropout.NONE);
        } else {
            ops.cachedAttention(a.attention, cache.tensor(), a.rotated, shape, cache.capacity());
        }
    }

    private void addAttention(Ops ops, Block block, boolean training) {
        linear(
                ops,
                block,
                OUT,
                a.branch,
                a.attention,
                weights.outWeight,
                weights.outBias,
                shape.outWidth(),
                hidden,
                training);
        if (training) {
            drop(ops, a.branch, a.branch, attentionResidualDropout);
        }
        ops.add(a.middle, a.residual, a.branch, rows, hidden);
    }

    /** Up to what the MLP's second matrix sees. */
    private void widen(Ops ops, Block block, boolean training) {
        norm(ops, a.normed2, a.mean2, a.rstd2, a.middle, weights.norm2Weight, weights.norm2Bias);
        linear(ops, block, UP, a.up, a.normed2, weights.upWeight, weights.upBias, hidden, upWidth(), training);
        if (config.isGpt2()) {
            ops.activation(a.activated, a.up, config.activation(), rows, intermediate);
        } else {
            ops.gated(a.activated, a.up, config.activation(), rows, intermediate);
        }
    }

    private void headLoss(Ops ops) {
        finalNorm(ops);
        ops.headLoss(a.nll, a.finalNormed, weights.head, rows, hidden, config.vocabularySize());
    }

    private void headLogits(Ops ops) {
        finalNorm(ops);
        ops.linear(a.logits, a.finalNormed, weights.head, null, rows, hidden, config.vocabularySize());
    }

    private void finalNorm(Ops ops) {
        Tensor x = a.residual.at(config.layers());
        norm(ops, a.finalNormed, a.finalMean, a.finalRstd, x, weights.finalNormWeight, weights.finalNormBias);
    }

    // ---------------------------------------------------------------------------------------------- backward

    private void headBackward(Ops ops) {
        finalNorm(ops);
        lossBackward(ops, config.vocabularySize());
        ops.zero(a.dresidual, (long) rows * hidden);
        normBackward(
                ops,
                gradients.finalNormWeight,
                gradients.finalNormBias,
                a.residual.at(config.layers()),
                a.finalMean,
                a.finalRstd,
                weights.finalNormWeight);
    }

    private void lossBackward(Ops ops, int vocabulary) {
        if (objective.isPlain()) {
            ops.headLossBackward(
                    a.nll, a.dnormed, gradients.head, a.finalNormed, weights.head, rows, hidden, vocabulary);
        } else {
            ops.headObjectiveBackward(
                    a.nll,
                    a.dnormed,
                    gradients.head,
                    a.finalNormed,
                    weights.head,
                    teacher == null
                            ? kept
                            : new Objective.Live(teacher.a.finalNormed, teacher.weights.head, teacher.hidden),
                    objective,
                    rows,
                    hidden,
                    vocabulary);
        }
    }

    private void blockBackward(Ops ops, Block block, Parameters d) {
        Tensor dbranch = dropped(ops, mlpResidualDropout);
        linearBackward(
                ops,
                block,
                DOWN,
                d,
                a.dactivated,
                d.downWeight,
                d.downBias,
                dbranch,
                a.activated,
                weights.downWeight,
                intermediate,
                hidden);
        if (config.isGpt2()) {
            ops.activationBackward(a.dup, a.dactivated, a.up, config.activation(), rows, intermediate);
        } else {
            ops.gatedBackward(a.dup, a.dactivated, a.up, config.activation(), rows, intermediate);
        }
        linearBackward(
                ops,
                block,
                UP,
                d,
                a.dnormed,
                d.upWeight,
                d.upBias,
                a.dup,
                a.normed2,
                weights.upWeight,
                hidden,
                upWidth());
        normBackward(ops, d.norm2Weight, d.norm2Bias, a.middle, a.mean2, a.rstd2, weights.norm2Weight);

        dbranch = dropped(ops, attentionResidualDropout);
        linearBackward(
                ops,
                block,
                OUT,
                d,
                a.dattention,
                d.outWeight,
                d.outBias,
                dbranch,
                a.attention,
                weights.outWeight,
                shape.outWidth(),
                hidden);
        ops.attentionBackward(a.dqkv, a.dattention, a.attention, a.lse, a.rotated, a.delta, shape, attentionDropout);
        if (config.rope() != null) {
            ops.ropeBackward(a.dqkv, a.rope.cos, a.rope.sin, shape);
        }
        if (config.queryKeyNorm()) {
            ops.headNormBackward(
                    a.dqkv,
                    d.queryNorm,
                    d.keyNorm,
                    a.dqkv,
                    a.qkv,
                    a.headRstd,
                    weights.queryNorm,
                    weights.keyNorm,
                    shape);
        }
        linearBackward(
                ops,
                block,
                QKV,
                d,
                a.dnormed,
                d.qkvWeight,
                d.qkvBias,
                a.dqkv,
                a.normed1,
                weights.qkvWeight,
                hidden,
                shape.qkvWidth());
        normBackward(ops, d.norm1Weight, d.norm1Bias, a.residual, a.mean1, a.rstd1, weights.norm1Weight);
    }

    private void embedBackward(Ops ops) {
        drop(ops, a.dresidual, a.dresidual, embeddingDropout);
        ops.embedBackward(
                gradients.tokenEmbedding,
                gradients.positionEmbedding,
                a.dresidual,
                shape.batch(),
                shape.sequence(),
                hidden);
    }

    private void keepGroupInput(Ops ops) {
        copy(ops, a.groupInputs, a.residual);
    }

    private void fetchGroupInput(Ops ops) {
        copy(ops, a.residual, a.groupInputs);
    }

    private void keepBlockInput(Ops ops) {
        copy(ops, a.blockInputs, a.residual);
    }

    private void fetchBlockInput(Ops ops) {
        copy(ops, a.residual, a.blockInputs);
    }

    private void zeroGradients(Ops ops) {
        ops.zero(gradients.all(), gradients.length());
    }

    // ---------------------------------------------------------------------------------------------- parts

    private int upWidth() {
        return config.isGpt2() ? intermediate : 2 * intermediate;
    }

    private void norm(Ops ops, Tensor out, Tensor mean, Tensor rstd, Tensor x, Tensor weight, Tensor bias) {
        if (config.isGpt2()) {
            ops.layerNorm(out, mean, rstd, x, weight, bias, rows, hidden, config.normEps());
        } else {
            ops.rmsNorm(out, rstd, x, weight, rows, hidden, config.normEps());
        }
    }

    /** Adds what flows back through a norm to the residual stream's gradient. */
    private void normBackward(
            Ops ops, Tensor dweight, Tensor dbias, Tensor x, Tensor mean, Tensor rstd, Tensor weight) {
        if (config.isGpt2()) {
            ops.layerNormBackward(a.dresidual, dweight, dbias, a.dnormed, x, mean, rstd, weight, rows, hidden);
        } else {
            ops.rmsNormBackward(a.dresidual, dweight, a.dnormed, x, rstd, weight, rows, hidden);
        }
    }

    private void linear(
            Ops ops,
            Block block,
            String kind,
            Tensor out,
            Tensor x,
            Tensor weight,
            Tensor bias,
            int inWidth,
            int outWidth,
            boolean training) {
        LowRank lowRank = block.adapters.get(kind);
        if (lowRank == null) {
            ops.linear(out, x, weight, bias, rows, inWidth, outWidth);
        } else {
            adapters.forward(ops, lowRank, out, x, weight, bias, training);
        }
    }

    private void linearBackward(
            Ops ops,
            Block block,
            String kind,
            Parameters d,
            Tensor dx,
            Tensor dweight,
            Tensor dbias,
            Tensor dout,
            Tensor x,
            Tensor weight,
            int inWidth,
            int outWidth) {
        LowRank lowRank = block.adapters.get(kind);
        if (lowRank != null) {
            adapters.backward(ops, lowRank, d, dx, dweight, dbias, dout, x, weight);
            return;
        }
        if (dweight != null || dbias != null) {
            ops.linearBackwardWeight(dweight, dbias, dout, x, rows, inWidth, outWidth);
        }
        ops.linearBackwardInput(dx, dout, weight, rows, inWidth, outWidth);
    }

    private void copy(Ops ops, Tensor out, Tensor x) {
        ops.copyColumns(Ops.Columns.of(out, hidden), Ops.Columns.of(x, hidden), rows, hidden, 1);
    }

    private void drop(Ops ops, Tensor out, Tensor x, Dropout dropout) {
        if (dropout.active()) {
            ops.dropout(out, x, rows, hidden, dropout);
        }
    }

    /** The residual stream's gradient as it enters a branch: through the branch's dropout, where there is one. */
    private Tensor dropped(Ops ops, Dropout dropout) {
        drop(ops, a.dbranch, a.dresidual, dropout);
        return dropout.active() ? a.dbranch : a.dresidual;
    }
}
