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
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Turns gradients into updates of the weights: clipping by global norm, then a rule. */
public final class Optimizer {
    private final Engine engine;
    private final Parameters gradients;
    private final Inputs inputs;
    private final Tensor partials;
    private final UpdateRule rule;
    private final double clip;
    private final Program squares = this::squares;

    /** Sets to zero what was computed for frozen parts of fused matrices. */
    private final List<Forget> forgotten;

    private long updates;

    private record Forget(Program zero, int layer) {}

    /**
     * Allocates what the rule remembers.
     *
     * @param factors of the learning rate
     * @param clip largest global L2 norm of the gradient; 0 for no clipping
     */
    public Optimizer(Engine engine, Transformer transformer, UpdateRule.Kind kind, RateFactors factors, double clip) {
        this.engine = engine;
        this.clip = clip;
        gradients = transformer.gradients();
        inputs = transformer.inputs();
        ParameterGroups groups = new ParameterGroups(engine, transformer.weights(), gradients, factors);
        rule = kind.on(groups);
        forgotten = groups.parts().stream().flatMap(Optimizer::forgotten).toList();
        partials = new Tensor(engine.allocate("gradient.squares", Ops.PARTIALS), 0, 0);
    }

    /** AdamW. */
    public Optimizer(Engine engine, Transformer transformer, AdamW settings, double clip) {
        this(engine, transformer, AdamWRule.of(settings), RateFactors.NONE, clip);
    }

    private static Stream<Forget> forgotten(ParameterGroup part) {
        Program zero = ops -> ops.zero(part.gradients(), part.length());
        return IntStream.range(0, part.factors().size())
                .filter(i -> part.factors().get(i) == 0)
                .mapToObj(i -> new Forget(zero, part.firstLayer() + i));
    }

    /** The global L2 norm of the gradient. */
    public double gradientNorm() {
        forgotten.forEach(part -> engine.run(part.zero(), inputs, part.layer()));
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
