package dev.whirlwind.benchmarks;

import dev.whirlwind.cpu.MemoryBenchmark;
import dev.whirlwind.cpu.PeakBenchmark;
import dev.whirlwind.model.UserException;
import dev.whirlwind.tornado.DevicePeak;
import dev.whirlwind.tornado.Devices;
import dev.whirlwind.tornado.TornadoEngine;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import tools.jackson.databind.json.JsonMapper;

/**
 * JMH's command line, over every engine that works here, and two options more: {@code --save FILE} writes what was measured
 * as shares of the machine's peak, {@code --beside FILE} shows what was saved earlier beside it.
 */
public final class Suite {
    /** Below so much of the earlier share a figure is named once more. */
    private static final double LOST = 0.3;

    private static final int MEASUREMENTS = 10;

    /** In 10^9 operations and, for copies, bytes per second. */
    record Peak(double gflops, double copy) {}

    /**
     * A benchmark with its parameters.
     *
     * @param rate 10^9 floating-point operations, or bytes, per second, or 0 where they are not known
     * @param unit GFLOP/s or GB/s
     * @param share of the peak, which arithmetic and memory have one each; 0 where the rate is not known
     */
    record Figure(String name, double ms, double rate, String unit, double share) {}

    /** What {@code --save} writes. */
    record Report(String machine, Map<String, Peak> peaks, List<Figure> figures) {}

    private Suite() {}

    /** Fails when a result is wrong or a required device is missing, never for a time. */
    @SuppressWarnings("SystemOut")
    public static void main(String[] arguments) throws Exception {
        List<String> rest = new ArrayList<>(Arrays.asList(arguments));
        Path save = option(rest, "--save");
        Path beside = option(rest, "--beside");
        CommandLineOptions options = new CommandLineOptions(rest.toArray(String[]::new));
        if (options.shouldHelp()) {
            options.showHelp();
            return;
        }
        if (options.shouldList()) {
            new Runner(options).list();
            return;
        }
        Collection<String> engines = options.getParameter("engine").orElse(List.of());
        List<RunResult> results = new ArrayList<>();
        for (String engine : engines.isEmpty() ? engines() : engines) {
            OptionsBuilder one = new OptionsBuilder();
            one.parent(options).param("engine", engine).shouldFailOnError(true);
            if (engine.equals("loops")) {
                // Minutes a step.
                one.exclude(StepBenchmark.class.getSimpleName());
            }
            results.addAll(new Runner(one.build()).run());
        }
        Report report = report(results);
        Map<String, Figure> earlier = new HashMap<>();
        if (beside != null && Files.exists(beside)) {
            Report last = JsonMapper.shared().readValue(Files.readString(beside), Report.class);
            last.figures().forEach(figure -> earlier.put(figure.name(), figure));
        }
        print(report, earlier, System.out);
        if (save != null) {
            Files.writeString(
                    save,
                    JsonMapper.shared().writerWithDefaultPrettyPrinter().writeValueAsString(report),
                    StandardCharsets.UTF_8);
        }
    }

    private static Path option(List<String> arguments, String name) {
        int at = arguments.indexOf(name);
        if (at < 0) {
            return null;
        }
        if (at + 1 == arguments.size()) {
            throw new IllegalArgumentException(name + " needs a file");
        }
        arguments.remove(at);
        return Path.of(arguments.remove(at));
    }

    @SuppressWarnings("SystemOut")
    private static List<String> engines() {
        List<String> engines = new ArrayList<>(List.of("cpu", "loops"));
        try {
            Devices.list();
            engines.addAll(List.of("tornado", "tornado-gpu"));
        } catch (UserException e) {
            if ("required".equals(System.getenv("WHIRLWIND_DEVICE_TESTS"))) {
                throw e;
            }
            System.err.println("without the tornado engine: " + e.getMessage());
        }
        return engines;
    }

    private static Report report(List<RunResult> results) {
        Map<String, Peak> peaks = new HashMap<>();
        List<Figure> figures = new ArrayList<>();
        for (RunResult result : results) {
            boolean onGpu = result.getParams().getParam("engine").startsWith("tornado")
                    && Devices.find(null).isGpu();
            Peak peak = peaks.computeIfAbsent(onGpu ? "the GPU" : "the CPU", where -> peak(onGpu));
            figures.add(figure(result, peak));
        }
        String machine = "%s %s, %d processors"
                .formatted(
                        System.getProperty("os.name"),
                        System.getProperty("os.arch"),
                        Runtime.getRuntime().availableProcessors());
        return new Report(machine, peaks, figures);
    }

    private static Peak peak(boolean ofGpu) {
        if (ofGpu) {
            try (TornadoEngine device = new TornadoEngine(Devices.find(null))) {
                DevicePeak peak = device.peak();
                return new Peak(peak.gflops(), peak.copy());
            }
        }
        int threads = Runtime.getRuntime().availableProcessors();
        return new Peak(
                PeakBenchmark.gflops(threads, MEASUREMENTS),
                MemoryBenchmark.measure(threads, MEASUREMENTS).copy());
    }

    private static Figure figure(RunResult result, Peak peak) {
        String method = result.getParams().getBenchmark();
        String name = method.substring(method.lastIndexOf('.', method.lastIndexOf('.') - 1) + 1)
                + new TreeSet<>(result.getParams().getParamsKeys())
                        .stream()
                                .map(key -> " " + result.getParams().getParam(key))
                                .collect(Collectors.joining());
        double ms = 1e3 / result.getPrimaryResult().getScore();
        double gflops = counter(result, "gflop");
        double gb = counter(result, "gb");
        return gflops > 0
                ? new Figure(name, ms, gflops, "GFLOP/s", gflops / peak.gflops())
                : new Figure(name, ms, gb, "GB/s", gb / peak.copy());
    }

    private static double counter(RunResult result, String name) {
        Result<?> counter = result.getSecondaryResults().get(name);
        return counter == null ? 0 : counter.getScore();
    }

    static void print(Report report, Map<String, Figure> earlier, PrintStream out) {
        out.println();
        out.println(report.machine());
        report.peaks()
                .forEach((engine, peak) -> out.printf(
                        Locale.ROOT,
                        "peak of %s: %,.0f GFLOP/s, copies at %.1f GB/s%n",
                        engine,
                        peak.gflops(),
                        peak.copy()));
        int width =
                report.figures().stream().mapToInt(f -> f.name().length()).max().orElse(0);
        String format = "%-" + width + "s  %12s  %14s  %7s  %7s%n";
        out.printf(format, "benchmark", "ms", "rate", "share", "before");
        List<String> lost = new ArrayList<>();
        for (Figure figure : report.figures()) {
            Figure before = earlier.get(figure.name());
            out.printf(
                    format,
                    figure.name(),
                    String.format(Locale.ROOT, "%,.4f", figure.ms()),
                    figure.rate() == 0 ? "-" : String.format(Locale.ROOT, "%,.1f %s", figure.rate(), figure.unit()),
                    percent(figure),
                    before == null ? "-" : percent(before));
            double ratio = before == null
                    ? 1
                    : figure.share() > 0 ? figure.share() / before.share() : before.ms() / figure.ms();
            if (ratio < LOST) {
                lost.add(String.format(Locale.ROOT, "%s at %.2f of what it was", figure.name(), ratio));
            }
        }
        lost.forEach(line -> out.println("slower: " + line));
    }

    private static String percent(Figure figure) {
        return figure.share() == 0 ? "-" : String.format(Locale.ROOT, "%.1f %%", 100 * figure.share());
    }
}
