package dev.whirlwind.model;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/**
 * Fresh weights: matrices normal with the configuration's initializer_range, norm weights 1, biases 0. GPT-2 divides
 * the range of the matrices that add to the residual stream by sqrt(2 * layers) (Radford et al. 2019, section 2.3).
 */
public final class Initializer {
    /** Floats that are made at a time. */
    private static final int PIECE = 1 << 20;

    private Initializer() {}

    /**
     * Fills adapters so that they change nothing yet, as PEFT does: A uniform within 1 / sqrt(in), B zero, magnitudes the norms
     * of the weight's rows.
     */
    public static void initializeAdapters(Parameters weights, long seed) {
        weights.download();
        RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
        Buffer arena = weights.buffer();
        ParameterLayout layout = weights.layout();
        for (LowRank r : layout.lowRanks()) {
            ParameterLayout.Parameter a = layout.parameter(r.a());
            ParameterLayout.Parameter kind = layout.parameter(r.kind());
            float bound = (float) (1 / Math.sqrt(r.inWidth()));
            for (int layer : r.layers()) {
                fill(arena, a.offset(layer), a.size(), () -> bound * (2 * random.nextFloat() - 1));
                for (int part = 0; part < r.parts().size(); part++) {
                    LowRank.Part p = r.parts().get(part);
                    ParameterLayout.Parameter b = layout.parameter(r.b(part));
                    fill(arena, b.offset(layer), b.size(), () -> 0f);
                    if (p.lora().magnitudes()) {
                        long from = kind.offset(layer) + (long) p.firstRow() * r.inWidth();
                        norms(
                                arena,
                                from,
                                r.inWidth(),
                                layout.parameter(r.magnitudes(part)).offset(layer),
                                p.rows());
                    }
                }
            }
        }
        weights.upload();
    }

    /** The norms of a matrix's rows, as floats that lie at {@code to}. */
    private static void norms(Buffer arena, long matrix, int width, long to, int rows) {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment row = scratch.allocate(4L * width, 64);
            MemorySegment norms = scratch.allocate(4L * rows, 64);
            for (int r = 0; r < rows; r++) {
                arena.get(matrix + (long) r * width, row, width);
                double squares = 0;
                for (int i = 0; i < width; i++) {
                    double value = row.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                    squares += value * value;
                }
                norms.setAtIndex(ValueLayout.JAVA_FLOAT, r, (float) Math.sqrt(squares));
            }
            arena.put(to, norms, rows);
        }
    }

    private static void fill(Buffer arena, long offset, long count, Supplier<Float> values) {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment floats = scratch.allocate(4 * Math.min(count, PIECE), 64);
            for (long first = 0; first < count; first += PIECE) {
                long piece = Math.min(PIECE, count - first);
                for (long i = 0; i < piece; i++) {
                    floats.setAtIndex(ValueLayout.JAVA_FLOAT, i, values.get());
                }
                arena.put(offset + first, floats, piece);
            }
        }
    }

    /** Fills the weights; the same seed gives the same bits. */
    public static void initialize(Parameters weights, long seed) {
        ModelConfig config = weights.config();
        RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
        for (ParameterLayout.Parameter parameter : weights.layout().parameters()) {
            double range = config.initializerRange();
            if (config.isGpt2()
                    && (parameter.name().equals("attention.out.weight")
                            || parameter.name().equals("mlp.down.weight"))) {
                range /= Math.sqrt(2.0 * config.layers());
            }
            boolean scale = !parameter.decayed() && parameter.name().endsWith("weight");
            double deviation = range;
            for (int layer = 0; layer < parameter.layers(); layer++) {
                fill(
                        weights.buffer(),
                        parameter.offset(layer),
                        parameter.size(),
                        () -> parameter.decayed() ? (float) (random.nextGaussian() * deviation) : scale ? 1f : 0f);
            }
        }
        weights.upload();
    }
}
