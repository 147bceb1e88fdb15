package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.training.optimizers.ParameterGroups.UpdateOfGroups;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * An exponential moving average of the weights (Polyak and Juditsky, 1992): it begins as the weights that the run begins
 * with, and after each update becomes decay * average + (1 - decay) * weights.
 */
public final class WeightAverage implements Follower {
    private final Engine engine;
    private final Inputs inputs;
    private final Parameters average;
    private final Program begin;
    private final UpdateOfGroups follow;
    private final State state;

    /** Allocates the average. */
    public WeightAverage(Engine engine, Transformer transformer, double decay) {
        this.engine = engine;
        inputs = transformer.inputs();
        Parameters weights = transformer.weights();
        ParameterLayout layout = weights.layout();
        average = new Parameters(engine, layout, "ema");
        begin = ops -> ops.combine(average.all(), weights.all(), weights.all(), layout.length(), 1, 0);
        follow = new ParameterGroups(engine, weights, transformer.gradients(), RateFactors.NONE)
                .update(_ -> true, (ops, group) -> {
                    Tensor mean = group.likeWeights(average.buffer());
                    ops.combine(mean, mean, group.weights(), group.length(), (float) decay, (float) (1 - decay));
                });
        // What is frozen stays as it began.
        Set<String> trained = transformer.gradients().layout().checkpointTensors().stream()
                .map(CheckpointTensor::name)
                .collect(Collectors.toSet());
        state = new State(
                "ema.",
                engine,
                average.buffer(),
                layout.checkpointTensors().stream()
                        .filter(tensor -> trained.contains(tensor.name()))
                        .toList());
    }

    @Override
    public void begin() {
        engine.run(begin, inputs, 0);
    }

    @Override
    public void follow() {
        follow.run(inputs, Stage.ALL);
    }

    @Override
    public State state() {
        return state;
    }

    /** The average, a model as the weights are. */
    public Parameters parameters() {
        return average;
    }
}
