package dev.whirlwind.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.training.Schedule.Shape;
import java.io.IOException;
import java.io.InputStream;
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
                    .isCloseTo(shape == Shape.CONSTANT ? 3e-4 : 3e-5, within(1e-18));
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

    @Test
    void aWarmUpLongerThanTheRunOnlyRises() {
        Schedule schedule = new Schedule(Shape.COSINE, 5, 10, 0, 1, 0);
        assertThat(schedule.at(4)).isEqualTo(0.5);
    }
}
