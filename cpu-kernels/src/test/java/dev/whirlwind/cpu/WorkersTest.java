package dev.whirlwind.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class WorkersTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 5})
    void runsEveryTaskOnceInEveryRun(int threads) {
        try (Workers workers = new Workers(threads)) {
            for (int run = 0; run < 3000; run++) {
                int tasks = run % 37;
                AtomicIntegerArray count = new AtomicIntegerArray(37);
                workers.run(tasks, (task, worker) -> {
                    assertThat(worker).isBetween(0, threads - 1);
                    count.incrementAndGet(task);
                });
                for (int task = 0; task < 37; task++) {
                    assertThat(count.get(task)).as("run %d task %d", run, task).isEqualTo(task < tasks ? 1 : 0);
                }
                if (run % 1000 == 999) {
                    LockSupport.parkNanos(3_000_000); // Long enough for the others to park, too.
                }
            }
        }
    }

    @Test
    void noTwoTasksShareAWorkerIndexAtATime() {
        try (Workers workers = new Workers(4)) {
            AtomicIntegerArray busy = new AtomicIntegerArray(4);
            for (int run = 0; run < 200; run++) {
                workers.run(50, (task, worker) -> {
                    assertThat(busy.incrementAndGet(worker)).isEqualTo(1);
                    Thread.onSpinWait();
                    busy.decrementAndGet(worker);
                });
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void aTasksThrowableReachesTheCallerAndTheTeamGoesOn(int threads) {
        try (Workers workers = new Workers(threads)) {
            for (int run = 0; run < 100; run++) {
                assertThatThrownBy(() -> workers.run(20, (task, worker) -> {
                            if (task == 13) {
                                throw new IllegalArgumentException("thirteen");
                            }
                        }))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessage("thirteen");
                AtomicIntegerArray count = new AtomicIntegerArray(1);
                workers.run(20, (task, worker) -> count.incrementAndGet(0));
                assertThat(count.get(0)).isEqualTo(20);
            }
        }
    }

    @Test
    void refusesNestedRunsAndRunsAfterClose() {
        Workers workers = new Workers(1);
        assertThatThrownBy(() -> workers.run(1, (task, worker) -> workers.run(1, (t, w) -> {})))
                .isInstanceOf(IllegalStateException.class);
        workers.close();
        assertThatThrownBy(() -> workers.run(1, (task, worker) -> {})).isInstanceOf(IllegalStateException.class);
    }
}
