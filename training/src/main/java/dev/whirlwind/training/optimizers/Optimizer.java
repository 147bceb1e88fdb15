package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import dev.whirlwind.model.Transformer;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** Turns gradients into updates of the weights: clipping by global norm, then a rule. */
public final class Optimizer {
    private final Engine engine;
    private final Parameters gradients;
    private final Inputs inputs;
    private final Tensor partials;
    private final UpdateRule rule;
    private final double clip;
    private final Program squares = this::squares;
    private long updates;

    /**
     * Allocates what the rule remembers.
     *
     * @param clip largest global L2 norm of the gradient; 0 for no clipping
     */
    public Optimizer(Engine engine, Transformer transformer, UpdateRule.Kind kind, double clip) {
        this.engine = engine;
        this.clip = clip;
        gradients = transformer.gradients();
        inputs = transformer.inputs();
        rule = kind.on(engine, transformer.weights(), gradients);
        partials = new Tensor(engine.allocate("gradient.squares", Ops.PARTIALS), 0, 0);
    }

    /** AdamW. */
    public Optimizer(Engine engine, Transformer transformer, AdamW settings, double clip) {
        this(engine, transformer, AdamWRule.of(settings), clip);
    }

    /** The global L2 norm of the gradient. */
    public double gradientNorm() {
        engine.run(squares, inputs, 0);
        MemorySegment sums = engine.host(partials, Ops.PARTIALS);
        double total = 0;
        for (int i = 0; i < Ops.PARTIALS; i++) {
            total += sums.getAtIndex(ValueLayout.JAVA_FLOAT, i);
        }
        return Math.sqrt(total);
    }

    /**
     * Updates the weights and leaves the gradients zero.
     *
     * @param gradientNorm what {@link #gradientNorm} gave
     */
    public void update(double learningRate, double gradientNorm) {
        updates++;
        inputs.learningRate = (float) learningRate;
        inputs.gradientScale = clip == 0 ? 1 : (float) Math.min(1, clip / (gradientNorm + 1e-6));
        rule.update(inputs, updates);
    }

    /** What the rule remembers. */
    public List<State> state() {
        return rule.state();
    }

    /** Updates done, which rules depend on. */
    public long updates() {
        return updates;
    }

    public void resumeAfter(long updates) {
        this.updates = updates;
    }

    private void squares(Ops ops) {
        ops.sumOfSquares(partials, gradients.all(), gradients.layout().length());
    }
}
