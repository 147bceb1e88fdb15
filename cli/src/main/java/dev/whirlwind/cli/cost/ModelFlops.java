package dev.whirlwind.cli.cost;

import dev.whirlwind.model.AttentionShape;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.ParameterLayout.Parameter;
import java.util.function.Predicate;

/** Floating-point operations that a model needs, whatever an engine makes of it; a multiply-add is two. */
public final class ModelFlops {
    private ModelFlops() {}

    /**
     * A step's forward and backward pass: 6 per matrix parameter and token (Kaplan et al., arXiv 2001.08361, section 2.1;
     * the head's included, embeddings as such not) and three times the forward attention.
     */
    public static double step(ModelConfig config, int batch, int sequence) {
        return step(new ParameterLayout(config), batch, sequence, _ -> true);
    }

    /** The same where some parameters are frozen: 2 less for each of these, and the forward pass alone below the lowest trained. */
    public static double step(ParameterLayout layout, int batch, int sequence, Predicate<String> trained) {
        ModelConfig config = layout.config();
        AttentionShape shape = config.attention(batch, sequence);
        ParameterLayout chosen = layout.only(trained);
        int lowest = chosen.lowestLayer();
        double parameters = 4.0 * config.vocabularySize() * config.hiddenSize();
        double attention = 0;
        for (int layer = 0; layer < config.layers(); layer++) {
            parameters += (layer < lowest ? 2.0 : 4.0) * matrices(layout) / config.layers();
            attention += (layer < lowest ? 1 : 3) * attention(shape, layer);
        }
        String head = config.tied() ? "token_embedding.weight" : "head.weight";
        for (Parameter p : chosen.parts()) {
            parameters += isMatrix(p) || p.name().equals(head) ? 2.0 * p.layers() * p.size() : 0;
        }
        return parameters * shape.rows() + attention;
    }

    private static boolean isMatrix(Parameter p) {
        return p.decayed() && p.perLayer();
    }

    /** Parameters of the blocks' matrices and the head. */
    public static long matrices(ModelConfig config) {
        return (long) config.vocabularySize() * config.hiddenSize() + matrices(new ParameterLayout(config));
    }

    private static long matrices(ParameterLayout layout) {
        return layout.parameters().stream()
                .filter(ModelFlops::isMatrix)
                .mapToLong(p -> p.layers() * p.size())
                .sum();
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
