package dev.whirlwind.cli.cost;

import dev.whirlwind.model.AttentionShape;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;

/** Floating-point operations that a model needs, whatever an engine makes of it; a multiply-add is two. */
public final class ModelFlops {
    private ModelFlops() {}

    /**
     * A step's forward and backward pass: 6 per matrix parameter and token (Kaplan et al., arXiv 2001.08361, section 2.1;
     * the head's included, embeddings as such not) and three times the forward attention.
     */
    public static double step(ModelConfig config, int batch, int sequence) {
        AttentionShape shape = config.attention(batch, sequence);
        double attention = 0;
        for (int layer = 0; layer < config.layers(); layer++) {
            attention += attention(shape, layer);
        }
        return 6.0 * matrices(config) * shape.rows() + 3 * attention;
    }

    /** Parameters of the blocks' matrices and the head. */
    public static long matrices(ModelConfig config) {
        long matrices = (long) config.vocabularySize() * config.hiddenSize();
        for (ParameterLayout.Parameter p : new ParameterLayout(config).parameters()) {
            matrices += p.decayed() && p.stride() > 0 ? p.layers() * p.size() : 0;
        }
        return matrices;
    }

    /** Forward attention: scores and weighted values, 4 per head float and key that a query sees. */
    public static double attention(AttentionShape shape, int layer) {
        double keys = 0;
        for (int t = 0; t < shape.sequence(); t++) {
            keys += t + 1 - shape.layer(layer).firstKey(t);
        }
        return 4 * keys * shape.batch() * shape.outWidth();
    }
}
