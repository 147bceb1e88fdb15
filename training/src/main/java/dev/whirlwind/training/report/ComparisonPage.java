package dev.whirlwind.training.report;

import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.report.Chart.Style;
import dev.whirlwind.training.report.Curve.Point;
import dev.whirlwind.training.report.RunHistory.Evaluated;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;

/** The page that lays several runs over each other. */
public final class ComparisonPage {
    private static final int BUCKETS = 300;

    /** More, and single steps hide the smoothed lines. */
    private static final int MOST_WITH_STEPS = 2;

    private final List<RunHistory> runs;

    /** Whether steps of the runs are of different size, so that tokens are what can be compared. */
    private final boolean byTokens;

    private ComparisonPage(List<RunHistory> runs) {
        this.runs = runs;
        byTokens = runs.stream()
                        .filter(run -> run.last != null)
                        .mapToLong(ComparisonPage::tokensPerStep)
                        .distinct()
                        .count()
                > 1;
    }

    private static long tokensPerStep(RunHistory run) {
        return run.last == null ? 1 : Math.max(1, run.last.tokens() / run.last.step());
    }

    /** The page of some runs, in this order. */
    public static String of(List<RunHistory> runs) {
        ComparisonPage page = new ComparisonPage(runs);
        String title = String.join(", ", runs.stream().map(run -> run.name).toList());
        return ReportPage.page(
                title,
                "<h1>" + Html.text(title) + "</h1>\n" + page.results()
                        + "<p class=\"quiet\">Losses in nats per token; the training loss is smoothed.</p>\n<h2>Curves</h2>\n"
                        + page.curves()
                        + "<h2>Options that differ</h2>\n" + page.options(),
                false);
    }

    private Set<String> sets() {
        Set<String> sets = new LinkedHashSet<>();
        runs.forEach(run -> sets.addAll(run.evaluations.keySet()));
        return sets;
    }

    private String results() {
        List<String> headings = new ArrayList<>(List.of("run", "steps", "tokens", "time", "training loss"));
        sets().forEach(set -> headings.addAll(List.of(set + " before", set + " best", set + " last")));
        List<List<String>> rows = new ArrayList<>();
        for (RunHistory run : runs) {
            List<Point> loss = run.loss.smoothed(BUCKETS);
            List<String> row = new ArrayList<>(List.of(
                    run.name,
                    String.format(Locale.ROOT, "%,d", run.step()),
                    run.last == null ? "–" : Html.count((double) run.last.tokens()),
                    run.last == null ? "–" : Html.time(run.last.elapsedSeconds()),
                    loss.isEmpty() ? "–" : ReportPage.loss(loss.getLast().y())));
            for (String set : sets()) {
                Evaluated evaluated = run.evaluations.getOrDefault(set, new Evaluated());
                row.add(evaluation(evaluated.before));
                row.add(evaluation(evaluated.best));
                row.add(evaluation(evaluated.last));
            }
            rows.add(row);
        }
        return ReportPage.rows(headings, rows);
    }

    private static String evaluation(Event.Eval eval) {
        return eval == null ? "–" : ReportPage.loss(eval.loss());
    }

    private String curves() {
        List<Chart> charts = new ArrayList<>();
        Chart loss = new Chart("Training loss", "nats per token, smoothed", true);
        if (runs.size() <= MOST_WITH_STEPS) {
            add(loss, Style.FAINT, run -> run.loss.points(BUCKETS));
        }
        charts.add(add(loss, Style.PLAIN, run -> run.loss.smoothed(BUCKETS)));
        for (String set : sets()) {
            charts.add(add(
                    new Chart(set + " loss", "nats per token", true),
                    Style.PLAIN,
                    run -> run.evaluations.containsKey(set)
                            ? run.evaluations.get(set).curve.points(BUCKETS)
                            : List.of()));
        }
        charts.add(add(new Chart("Learning rate", "", false), Style.PLAIN, run -> run.learningRate.points(BUCKETS)));
        charts.add(add(
                new Chart("Gradient norm", "before clipping, smoothed", true),
                Style.PLAIN,
                run -> ReportPage.exp(run.logNorm.smoothed(BUCKETS))));
        charts.add(add(
                new Chart("Speed", "tokens per second, smoothed", false),
                Style.PLAIN,
                run -> run.speed.smoothed(BUCKETS)));
        long last =
                runs.stream().mapToLong(run -> run.step() * scale(run)).max().orElse(0);
        return ReportPage.charts(charts, last, byTokens ? "tokens" : "step");
    }

    private Chart add(Chart chart, Style style, Function<RunHistory, List<Point>> points) {
        for (int i = 0; i < runs.size(); i++) {
            RunHistory run = runs.get(i);
            long scale = scale(run);
            List<Point> scaled = new ArrayList<>();
            for (Point point : points.apply(run)) {
                scaled.add(point == null ? null : new Point(point.x() * scale, point.y()));
            }
            chart.add(run.name + (style == Style.FAINT ? ", each step" : ""), i, style, scaled);
        }
        return chart;
    }

    private long scale(RunHistory run) {
        return byTokens ? tokensPerStep(run) : 1;
    }

    private String options() {
        Map<String, List<String>> differing = new LinkedHashMap<>();
        for (RunHistory run : runs) {
            for (String option : run.options.keySet()) {
                if (option.equals("out")) {
                    continue;
                }
                List<String> values = runs.stream()
                        .map(other -> shown(other.options.get(option)))
                        .toList();
                if (values.stream().distinct().count() > 1) {
                    differing.put(option, values);
                }
            }
        }
        List<String> headings = new ArrayList<>(List.of("option"));
        runs.forEach(run -> headings.add(run.name));
        List<List<String>> rows = new ArrayList<>();
        differing.forEach((option, values) -> {
            List<String> row = new ArrayList<>(List.of(option));
            row.addAll(values);
            rows.add(row);
        });
        return rows.isEmpty() ? "<p>None.</p>\n" : ReportPage.rows(headings, rows);
    }

    private static String shown(Object value) {
        return Objects.isNull(value) ? "–" : ReportPage.shown(value);
    }
}
