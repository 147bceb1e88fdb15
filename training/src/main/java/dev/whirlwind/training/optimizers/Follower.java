package dev.whirlwind.training.optimizers;

/** Something that is done before or after every update of the weights. */
public interface Follower {
    /** Starts from the weights as they are now. */
    void begin();

    /** Adds to the gradients of a step, before they are measured and clipped. */
    default void pull() {}

    /** Follows an update, at its learning rate. */
    void follow();

    /** What it remembers. */
    State state();
}
