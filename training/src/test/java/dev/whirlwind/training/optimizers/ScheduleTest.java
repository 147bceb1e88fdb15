package dev.whirlwind.training.optimizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.training.metrics.Json;
import dev.whirlwind.training.optimizers.Schedule.Fall;
import dev.whirlwind.training.optimizers.Schedule.Shape;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

class ScheduleTest {
    @Test
    void cosineIsPyTorchsToTheLastBit() throws IOException {
        JsonNode golden;
        try (InputStream in = getClass().getResourceAsStream("/golden/gpt2/expected.json")) {
            golden = Json.MAPPER.readTree(in).get("trajectory");
        }
        int steps = golden.get("steps").intValue();
        Schedule schedule = new Schedule(
                Shape.COSINE,
                steps,
                golden.get("warmup").intValue(),
                0,
                golden.get("max_lr").doubleValue(),
                golden.get("min_lr").doubleValue());
        for (int s = 0; s < steps; s++) {
            assertThat(schedule.at(s))
                    .as("step %d", s)
                    .isCloseTo(golden.get("lr").get(s).doubleValue(), within(1e-18));
        }
    }

    @Test
    void everyShapeWarmsUpReachesItsPeakAndStaysInRange() {
        for (Shape shape : Shape.values()) {
            Schedule schedule = new Schedule(shape, 1000, 37, 150, 3e-4, 3e-5);
            assertThat(schedule.at(0)).as("%s", shape).isCloseTo(3e-4 / 37, within(1e-18));
            assertThat(schedule.at(36)).as("%s", shape).isCloseTo(3e-4, within(1e-18));
            assertThat(schedule.at(37)).as("%s", shape).isCloseTo(3e-4, within(1e-18));
            assertThat(schedule.at(1000))
                    .as("%s", shape)
                    .isCloseTo(
                            switch (shape) {
                                case CONSTANT -> 3e-4;
                                case INVERSE_SQRT -> 3e-4 * Math.sqrt(37.0 / 1000);
                                default -> 3e-5;
                            },
                            within(1e-18));
            for (int s = 37; s < 1000; s++) {
                double fall = schedule.at(s) - schedule.at(s + 1);
                assertThat(fall).as("%s at %d", shape, s).isBetween(-1e-18, 3e-5);
            }
        }
    }

    @Test
    void linearIsHalfWayInTheMiddle() {
        assertThat(new Schedule(Shape.LINEAR, 110, 10, 0, 1, 0.2).at(60)).isCloseTo(0.6, within(1e-15));
    }

    @Test
    void wsdIsStableUntilItsDecay() {
        Schedule schedule = new Schedule(Shape.WSD, 100, 10, 20, 1, 0);
        assertThat(schedule.at(80)).isEqualTo(1);
        assertThat(schedule.at(90)).isCloseTo(0.5, within(1e-15));
    }

    @Test
    void infiniteRestsOnItsPlateau() {
        Schedule schedule = new Schedule(Shape.INFINITE, 1000, 0, 150, 3e-4, 3e-5);
        assertThat(schedule.at(600)).isCloseTo(1.65e-4, within(1e-18));
        assertThat(schedule.at(850)).isCloseTo(1.65e-4, within(1e-18));
        assertThat(schedule.at(925)).isCloseTo(Math.sqrt(1.65e-4 * 3e-5), within(1e-18));
    }

    /**
     * Of any settings, no two steps differ by more than the steepest of the shape's pieces does between two steps: so no
     * piece jumps to the next.
     */
    @Test
    void piecesMeet() {
        Random random = new Random(5);
        List<Shape> shapes = List.of(Shape.values());
        for (int i = 0; i < 2000; i++) {
            Shape shape = shapes.get(i % shapes.size());
            long steps = random.nextInt(50, 550);
            long warmup = random.nextInt((int) steps);
            long decay = random.nextInt((int) steps + 50);
            double peak = Math.exp(-10 * random.nextDouble());
            double min = peak * (shape == Shape.INFINITE ? Math.exp(-3 * random.nextDouble()) : random.nextDouble());
            Schedule schedule = new Schedule(shape, steps, warmup, decay, peak, min);
            double rest = (double) (steps - warmup);
            double fall = Math.min(rest, (double) decay);
            double steepest = switch (shape) {
                case COSINE -> Math.PI / 2 * (peak - min) / rest;
                case LINEAR -> (peak - min) / rest;
                case CONSTANT -> 0;
                case WSD -> (peak - min) / Math.max(1, fall);
                case INVERSE_SQRT -> peak * (1 - Math.sqrt((double) Math.max(1, warmup) / (Math.max(1, warmup) + 1)));
                case INFINITE ->
                    Math.max(
                            Math.PI / 2 * (peak - min) / 2 / (0.6 * rest),
                            peak * (1 - Math.pow(min / peak, 1 / Math.max(1, fall))));
            };
            for (long s = 0; s < steps; s++) {
                double rise = schedule.at(s + 1) - schedule.at(s);
                assertThat(rise)
                        .as("%s at %d", schedule, s)
                        .isBetween(-steepest * 1.001 - 1e-15, s + 1 < warmup ? peak / (double) warmup * 1.001 : 1e-15);
                assertThat(schedule.at(s))
                        .as("%s at %d", schedule, s)
                        .isBetween(Math.min(min, peak / (double) warmup), peak * 1.001);
            }
            if (decay > 0 && shape != Shape.CONSTANT && shape != Shape.INVERSE_SQRT) {
                assertThat(schedule.at(steps)).as("%s", schedule).isCloseTo(min, within(1e-12));
            }
        }
    }

