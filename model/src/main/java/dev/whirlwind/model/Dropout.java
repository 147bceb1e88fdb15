package dev.whirlwind.model;

/**
 * One dropout site (arXiv 1207.0580, inverted form): an element is kept, times 1 / (1 - p), with probability 1 - p.
 *
 * @param p probability of dropping an element, 0 to below 1; 0 means that the site does nothing
 * @param site which of a layer's sites draws the mask
 */
public record Dropout(float p, int site) {
    public static final int EMBEDDING = 0;
    public static final int ATTENTION = 1;
    public static final int ATTENTION_RESIDUAL = 2;
    public static final int MLP_RESIDUAL = 3;

    /** The first of those of adapters, one for each of the four linear layers of a block. All must be below 8. */
    public static final int ADAPTER = 4;

    /** A site that does nothing. */
    public static final Dropout NONE = new Dropout(0, 0);

    public Dropout {
        if (!(p >= 0 && p < 1)) {
            throw new IllegalArgumentException("dropout " + p + " is not in [0, 1)");
        }
    }

    public boolean active() {
        return p > 0;
    }

    /** An element is dropped when its 32 random bits, as an unsigned number, are below this. */
    public int threshold() {
        return (int) Math.round(p * 0x1p32);
    }

    /** What kept elements are multiplied by. */
    public float keptScale() {
        return 1 / (1 - p);
    }
}
