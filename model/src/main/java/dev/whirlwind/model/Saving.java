package dev.whirlwind.model;

/**
 * How training saves memory.
 *
 * @param oneLayersGradients gradients of layers have memory of one layer, and are used up during the backward pass
 */
public record Saving(Recompute recompute, boolean oneLayersGradients) {
    /** Not at all. */
    public static final Saving NOTHING = of(Recompute.NOTHING);

    /** By computing again only. */
    public static Saving of(Recompute recompute) {
        return new Saving(recompute, false);
    }
}
