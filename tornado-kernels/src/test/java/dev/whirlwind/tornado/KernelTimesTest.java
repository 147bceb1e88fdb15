package dev.whirlwind.tornado;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class KernelTimesTest {
    @Test
    void addsUpWhatTheProfilerLogs() {
        KernelTimes times = new KernelTimes();
        // Two executions, as TornadoVM joins them.
        times.add("""
                {
                    "stage2": {
                        "TOTAL_KERNEL_TIME": "700",
                        "stage2.linear_0": {
                            "METHOD": "GemmBlocked.wGemmBlocked",
                            "TASK_COMPILE_GRAAL_TIME": "21654480",
                            "TASK_KERNEL_TIME": "300"
                        },\s
                        "stage2.linear_12": {
                            "TASK_KERNEL_TIME": "400"
                        }
                    }
                }

                {
                    "stage3": {
                        "stage3.embed_tokens_0": {
                            "TASK_KERNEL_TIME": "5"
                        }
                    }
                }

                """);
        assertThat(times.byName()).containsOnlyKeys("linear", "embed_tokens");
        assertThat(times.byName().get("linear")).isEqualTo(new KernelTimes.Time(2, 700));
        assertThat(times.byName().get("embed_tokens").calls()).isOne();
        times.add("");
        assertThat(times.byName()).hasSize(2);
    }

    @Test
    void uploadsGoInParts() {
        Traffic traffic = Traffic.NONE.afterUpload(Residency.STAGING + 1L).afterDownload();
        assertThat(traffic).isEqualTo(new Traffic(2, 3, 4, 2L * 4 * Residency.STAGING));
    }
}
