package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Program;

/**
 * A pull of all weights towards those that the run began with (L2-SP, arXiv 1802.01483), apart from the gradient as AdamW's
 * weight decay is, so that no optimizer rescales it: after each update, p -= lr * strength * (p - start).
 */
public final class Anchor implements Follower {
    private final Engine engine;
    private final Inputs inputs;
    private final Parameters start;
    private final Program begin;
    private final Program follow;

    /** Allocates a copy of the weights. */
    public Anchor(Engine engine, Parameters weights, Inputs inputs, double strength) {
        this.engine = engine;
        this.inputs = inputs;
        start = new Parameters(engine, weights.layout(), "anchor");
        long length = weights.layout().length();
        begin = ops -> ops.combine(start.all(), weights.all(), weights.all(), length, 1, 0);
        follow = ops -> ops.descend(weights.all(), start.all(), length, (float) -strength, (float) strength);
    }

    @Override
    public void begin() {
        engine.run(begin, inputs, 0);
    }

    @Override
    public void follow() {
        engine.run(follow, inputs, 0);
    }

    @Override
    public State state() {
        return State.of("anchor.", engine, start);
    }
}
