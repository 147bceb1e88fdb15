package dev.whirlwind.model;

/**
 * Sizes of one attention. A row of {@code qkv} holds all query heads, then all key heads, then all value heads.
 *
 * @param batch sequences
 * @param sequence tokens of each
 * @param heads query heads
 * @param kvHeads key/value heads; query head h reads key/value head {@code h / (heads / kvHeads)} (GQA, arXiv 2305.13245)
 * @param headDim size of one head
 * @param window how many latest keys, itself included, a query sees (Mistral, arXiv 2310.06825); 0 for all
 */
public record AttentionShape(int batch, int sequence, int heads, int kvHeads, int headDim, int window) {
    /** Tokens of the batch. */
    public int rows() {
        return batch * sequence;
    }

    /** Floats in a row of qkv. */
    public int qkvWidth() {
        return (heads + 2 * kvHeads) * headDim;
    }

    /** Floats in a row of the attention's output. */
    public int outWidth() {
        return heads * headDim;
    }

    /** First key float in a row of qkv. */
    public int keyOffset() {
        return heads * headDim;
    }

    /** First value float in a row of qkv. */
    public int valueOffset() {
        return (heads + kvHeads) * headDim;
    }

    /** Scores are scaled by 1 / sqrt(head_dim). */
    public float scale() {
        return (float) (1 / Math.sqrt(headDim));
    }

    /** First key that the query at {@code position} sees. */
    public int firstKey(int position) {
        return window == 0 ? 0 : Math.max(0, position - window + 1);
    }
}
