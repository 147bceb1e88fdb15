package dev.whirlwind.model;

/**
 * What a backward pass computes again because the forward pass did not keep it (arXiv 1604.06174).
 *
 * @param attention what a block's attention leaves: its norm, queries, keys, values, output
 * @param mlp what its MLP leaves: its norm and what is between its two matrices
 * @param every of how many blocks' inputs one is kept, from which the others are found again; 1 to keep all. More than 1 only
 *     with both of the above
 */
public record Recompute(boolean attention, boolean mlp, int every) {
    /** Everything is kept. */
    public static final Recompute NOTHING = new Recompute(false, false, 1);

    /** Only blocks' inputs are kept. */
    public static final Recompute BLOCKS = new Recompute(true, true, 1);

    public Recompute {
        if (every < 1 || (every > 1 && !(attention && mlp))) {
            throw new IllegalArgumentException("every " + every);
        }
    }

    boolean blocks() {
        return attention && mlp;
    }

    /** Whether any block's forward pass runs again, in part or whole. */
    boolean any() {
        return attention || mlp;
    }

    /** How many of so many blocks' inputs are kept. */
    int kept(int layers) {
        return Math.ceilDiv(layers, every);
    }
}
