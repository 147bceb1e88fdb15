package dev.whirlwind.model;

import java.math.BigInteger;
import java.util.List;

/**
 * Sizes of a model's attention. A row of {@code qkv} holds all query heads, then all key heads, then all value heads.
 *
 * @param batch sequences
 * @param sequence tokens of each
 * @param heads query heads
 * @param kvHeads key/value heads; query head h reads key/value head {@code h / (heads / kvHeads)} (GQA, arXiv 2305.13245)
 * @param headDim size of one head
 * @param layers a pattern that repeats: layer l is as entry {@code l % layers.size()}
 */
public record AttentionShape(
        int batch, int sequence, int heads, int kvHeads, int headDim, List<AttentionLayer> layers) {
    /** Most tokens times heads: engines count rows, tiles and tasks by int, rounded up to whole ones. */
    private static final int MOST = 1 << 30;

    /** @throws UserException if the batch has more tokens than can be counted */
    public AttentionShape {
        layers = List.copyOf(layers);
        BigInteger queries =
                BigInteger.valueOf(batch).multiply(BigInteger.valueOf(sequence)).multiply(BigInteger.valueOf(heads));
        if (batch < 1 || sequence < 1 || queries.compareTo(BigInteger.valueOf(MOST)) > 0) {
            throw new UserException("a batch of " + batch + " sequences of " + sequence
                    + " tokens is not possible; with " + heads + " heads there can be 1 to " + MOST / heads
                    + " tokens: choose a smaller batch or sequence");
        }
    }

    /** All layers have the same window, and scores divided by the root of {@code headDim}. */
    public AttentionShape(int batch, int sequence, int heads, int kvHeads, int headDim, int window) {
        this(batch, sequence, heads, kvHeads, headDim, List.of(new AttentionLayer(window, headDim)));
    }

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

    /** What differs between layers. */
    public AttentionLayer layer(int layer) {
        return layers.get(layer % layers.size());
    }
}
