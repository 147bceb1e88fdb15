package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import dev.whirlwind.model.Transformer;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** AdamW with clipping by global norm; weight decay acts on the parameters with two or more dimensions only. */
public final class Optimizer {
    private final Engine engine;
    private final Parameters weights;
    private final Parameters gradients;
    private final Parameters m;
    private final Parameters v;
    private final Inputs inputs;
    private final Tensor partials;
    private final AdamW settings;
    private final double clip;
    private final Program squares = this::squares;
    private final Program update = this::update;
    private long updates;

    /**
     * Allocates the moments.
     *
     * @param clip largest global L2 norm of the gradient; 0 for no clipping
     */
    public Optimizer(Engine engine, Transformer transformer, AdamW settings, double clip) {
        this.engine = engine;
        this.settings = settings;
        this.clip = clip;
        weights = transformer.weights();
        gradients = transformer.gradients();
        inputs = transformer.inputs();
        m = new Parameters(engine, weights.layout(), "adamw.m");
        v = new Parameters(engine, weights.layout(), "adamw.v");
        partials = new Tensor(engine.allocate("gradient.squares", Ops.PARTIALS), 0, 0);
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
        inputs.biasCorrection1 = (float) (1 - Math.pow(settings.beta1(), (double) updates));
        inputs.biasCorrection2 = (float) (1 - Math.pow(settings.beta2(), (double) updates));
        inputs.gradientScale = clip == 0 ? 1 : (float) Math.min(1, clip / (gradientNorm + 1e-6));
        engine.run(update, inputs, 0);
    }

    /** AdamW's mean of gradients. */
    public Parameters m() {
        return m;
    }

    /** AdamW's mean of squared gradients. */
    public Parameters v() {
        return v;
    }

    /** Updates done, which the bias corrections depend on. */
    public long updates() {
        return updates;
    }

    public void resumeAfter(long updates) {
        this.updates = updates;
    }

    private void squares(Ops ops) {
        ops.sumOfSquares(partials, gradients.all(), gradients.layout().length());
    }

    private void update(Ops ops) {
        ParameterLayout layout = weights.layout();
        long decayed = layout.decayedLength();
        ops.adamw(weights.all(), gradients.all(), m.all(), v.all(), decayed, settings);
        ops.adamw(
                weights.all().skip(decayed),
                gradients.all().skip(decayed),
                m.all().skip(decayed),
                v.all().skip(decayed),
                layout.length() - decayed,
                new AdamW(settings.beta1(), settings.beta2(), settings.eps(), 0));
    }
}
