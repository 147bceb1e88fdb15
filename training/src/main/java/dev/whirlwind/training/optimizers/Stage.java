package dev.whirlwind.training.optimizers;

/**
 * Which of the parameters an update is of: all; or, where gradients are used up during the backward pass, a layer's, and at
 * last those that are no part of a layer.
 */
record Stage(int layer) {
    static final Stage ALL = new Stage(-1);

    static final Stage REST = new Stage(-2);

    boolean has(ParameterGroup group, int ofGroup) {
        return equals(ALL) || (group.perLayer() ? ofGroup == layer : equals(REST));
    }
}
