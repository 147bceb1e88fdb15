package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Program;

/**
 * An exponential moving average of the weights (Polyak and Juditsky, 1992): it begins as the weights that the run begins
 * with, and after each update becomes decay * average + (1 - decay) * weights.
 */
public final class WeightAverage implements Follower {
    private final Engine engine;
    private final Inputs inputs;
    private final Parameters average;
    private final Program begin;
    private final Program follow;

    /** Allocates the average. */
    public WeightAverage(Engine engine, Parameters weights, Inputs inputs, double decay) {
        this.engine = engine;
        this.inputs = inputs;
        average = new Parameters(engine, weights.layout(), "ema");
        long length = weights.layout().length();
        begin = ops -> ops.combine(average.all(), weights.all(), weights.all(), length, 1, 0);
        follow = ops ->
                ops.combine(average.all(), average.all(), weights.all(), length, (float) decay, (float) (1 - decay));
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
        return State.of("ema.", engine, average);
    }

    /** The average, a model as the weights are. */
    public Parameters parameters() {
        return average;
    }
}
