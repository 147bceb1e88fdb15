package dev.whirlwind.model;

import dev.whirlwind.model.ParameterLayout.Parameter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.json.JsonMapper;

/**
 * A model with more tokens: the embedding and the head get rows. A new token's row is the mean of the rows of the tokens that
 * its text had before, so that the model begins with something like its meaning. Rows that are only there to round a vocabulary
 * up are the mean of all.
 */
public final class VocabularyExtension {
    /** Rows are rounded up to the largest power of two, up to this, that divided them before. */
    private static final int ROUND = 64;

    private static final long PIECE = 1 << 20;
    private static final Set<String> WITH_ROWS = Set.of("token_embedding.weight", "head.weight");

    private VocabularyExtension() {}

    /**
     * The configuration of a model that has at least so many tokens. A vocabulary that is large enough already stays as it
     * is; one that was a round number stays one.
     */
    public static ModelConfig config(ModelConfig config, int tokens) {
        int old = config.vocabularySize();
        if (tokens <= old) {
            return config;
        }
        int multiple = Math.min(ROUND, Integer.lowestOneBit(old));
        int size = Math.ceilDiv(tokens, multiple) * multiple;
        return ModelConfig.parse(
                JsonMapper.shared().writeValueAsBytes(config.json().deepCopy().put("vocab_size", size)),
                "the extended config.json");
    }

    /**
     * The weights of the larger model.
     *
     * @param config as {@link #config} made it
     * @param first id of the first new token
     * @param pieces for each new token the old ones that its text had
     */
    public static Parameters extend(
            Engine engine, Parameters weights, ModelConfig config, int first, List<int[]> pieces) {
        ParameterLayout from = weights.layout();
        ParameterLayout to = new ParameterLayout(config);
        Parameters extended = new Parameters(engine, to, "extended weights");
        weights.download();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment scratch = arena.allocate(Float.BYTES * PIECE, Float.BYTES);
            for (Parameter p : from.parameters()) {
                Parameter larger = to.parameter(p.name());
                for (int layer = 0; layer < p.layers(); layer++) {
                    copy(weights.buffer(), p.offset(layer), extended.buffer(), larger.offset(layer), p.size(), scratch);
                }
                if (WITH_ROWS.contains(p.name())) {
                    fill(extended.buffer(), larger, first, p.rows(), pieces, arena);
                }
            }
        }
        extended.upload();
        return extended;
    }

    private static void copy(Buffer from, long at, Buffer to, long place, long count, MemorySegment scratch) {
        for (long done = 0; done < count; done += PIECE) {
            long piece = Math.min(PIECE, count - done);
            from.get(at + done, scratch, piece);
            to.put(place + done, scratch, piece);
        }
    }

    private static void fill(Buffer rows, Parameter p, int first, int old, List<int[]> pieces, Arena arena) {
        int width = p.columns();
        MemorySegment row = arena.allocate(Float.BYTES * (long) width, Float.BYTES);
        double[] all = new double[width];
        for (int id = 0; id < first; id++) {
            add(rows, p, id, all);
        }
        for (int id = first; id < p.rows(); id++) {
            boolean isNew = id < first + pieces.size();
            if (!isNew && id < old) {
                continue;
            }
            double[] sum = isNew ? new double[width] : all;
            int count = isNew ? pieces.get(id - first).length : first;
            if (isNew) {
                for (int piece : pieces.get(id - first)) {
                    add(rows, p, piece, sum);
                }
            }
            for (int i = 0; i < width; i++) {
                row.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) (sum[i] / count));
            }
            rows.put(p.offset() + (long) id * width, row, width);
        }
    }

    private static void add(Buffer rows, Parameter p, int id, double[] sum) {
        for (int i = 0; i < sum.length; i++) {
            sum[i] += rows.at(p.offset() + (long) id * sum.length + i);
        }
    }
}
