package dev.whirlwind.training.optimizers;

/** Something that is done after every update of the weights. */
public interface Follower {
    /** Starts from the weights as they are now. */
    void begin();

    /** Follows an update, at its learning rate. */
    void follow();

    /** What it remembers. */
    State state();
}
