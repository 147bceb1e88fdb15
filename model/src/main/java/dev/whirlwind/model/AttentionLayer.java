package dev.whirlwind.model;

/**
 * What may differ between the attentions of a model's layers.
 *
 * @param window how many latest keys, itself included, a query sees (Mistral, arXiv 2310.06825); 0 for all
 * @param squaredDivisor scores are divided by the root of this: most often head_dim
 */
public record AttentionLayer(int window, int squaredDivisor) {
    public AttentionLayer {
        if (window < 0 || squaredDivisor < 1) {
            throw new IllegalArgumentException("window " + window + ", squared divisor " + squaredDivisor);
        }
    }

    /** What scores are multiplied by. */
    public float scale() {
        return (float) (1 / Math.sqrt(squaredDivisor));
    }

    /** First key that the query at {@code position} sees. */
    public int firstKey(int position) {
        return window == 0 ? 0 : Math.max(0, position - window + 1);
    }
}
