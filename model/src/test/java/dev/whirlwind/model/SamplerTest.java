package dev.whirlwind.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Comparator;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SamplerTest {
    private static final int DRAWS = 20_000;

    /** Probabilities 0.5, 0.25, 0.15, 0.1 in the order 2, 0, 3, 1. */
    private final MemorySegment logits = MemorySegment.ofArray(
            new float[] {(float) Math.log(0.25), (float) Math.log(0.1), (float) Math.log(0.5), (float) Math.log(0.15)});

    private double[] shares(double temperature, int topK, double topP) {
        Sampler sampler = new Sampler(temperature, topK, topP, 7);
        double[] shares = new double[4];
        IntStream.range(0, DRAWS).forEach(i -> shares[sampler.sample(logits, 4)] += 1.0 / DRAWS);
        return shares;
    }

    @Test
    void drawsInProportion() {
        assertThat(shares(1, 0, 1)).containsExactly(new double[] {0.25, 0.1, 0.5, 0.15}, within(0.015));
    }

    @Test
    void temperatureSharpens() {
        // Squared and normalised: 0.0625, 0.01, 0.25, 0.0225 over 0.345.
        assertThat(shares(0.5, 0, 1)).containsExactly(new double[] {0.181, 0.029, 0.725, 0.065}, within(0.015));
    }

    @Test
    void topKKeepsTheLikeliest() {
        assertThat(shares(1, 2, 1)).containsExactly(new double[] {1 / 3.0, 0, 2 / 3.0, 0}, within(0.015));
    }

    @Test
    void topPKeepsTheNucleus() {
        // 0.5 + 0.25 reaches 0.7; the third is not needed.
        assertThat(shares(1, 0, 0.7)).containsExactly(new double[] {1 / 3.0, 0, 2 / 3.0, 0}, within(0.015));
        assertThat(shares(1, 0, 0.4)).containsExactly(new double[] {0, 0, 1, 0}, within(1e-9));
    }

    /** Scores that all are far from 0, of which no exponential is a number. */
    @ParameterizedTest
    @ValueSource(floats = {-3000, 3000})
    void onlyDifferencesOfScoresCount(float shift) {
        for (int i = 0; i < 4; i++) {
            logits.setAtIndex(ValueLayout.JAVA_FLOAT, i, logits.getAtIndex(ValueLayout.JAVA_FLOAT, i) + shift);
        }
        assertThat(shares(1, 0, 1)).containsExactly(new double[] {0.25, 0.1, 0.5, 0.15}, within(0.015));
    }

    @Test
    void ranksAsASortDoes() {
        float[] many = new float[1000];
        Random random = new Random();
        for (int i = 0; i < many.length; i++) {
            many[i] = random.nextInt(400) - 200;
        }
        for (int k : new int[] {1, 2, 17, 500, 999}) {
            Set<Integer> expected = IntStream.range(0, many.length)
                    .boxed()
                    .sorted(Comparator.comparingDouble(i -> -many[i]))
                    .limit(k)
                    .collect(Collectors.toSet());
            Sampler sampler = new Sampler(1e6, k, 1, random.nextLong());
            for (int draw = 0; draw < 200; draw++) {
                assertThat(expected).contains(sampler.sample(MemorySegment.ofArray(many), many.length));
            }
        }
    }

    @Test
    void greedyTakesTheFirstOfTheLikeliest() {
        assertThat(Sampler.greedy().sample(MemorySegment.ofArray(new float[] {1, 3, 3}), 3))
                .isOne();
    }

    @Test
    void scoresThatAreNoNumbers() {
        for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
            MemorySegment logits = MemorySegment.ofArray(new float[] {1, bad, 3});
            for (Sampler sampler :
                    new Sampler[] {Sampler.greedy(), new Sampler(1, 0, 1, 0), new Sampler(1, 2, 0.5, 0)}) {
                assertThatThrownBy(() -> sampler.sample(logits, 3))
                        .isInstanceOf(UserException.class)
                        .hasMessageContaining("not finite");
            }
        }
        // What may not be drawn may well be.
        assertThat(Sampler.greedy().sample(MemorySegment.ofArray(new float[] {Float.NEGATIVE_INFINITY, 1}), 2))
                .isOne();
    }

    @Test
    void refusesNonsense() {
        assertThatThrownBy(() -> new Sampler(-1, 0, 1, 0)).isInstanceOf(UserException.class);
        assertThatThrownBy(() -> new Sampler(1, -1, 1, 0)).isInstanceOf(UserException.class);
        assertThatThrownBy(() -> new Sampler(1, 0, 0, 0)).isInstanceOf(UserException.class);
    }
}
