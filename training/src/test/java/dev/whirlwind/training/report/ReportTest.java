package dev.whirlwind.training.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.optimizers.RateSweep;
import dev.whirlwind.training.report.Curve.Point;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.SequencedMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ReportTest {
    private static final String HOSTILE =
            "</pre><script>document.title='hacked'</script><img src=x onerror=alert(1)>\u0000&amp;\"'";

    @TempDir
    Path temp;

    private static Event.Step step(long step, double loss, double norm) {
        return new Event.Step(step, 128 * step, loss, 1e-3, norm, 1000, step / 10.0);
    }

    /** With a spike, a step that is not finite, and a resume amid them. */
    private static RunHistory run(String name, int steps, Map<String, ?> options) {
        RunHistory run = new RunHistory(name, options);
        Random random = new Random(3);
        run.add(new Event.Session(0, steps, "2026-01-31T12:00:00Z", Map.of("engine", "cpu")));
        for (int s = 0; s <= steps; s++) {
            if (s > 0) {
                boolean spike = s == steps / 3;
                boolean nan = s == steps / 2;
                double loss = nan ? Double.NaN : spike ? 77.125 : 2 + 3.0 / s + 0.1 * random.nextGaussian();
                run.add(step(s, loss, nan ? Double.NaN : Math.exp(random.nextGaussian())));
            }
            if (s % Math.max(1, steps / 5) == 0) {
                run.add(new Event.Eval(s, HOSTILE, 3 - (double) s / steps, Math.exp(3 - (double) s / steps)));
                run.add(new Event.Sample(s, "1", HOSTILE, HOSTILE + s));
            }
            if (s == steps) {
                run.add(new Event.Compared(s, HOSTILE, -1, -1.25, -0.5, 0.0004, 12, "documents"));
            }
            if (s == steps / 2 + 1) {
                run.add(new Event.Anomaly(s, Double.NaN, Double.NaN, HOSTILE, "skip"));
                run.add(new Event.Session(s, steps, "2026-01-31T13:00:00Z", Map.of("engine", "cpu")));
            }
        }
        return run;
    }

    @Test
    void curvesKeepTheirExtremesInBoundedMemory() {
        Curve curve = new Curve();
        Random random = new Random(1);
        double sum = 0;
        int steps = 200_000;
        for (int s = 1; s <= steps; s++) {
            double value = s == 123_457 ? 99 : s == 54_321 ? -99 : random.nextDouble();
            sum += value;
            curve.add(s, value);
        }
        List<Point> points = curve.points(300);
        assertThat(points).hasSizeBetween(300, 600).contains(new Point(123_457, 99), new Point(54_321, -99));
        assertThat(points).isSortedAccordingTo((a, b) -> Double.compare(a.x(), b.x()));
        assertThat(points.getFirst().x()).isLessThan(1000);
        assertThat(points.getLast().x()).isGreaterThan(steps - 1000);
        // Each point counts once in the means.
        double joined = curve.buckets(1).getFirst().mean();
        assertThat(joined).isCloseTo(sum / steps, within(1e-9));
    }

    @Test
    void shortCurvesAreDrawnPointByPoint() {
        Curve curve = new Curve();
        for (int s = 1; s <= 5; s++) {
            curve.add(s, s == 3 ? Double.NaN : s);
        }
        assertThat(curve.points(300))
                .containsExactly(new Point(1, 1), new Point(2, 2), null, new Point(4, 4), new Point(5, 5));
        assertThat(curve.breaks(300)).containsExactly(3.0);
        assertThat(curve.smoothed(300)).hasSize(4).allMatch(point -> point.y() > 1 && point.y() < 5);
        assertThat(new Curve().points(300)).isEmpty();
        assertThat(new Curve().smoothed(300)).isEmpty();
    }

    @Test
    void smoothingOfAConstantIsTheConstant() {
        Curve curve = new Curve();
        for (int s = 0; s < 10_000; s++) {
            curve.add(s, 2.5);
        }
        assertThat(curve.smoothed(300)).hasSizeBetween(150, 300).allMatch(point -> Math.abs(point.y() - 2.5) < 1e-12);
    }

    @Test
    void ticksAreRound() {
        assertThat(new Scale(0, 200_000, false).ticks())
                .containsExactly(0.0, 50_000.0, 100_000.0, 150_000.0, 200_000.0);
        assertThat(new Scale(1, 1000, true).ticks()).contains(1.0, 10.0, 100.0, 1000.0);
        assertThat(Scale.of(DoubleStream.of(0.1, 20), true).logarithmic()).isTrue();
        assertThat(Scale.of(DoubleStream.of(0, 20), true).logarithmic()).isFalse();
        assertThat(Scale.of(DoubleStream.of(2.5, Math.nextUp(2.5)), true).ticks())
                .hasSizeBetween(3, 9);
        Scale flat = Scale.of(DoubleStream.of(2, 2), true).padded();
        assertThat(flat.place(2)).isBetween(0.4, 0.6);
    }

    /** As of a damaged line: whatever the values are, there are a few ticks, and soon. */
    @ParameterizedTest
    @CsvSource({"1e-310, 2e-310", "1e-310, 5", "-1e308, 1e308", "1e-99, 1e308", "-4.9e-324, 0", "1e307, 1e308"})
    void ticksAreFewWhateverTheValues(double low, double high) {
        assertThat(Scale.of(DoubleStream.of(low, high), true).padded().ticks()).hasSizeLessThan(20);
    }

    @Test
    void figuresAreShort() {
        assertThat(List.of(Html.figure(9.999e-4), Html.figure(-9.995e9), Html.figure(Double.MIN_VALUE)))
                .containsExactly("1e-3", "-1e10", "4.9e-324");
        assertThat(List.of(Html.figure(2e-4), Html.figure(-1.5e-7), Html.figure(0.25), Html.figure(12345.6)))
                .containsExactly("2e-4", "-1.5e-7", "0.25", "12,346");
        assertThat(List.of(Html.figure(Double.NaN), Html.count(3_276_800_000.0), Html.time(3723)))
                .containsExactly("NaN", "3.277 B", "1:02:03");
    }

    @Test
    void textsStayTexts() {
        Map<String, Object> options = new LinkedHashMap<>();
        options.put("data", List.of(HOSTILE));
        options.put("min_lr", null);
        String page = ReportPage.of(run(HOSTILE, 10, options), false);
        assertThat(page)
                .startsWith(ReportPage.SIGNATURE)
                .doesNotContain("<script>document", "<img", "\u0000", "min_lr", "http-equiv=\"refresh\"")
                .contains("&lt;script&gt;", "&amp;amp;&quot;&#39;", "step 10 of 10")
                .contains("−63.2 %", "−71.3 to −39.3 %<br>p &lt; 0.001, 12 documents");
        assertThat(page.replace("http-equiv", "")).doesNotContain("http", "url(", "src=\"", "href");
        assertThat(ReportPage.of(run("a", 10, Map.of()), true)).contains("http-equiv=\"refresh\"");
    }

    @Test
    void aRunOfTwoHundredThousandStepsFitsInASmallFile() {
        String page = ReportPage.of(run("long", 200_000, Map.of()), false);
        assertThat(page.length()).isLessThan(200_000);
        // The spike is there to be pointed at.
        assertThat(page).contains("66666,").contains("77.125,");
    }

    @Test
    void nothingYetIsAPageToo() {
        assertThat(ReportPage.of(new RunHistory("new", Map.of("steps", 5)), true))
                .contains("step 0 of 5, running");
        assertThat(ComparisonPage.of(List.of(new RunHistory("a", Map.of()), new RunHistory("b", Map.of()))))
                .contains("a, b");
    }

    @Test
    void runsWithOtherStepsAreComparedByTokens() {
        RunHistory a = run("a", 20, Map.of("lr", 1e-3, "seed", 1));
        RunHistory b = new RunHistory("b", Map.of("lr", 2e-3, "seed", 1));
        b.add(new Event.Step(1, 1024, 2, 1e-3, 1, 1000, 1));
        String page = ComparisonPage.of(List.of(a, b));
        assertThat(page).contains("data-unit=\"tokens\"", "data-x=\"0,2560\"", "<td>0.002</td>");
        assertThat(page).doesNotContain("<td>seed</td>");
        assertThat(ComparisonPage.of(List.of(a, a))).contains("data-unit=\"step\"", "<p>None.</p>");
    }

    @Test
    void whatIsNoNumberIsNotTheBest() {
        RunHistory run = new RunHistory("run", Map.of());
        for (double loss : new double[] {Double.NaN, 3, Double.NaN, 4}) {
            run.add(new Event.Eval(1, "valid", loss, loss));
        }
        assertThat(run.evaluations.get("valid").best.loss()).isEqualTo(3);
    }

    @Test
    void aComparisonWhoseEvaluationsAreDamagedIsNotShown() {
        RunHistory run = new RunHistory("run", Map.of());
        run.add(step(1, 2, 1));
        run.add(new Event.Compared(1, "valid", -1, -2, 0, 0.1, 9, "documents"));
        assertThat(ReportPage.of(run, false)).doesNotContain("Held-out text");
    }

    @Test
    void oldRunsAreReadWhateverBecameOfTheirLines() throws IOException {
        Files.writeString(temp.resolve("metrics.jsonl"), """
                {"event":"eval","step":0,"name":"valid","loss":3.0,"perplexity":20.0}
                {"event":"step","step":1,"tokens":10,"loss":3.0,"lr":0.1,"grad_norm":1.0,"tokens_per_second":5.0,"elapsed_seconds":1.0}
                {"event":"step","step":2,"tokens":20,"loss":9.0,"lr":0.1,"grad_norm":1.0,"tokens_per_second":5.0,"elapsed_seconds":2.0}
                {"event":"step","step":3,"tokens":30,"loss":9.0,"lr":0.1,"grad_norm":1.0,"tokens_per_second":5.0,"elapsed_seconds":3.0}
                {"event":"eval","step":3,"name":"valid","loss":9.0,"perplexity":9.0}
                {"event":"of a later version","step":3}
                broken
                {"event":"step","step":2,"tokens":20,"loss":2.5,"lr":0.1,"grad_norm":"NaN","tokens_per_second":5.0,"elapsed_seconds":2.5}
                {"event":"step","step":3,"tokens":30,"lo""");
        RunHistory run = RunHistory.read(temp, "old", Map.of());
        assertThat(run.loss.points(300)).containsExactly(new Point(1, 3), new Point(2, 2.5));
        assertThat(run.gradientNorm.points(300)).filteredOn(Objects::isNull).hasSize(1);
        assertThat(run.evaluations.get("valid").last.step()).isZero();
        assertThat(run.damagedLines).isEqualTo(2);
        assertThat(ReportPage.of(run, false)).contains("step 2, not finished; 2 lines of metrics.jsonl");
        assertThat(RunHistory.read(temp.resolve("none"), "none", Map.of()).step())
                .isZero();
    }

    /** A clock that each page takes a tenth of a second by. */
    @Test
    void pagesTakeAHundredthOfTheTimeAtMost() throws IOException {
        AtomicLong now = new AtomicLong();
        Path file = temp.resolve("report.html");
        RunHistory history = new RunHistory("run", Map.of("steps", 4000));
        int written = 0;
        try (LiveReport report = new LiveReport(file, history, () -> now.getAndAdd(100_000_000))) {
            for (int s = 1; s <= 200; s++) {
                now.addAndGet(900_000_000);
                report.on(step(s, 2, 1));
                report.on(new Event.Eval(s, "valid", 2, 3));
                if (Files.deleteIfExists(file)) {
                    written++;
                }
            }
            assertThat(report.share()).isLessThanOrEqualTo(0.01);
            assertThat(written).isBetween(5, 25);
        }
        assertThat(file).content().contains("step 200 of 4,000, not finished");
    }

    /** What a browser makes of it: nothing that a text says is run, and values are shown under the pointer. */
    @Test
    void aBrowserShowsIt() throws Exception {
        Path file = temp.resolve("page.html");
        Files.writeString(file, ReportPage.of(run(HOSTILE, 1000, Map.of()), false));
        String dom = Chromium.open(file, temp);
        assertThat(dom).contains("<figure class=\"chart\"", "</html>").contains("&lt;script&gt;");
        assertThat(dom).doesNotContain("<title>hacked</title>");

        // The same with a script of the test's own, which the page's policy would not let run.
        String moved = """
                <script>
                const plot = document.querySelector('.plot'), box = plot.getBoundingClientRect();
                plot.dispatchEvent(new PointerEvent('pointermove', {clientX: box.left + box.width * 333 / 1000, clientY: box.top}));
                document.title = plot.querySelector('.tip').textContent;
                </script></body>""";
        Files.writeString(
                file,
                Files.readString(file)
                        .replaceFirst("<meta http-equiv=\"Content-Security-Policy\"[^>]*>", "")
                        .replace("</body>", moved));
        assertThat(Chromium.open(file, temp)).containsPattern("<title>step333each step77.125training, smoothed");
    }

    private static RateSweep.Result sweep() {
        RateSweep sweep = new RateSweep(1e-6, 1, 61);
        for (int i = 0; i < 61 && !sweep.hasExploded(); i++) {
            sweep.add(i < 45 ? 4 - i / 20.0 : 2 + Math.exp(i - 45));
        }
        return sweep.result();
    }

    @Test
    void ratesStandOnALogarithmicAxis() throws Exception {
        String page = RatesPage.of(sweep(), Map.of("model", "<b>"));
        assertThat(page)
                .contains("<div class=\"plot\" data-x=\"0.000001,", " data-logarithmic", "&lt;b&gt;")
                .contains(">1e-5</span>", ">1e-3</span>", "suggested: ", "class=\"mark\"");
        assertThat(page.substring(page.indexOf("</head>"))).doesNotContain("NaN", "Infinity", "src=", "http");
        Path file = temp.resolve("rates.html");
        String moved = """
                <script>
                const plot = document.querySelector('.plot'), box = plot.getBoundingClientRect();
                const [low, high] = plot.dataset.x.split(',').map(Number);
                const place = Math.log(1e-3 / low) / Math.log(high / low);
                plot.dispatchEvent(new PointerEvent('pointermove', {clientX: box.left + box.width * place, clientY: box.top}));
                document.title = plot.querySelector('.tip').textContent;
                </script></body>""";
        Files.writeString(
                file,
                page.replaceFirst("<meta http-equiv=\"Content-Security-Policy\"[^>]*>", "")
                        .replace("</body>", moved));
        assertThat(Chromium.open(file, temp)).containsPattern("<title>learning rate0.001each step2.5smoothed");
    }

    @Test
    void weightsAreNamedAtTheirPoints() {
        SequencedMap<String, List<WeightsPage.Measured>> texts = new LinkedHashMap<>();
        texts.put(
                "code",
                List.of(
                        new WeightsPage.Measured(1, 4, 2),
                        new WeightsPage.Measured(0, 9, 3),
                        new WeightsPage.Measured(0.5, 5, 2.2)));
        texts.put(
                "general",
                List.of(
                        new WeightsPage.Measured(1, 8, 3),
                        new WeightsPage.Measured(0, 7, 2.5),
                        new WeightsPage.Measured(0.5, 7, 2.6)));
        String page = WeightsPage.of(texts, Map.of());
        assertThat(page)
                .contains("bits per byte of general (upright) over code", "<td>9.000</td><td>3.0000</td><td>7.000</td>")
                // In the order of the weights, whatever order they were measured in: 3 is the base.
                .contains("data-x=\"3,2.2,2\" data-y=\"2.5,2.6,3\"")
                .contains("data-x=\"0,0.5,1\" data-y=\"0,-26.667,-33.333\"")
                .contains(">0.5</span>");
    }
}
