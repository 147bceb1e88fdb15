package dev.whirlwind.cli.run;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.cli.Child;
import dev.whirlwind.cli.Cli;
import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.metrics.Metrics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Long runs need no more memory, open files or time a step than short ones: {@code -Dwhirlwind.steps=20000}. */
@EnabledOnOs(OS.LINUX)
class LongRunTest {
    private static final int STEPS = Integer.getInteger("whirlwind.steps", 0);
    private static final int SAMPLES = 20;

    @TempDir
    Path temp;

    /** Resident memory in kB, and open files. */
    private record Sample(long memory, long files) {}

    @Test
    @EnabledIfSystemProperty(named = "whirlwind.steps", matches = "\\d{3,}")
    void memoryHandlesAndStepTimeStayFlat() throws Exception {
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        Path run = temp.resolve("run");
        List<Object> train = new ArrayList<>(List.of("train", "--model", model, "--data", texts, "--out", run));
        train.addAll(List.of("--steps", STEPS, "--batch", 2, "--sequence", 16, "--dropout", "0.1", "--engine", "cpu"));
        train.addAll(List.of("--save-every", STEPS / 50, "--eval-every", STEPS / 50, "--eval-windows", 8));
        Path output = temp.resolve("output.txt");
        Process process = Child.start(Child.program(List.of("-Xmx256m"), train.toArray()), output);
        List<Sample> samples = new ArrayList<>();
        while (!process.waitFor(200, TimeUnit.MILLISECONDS)) {
            long step = lastStep(run.resolve("metrics.jsonl"));
            if (step > (long) STEPS * (samples.size() + 1) / (SAMPLES + 1)) {
                samples.add(sample(process.pid()));
            }
        }
        assertThat(process.exitValue()).as(Files.readString(output)).isZero();
        System.out.println(samples);
        assertThat(samples.size()).isGreaterThan(SAMPLES / 2);
        // The compiler and the collector take some at the start.
        Sample early = samples.get(samples.size() / 4);
        Sample late = samples.getLast();
        assertThat(late.memory).isLessThan(early.memory * 11 / 10 + 16_000);
        assertThat(samples).allSatisfy(sample -> assertThat(sample.files).isLessThan(early.files + 10));

        double[] rates = Metrics.read(run.resolve("metrics.jsonl")).stream()
                .filter(Event.Step.class::isInstance)
                .mapToDouble(event -> ((Event.Step) event).tokensPerSecond())
                .toArray();
        assertThat(rates).hasSize(STEPS);
        double before = median(rates, STEPS / 4, STEPS / 2);
        double after = median(rates, STEPS - STEPS / 4, STEPS);
        System.out.printf("%d steps: %.0f tokens/s in the second quarter, %.0f in the last%n", STEPS, before, after);
        assertThat(after).isGreaterThan(0.7 * before);
    }

    private static double median(double[] values, int from, int to) {
        double[] sorted = Arrays.copyOfRange(values, from, to);
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }

    /** The number of lines is near enough, and cheap. */
    private static long lastStep(Path metrics) throws IOException {
        if (!Files.exists(metrics)) {
            return 0;
        }
        try (Stream<String> lines = Files.lines(metrics)) {
            return lines.filter(line -> line.contains("\"step\"")).count();
        }
    }

    private static Sample sample(long pid) throws IOException {
        Path process = Path.of("/proc", String.valueOf(pid));
        long memory = Files.readAllLines(process.resolve("status")).stream()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                .sum();
        try (Stream<Path> files = Files.list(process.resolve("fd"))) {
            return new Sample(memory, files.count());
        }
    }
}
