package dev.whirlwind.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/**
 * Fresh weights: matrices normal with the configuration's initializer_range, norm weights 1, biases 0. GPT-2 divides
 * the range of the matrices that add to the residual stream by sqrt(2 * layers) (Radford et al. 2019, section 2.3).
 */
public final class Initializer {
    private Initializer() {}

    /**
     * Fills adapters so that they change nothing yet, as PEFT does: A uniform within 1 / sqrt(in), B zero, magnitudes the norms
     * of the weight's rows.
     */
    public static void initializeAdapters(Parameters weights, long seed) {
        weights.download();
        RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
        MemorySegment arena = weights.buffer().segment();
        ParameterLayout layout = weights.layout();
        for (LowRank r : layout.lowRanks()) {
            ParameterLayout.Parameter a = layout.parameter(r.a());
            ParameterLayout.Parameter kind = layout.parameter(r.kind());
            float bound = (float) (1 / Math.sqrt(r.inWidth()));
            for (int layer : r.layers()) {
                for (long i = a.offset(layer); i < a.offset(layer) + a.size(); i++) {
                    arena.setAtIndex(ValueLayout.JAVA_FLOAT, i, bound * (2 * random.nextFloat() - 1));
                }
                for (int part = 0; part < r.parts().size(); part++) {
                    LowRank.Part p = r.parts().get(part);
                    ParameterLayout.Parameter b = layout.parameter(r.b(part));
                    arena.asSlice(4 * b.offset(layer), 4 * b.size()).fill((byte) 0);
                    if (p.lora().magnitudes()) {
                        long to = layout.parameter(r.magnitudes(part)).offset(layer);
                        long from = kind.offset(layer) + (long) p.firstRow() * r.inWidth();
                        for (int row = 0; row < p.rows(); row++) {
                            float norm = norm(arena, from + (long) row * r.inWidth(), r.inWidth());
                            arena.setAtIndex(ValueLayout.JAVA_FLOAT, to + row, norm);
                        }
                    }
                }
            }
        }
        weights.upload();
    }

    private static float norm(MemorySegment arena, long start, int count) {
        double squares = 0;
        for (long i = start; i < start + count; i++) {
            double value = arena.getAtIndex(ValueLayout.JAVA_FLOAT, i);
            squares += value * value;
        }
        return (float) Math.sqrt(squares);
    }

    /** Fills the weights; the same seed gives the same bits. */
    public static void initialize(Parameters weights, long seed) {
        ModelConfig config = weights.config();
        RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
        MemorySegment arena = weights.buffer().segment();
        for (ParameterLayout.Parameter parameter : weights.layout().parameters()) {
            double range = config.initializerRange();
            if (config.isGpt2()
                    && (parameter.name().equals("attention.out.weight")
                            || parameter.name().equals("mlp.down.weight"))) {
                range /= Math.sqrt(2.0 * config.layers());
            }
            boolean scale = !parameter.decayed() && parameter.name().endsWith("weight");
            for (int layer = 0; layer < parameter.layers(); layer++) {
                long start = parameter.offset() + layer * parameter.stride();
                for (long i = start; i < start + parameter.size(); i++) {
                    float value = parameter.decayed() ? (float) (random.nextGaussian() * range) : scale ? 1 : 0;
                    arena.setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
                }
            }
        }
        weights.upload();
    }
}
