package dev.whirlwind.model;

/**
 * Uses gradients up as a backward pass finds them, so that layers' need the memory of one layer only (LOMO, arXiv
 * 2306.09782). What it was told of it leaves zero.
 */
public interface GradientUser {
    /**
     * After the forward pass.
     *
     * @param nll summed negative log-likelihood
     * @return whether the gradients are wanted
     */
    boolean wants(double nll);

    /** The gradients of a layer are whole. */
    void layer(int layer);

    /** Those of what is no part of a layer are whole; the last call of a pass. */
    void rest();
}
