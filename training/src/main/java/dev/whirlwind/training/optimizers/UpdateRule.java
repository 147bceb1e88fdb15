package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.Inputs;
import java.util.List;

/** A formula by which gradients change the weights, and what it remembers from step to step. */
public interface UpdateRule {
    /** A formula with its settings, before it has any memory. */
    @FunctionalInterface
    interface Kind {
        /** Allocates what is remembered, as zeros. */
        UpdateRule on(ParameterGroups groups);
    }

    /**
     * Changes the weights, and leaves the gradients zero.
     *
     * @param inputs with the learning rate and what gradients are multiplied by first
     * @param t the number of this update, from 1
     * @param stage which of them
     */
    void update(Inputs inputs, long t, Stage stage);

    /** All that the next updates depend on, but the weights. */
    List<State> state();
}
