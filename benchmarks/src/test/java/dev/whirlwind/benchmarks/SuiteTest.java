package dev.whirlwind.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class SuiteTest {
    @TempDir
    Path temp;

    @Test
    void aTenfoldLossIsSeenWhateverTheMachine() {
        Suite.Figure fast = new Suite.Figure("Ops.run cpu linear", 1, 400, "GFLOP/s", 0.8);
        Suite.Figure slow = new Suite.Figure("Ops.run cpu linear", 20, 20, "GFLOP/s", 0.08);
        // Half the rate on a machine with half the bandwidth.
        Suite.Figure before = new Suite.Figure("Ops.run cpu add", 1, 40, "GB/s", 0.9);
        Suite.Figure same = new Suite.Figure("Ops.run cpu add", 2, 20, "GB/s", 0.9);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Suite.print(
                new Suite.Report("a machine", Map.of("the CPU", new Suite.Peak(250, 22)), List.of(slow, same)),
                Map.of(fast.name(), fast, before.name(), before),
                new PrintStream(bytes, true, StandardCharsets.UTF_8));
        assertThat(bytes.toString(StandardCharsets.UTF_8).lines())
                .anyMatch(line -> line.contains("linear") && line.contains("8.0 %") && line.contains("80.0 %"))
                .contains("slower: Ops.run cpu linear at 0.10 of what it was")
                .noneMatch(line -> line.startsWith("slower") && line.contains("add"));
    }

    @Test
    void whatWasMeasuredIsSaved() throws Exception {
        Path file = temp.resolve("figures.json");
        Suite.main(new String[] {
            "OpsBenchmark",
            "-p",
            "operation=linear,rope",
            "-p",
            "engine=cpu",
            "-p",
            "width=32",
            "-f",
            "0",
            "-wi",
            "0",
            "-i",
            "1",
            "-r",
            "10ms",
            "-v",
            "SILENT",
            "--beside",
            file.toString(),
            "--save",
            file.toString()
        });
        JsonNode report = JsonMapper.shared().readTree(Files.readString(file));
        assertThat(report.path("figures")).hasSize(2);
        JsonNode linear = report.path("figures").path(0);
        assertThat(linear.path("name").stringValue()).isEqualTo("OpsBenchmark.run cpu linear 32");
        // 32 rows of 32 to 86.
        assertThat(linear.path("rate").doubleValue() * linear.path("ms").doubleValue() * 1e6)
                .isBetween(0.5 * 2 * 32 * 32 * 86, 2.0 * 2 * 32 * 32 * 86);
        assertThat(report.path("figures").path(1).path("unit").stringValue()).isEqualTo("GB/s");
        assertThat(report.path("peaks").path("the CPU").path("gflops").doubleValue())
                .isPositive();
    }
}