    @Test
    void aFallThatBeginsAmidTheCosineGoesOnFromThere() {
        // The cosine would end at 600.
        Schedule schedule = new Schedule(Shape.INFINITE, 1000, 0, 700, 1, 0.1);
        Schedule without = new Schedule(Shape.INFINITE, 1000, 0, 0, 1, 0.1);
        double reached = without.at(300);
        assertThat(reached).isCloseTo(0.775, within(1e-12));
        assertThat(schedule.at(300)).isEqualTo(reached);
        assertThat(schedule.at(650)).isCloseTo(Math.sqrt(reached * 0.1), within(1e-12));
    }

    @Test
    void aDecayLongerThanTheRestBeginsWithTheEndOfTheWarmUp() {
        Schedule schedule = new Schedule(Shape.WSD, 100, 60, 80, 1, 0);
        assertThat(schedule.at(59)).isEqualTo(1);
        assertThat(schedule.at(60)).isEqualTo(1);
        assertThat(schedule.at(80)).isEqualTo(0.5);
        Schedule infinite = new Schedule(Shape.INFINITE, 100, 60, 80, 1, 0.25);
        assertThat(infinite.at(60)).isEqualTo(1);
        assertThat(infinite.at(80)).isCloseTo(0.5, within(1e-12));
    }

    @Test
    void aWarmUpLongerThanTheRunOnlyRises() {
        Schedule schedule = new Schedule(Shape.COSINE, 5, 10, 0, 1, 0);
        assertThat(schedule.at(4)).isEqualTo(0.5);
    }

    @Test
    void wsdFallsInFourWays() {
        for (Fall fall : Fall.values()) {
            Schedule schedule = new Schedule(Shape.WSD, 100, 10, 40, 1, 0.01, fall);
            assertThat(schedule.at(60)).as("%s", fall).isEqualTo(1);
            assertThat(schedule.plateauEnd()).isEqualTo(60);
            assertThat(schedule.at(100)).as("%s", fall).isCloseTo(0.01, within(1e-15));
            assertThat(schedule.at(70))
                    .as("%s", fall)
                    .isCloseTo(
                            switch (fall) {
                                case LINEAR -> 0.01 + 0.75 * 0.99;
                                case SQRT -> 0.01 + 0.5 * 0.99;
                                case COSINE -> 0.01 + 0.5 * (1 + Math.sqrt(0.5)) * 0.99;
                                case EXPONENTIAL -> Math.pow(0.01, 0.25);
                            },
                            within(1e-15));
        }
    }

    /** transformers: 1 / sqrt((s + shift) / timescale) with timescale = warm-up, or 10,000, and shift = timescale - warm-up. */
    @Test
    void inverseSqrtIsTransformers() {
        Schedule schedule = new Schedule(Shape.INVERSE_SQRT, 1000, 100, 0, 2, 0.1);
        assertThat(schedule.at(100)).isEqualTo(2);
        assertThat(schedule.at(400)).isCloseTo(1, within(1e-15));
        assertThat(schedule.at(100_000_000)).isEqualTo(0.1);
        assertThat(new Schedule(Shape.INVERSE_SQRT, 1000, 0, 0, 2, 0).at(30_000))
                .isCloseTo(1, within(1e-15));
        assertThat(schedule.plateauEnd()).isEqualTo(-1);
        assertThat(new Schedule(Shape.INVERSE_SQRT, 9000, 100, 0, 2, 0.1).at(400))
                .isEqualTo(schedule.at(400));
    }
}
