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
