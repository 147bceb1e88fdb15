package dev.whirlwind.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/** Keeps the suite alive: every benchmark runs for a moment, and its check with it. No time is judged. */
class SmokeTest {
    @Test
    void everyOperationRunsAndIsRight() throws RunnerException {
        var results = new Runner(new OptionsBuilder()
                        .include(OpsBenchmark.class.getSimpleName())
                        .param("width", "32")
                        .param("engine", "cpu", "loops")
                        .forks(0)
                        .warmupIterations(0)
                        .measurementIterations(1)
                        .measurementTime(TimeValue.milliseconds(1))
                        .verbosity(VerboseMode.SILENT)
                        .shouldFailOnError(true)
                        .build())
                .run();
        assertThat(results).hasSize(54);
    }
}
