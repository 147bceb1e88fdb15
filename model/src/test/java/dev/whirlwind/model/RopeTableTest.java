package dev.whirlwind.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Rotations that depend on a text's length. The frequencies of one length are tested by the golden cases. */
class RopeTableTest {
    private static final int POSITIONS = 40;
    private static final int PAIRS = 4;

    /** A prompt has the rotations of its length, each token after it those of a text that ends there. */
    @Test
    void dynamic() {
        Rope rope = new Rope(10_000, new RopeScaling.Dynamic(2, 16));
        try (Engine engine = new ReferenceEngine()) {
            RopeTable table = new RopeTable(engine, rope, POSITIONS, PAIRS);
            for (int prompt : new int[] {5, 20, 5, POSITIONS}) {
                table.use(prompt);
                for (int position : new int[] {3, 15, 16, 25, POSITIONS - 1}) {
                    int length = Math.max(16, Math.max(prompt, position + 1));
                    double base = 10_000 * Math.pow(2 * length / 16.0 - 1, 4 / 3.0);
                    assertThat(cosine(table, position, PAIRS - 1))
                            .as("position %d after %d", position, prompt)
                            .isCloseTo(Math.cos(position * Math.pow(base, -0.75)), within(1e-7));
                }
            }
        }
    }

    @Test
    void longRope() {
        List<Double> two = List.of(2.0, 2.0, 2.0, 2.0);
        List<Double> three = List.of(3.0, 3.0, 3.0, 3.0);
        Rope rope = new Rope(10_000, new RopeScaling.LongRope(two, three, 2.5, 16, 1.5));
        try (Engine engine = new ReferenceEngine()) {
            RopeTable table = new RopeTable(engine, rope, POSITIONS, PAIRS);
            table.ready();
            assertThat(cosine(table, 3, 0)).isCloseTo(1.5 * Math.cos(3 / 3.0), within(1e-6));
            table.use(16);
            assertThat(cosine(table, 3, 0)).isCloseTo(1.5 * Math.cos(3 / 2.0), within(1e-6));
            assertThat(cosine(table, 15, 0)).isCloseTo(1.5 * Math.cos(15 / 2.0), within(1e-6));
            assertThat(cosine(table, 16, 0)).isCloseTo(1.5 * Math.cos(16 / 3.0), within(1e-6));
        }
    }

    private static double cosine(RopeTable table, int position, int pair) {
        return table.cos.buffer().segment().getAtIndex(ValueLayout.JAVA_FLOAT, (long) position * PAIRS + pair);
    }
}
