package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.training.optimizers.ParameterGroups.UpdateOfGroups;

/**
 * The weights that the run began with, and what pulls those that are trained towards them.
 *
 * <p>All weights alike (L2-SP, arXiv 1802.01483): apart from the gradient, as AdamW's weight decay is, so that no optimizer
 * rescales it: after each update, p -= lr * strength * (p - start).
 *
 * <p>Each by its importance F (elastic weight consolidation, arXiv 1612.00796): as the gradient of weight / 2 * sum(F (p -
 * start)^2), clipped and scaled with the loss's. Importances differ by many orders of magnitude: apart from the gradient, a
 * step of lr * weight * F above 2 would throw its weight further off each time.
 */
public final class Anchor implements Follower {
    private final Engine engine;
    private final Inputs inputs;
    private final Parameters start;
    private final UpdateOfGroups begin;
    private final UpdateOfGroups pull;
    private final UpdateOfGroups follow;

    /**
     * Allocates a copy of what is trained.
     *
     * @param strength of the pull that is the same for all; 0 for none
     * @param importance of the same layout as the weights; null for none
     */
    public Anchor(Engine engine, Transformer transformer, double strength, Parameters importance, double weight) {
        this.engine = engine;
        inputs = transformer.inputs();
        Parameters gradients = transformer.gradients();
        ParameterGroups trained = new ParameterGroups(engine, transformer.weights(), gradients, RateFactors.NONE);
        start = new Parameters(engine, gradients.layout(), "anchor");
        begin = trained.update(
                _ -> true,
                (ops, group) ->
                        ops.combine(group.in(start.buffer()), group.weights(), group.weights(), group.length(), 1, 0));
        pull = importance == null
                ? null
                : trained.update(
                        _ -> true,
                        (ops, group) -> ops.pull(
                                group.gradients(),
                                group.likeWeights(importance.buffer()),
                                group.weights(),
                                group.in(start.buffer()),
                                group.length(),
                                (float) weight));
        follow = strength == 0
                ? null
                : trained.update(
                        _ -> true,
                        (ops, group) -> ops.descend(
                                group.weights(), group.in(start.buffer()), group.length(), (float) -strength, (float)
                                        strength));
    }

    @Override
    public void begin() {
        begin.run(inputs, Stage.ALL);
    }

    @Override
    public void pull() {
        if (pull != null) {
            pull.run(inputs, Stage.ALL);
        }
    }

    @Override
    public void follow() {
        if (follow != null) {
            follow.run(inputs, Stage.ALL);
        }
    }

    @Override
    public State state() {
        return State.of("anchor.", engine, start);
    }
}
