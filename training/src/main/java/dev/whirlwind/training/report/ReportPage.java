package dev.whirlwind.training.report;

import static dev.whirlwind.training.report.Html.text;

import dev.whirlwind.data.TrainingSequences;
import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.report.Chart.Style;
import dev.whirlwind.training.report.RunHistory.Evaluated;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.stream.Collectors;

/** The page of a run: one file that needs no other, and loads none whatever the texts in it say. */
public final class ReportPage {
    /** How every page begins. */
    public static final String SIGNATURE = "<!doctype html>\n<!-- Whirlwind report -->\n";

    /** More than a plot has columns on most screens, with two points each. */
    private static final int BUCKETS = 300;

    /** More characters are broken into lines where a table is wider than the screen. */
    private static final int LONG = 40;

    private static final String STYLE = Html.resource("report.css");
    private static final String SCRIPT = Html.resource("report.js");

    private ReportPage() {}

    /**
     * The page of one run.
     *
     * @param running whether it will be written again soon, so that a browser should load it again
     */
    public static String of(RunHistory run, boolean running) {
        String body = "<h1>%s</h1>\n".formatted(text(run.name))
                + state(run, running)
                + figures(run)
                + evaluations(run)
                + sources(run)
                + "<h2>Curves</h2>\n"
                + charts(charts(run), run.step(), "step")
                + samples(run)
                + anomalies(run)
                + facts(run);
        return page(run.name, body, running);
    }

    static String page(String title, String body, boolean running) {
        return SIGNATURE
                + """
                <html lang="en"><head><meta charset="utf-8">
                <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-%s'">
                <meta name="viewport" content="width=device-width, initial-scale=1">
                %s<title>%s</title>
                <style>
                %s</style></head><body>
                %s<p class="quiet">Written by Whirlwind, %s.</p>
                <script>%s</script>
                </body></html>
                """.formatted(
                                hash(SCRIPT),
                                running ? "<meta http-equiv=\"refresh\" content=\"30\">\n" : "",
                                text(title),
                                STYLE,
                                body,
                                Instant.now().truncatedTo(ChronoUnit.SECONDS),
                                SCRIPT);
    }

    /** The only script that a browser may run here. */
    private static String hash(String script) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(script.getBytes(StandardCharsets.UTF_8));
            return Base64.getEncoder().encodeToString(digest);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has it", e);
        }
    }

    // ---------------------------------------------------------------------------------------------- at a glance

    private static String state(RunHistory run, boolean running) {
        long total = run.totalSteps();
        StringBuilder state = new StringBuilder(String.format(Locale.ROOT, "step %,d", run.step()));
        if (total > 0) {
            state.append(String.format(Locale.ROOT, " of %,d", total));
        }
        if (run.isFinished()) {
            state.append(run.step() < total ? ", ended early as evaluations got no better" : ", done");
        } else {
            state.append(running ? ", running" : ", not finished");
        }
        if (running && total > run.step() && run.step() > 0) {
            double seconds = run.last.elapsedSeconds() / run.step() * (total - run.step());
            state.append(", about ").append(Html.time(seconds)).append(" left");
        }
        if (run.damagedLines > 0) {
            state.append(
                    String.format(Locale.ROOT, "; %,d lines of metrics.jsonl could not be read", run.damagedLines));
        }
        String bar = total > 0
                ? String.format(
                        Locale.ROOT,
                        "<div class=\"bar\"><i style=\"width:%.1f%%\"></i></div>\n",
                        100.0 * run.step() / total)
                : "";
        return "<p class=\"quiet\">" + state + "</p>\n" + bar;
    }

    private static String figures(RunHistory run) {
        StringBuilder figures = new StringBuilder("<div class=\"figures\">\n");
        List<Curve.Point> loss = run.loss.smoothed(BUCKETS);
        if (!loss.isEmpty()) {
            figures.append(tile("training loss", loss(loss.getLast().y())));
            run.evaluations.forEach((name, set) -> figures.append(tile(name + " loss", loss(set.last.loss()))));
            gap(run).ifPresent(gap ->
                    figures.append(tile(run.evaluations.firstEntry().getKey() + " − training", signed(gap))));
        }
        if (run.last != null) {
            figures.append(tile("tokens", Html.count((double) run.last.tokens())))
                    .append(tile(
                            "tokens per second",
                            Html.count(run.last.tokens() / Math.max(1e-9, run.last.elapsedSeconds()))))
                    .append(tile("time", Html.time(run.last.elapsedSeconds())));
        }
        return figures.append("</div>\n").toString();
    }

    /** How much better the model predicts what it is trained on than the first held-out text: what it learnt by heart. */
    private static OptionalDouble gap(RunHistory run) {
        if (run.evaluations.isEmpty() || run.step() == 0) {
            return OptionalDouble.empty();
        }
        Event.Eval held = run.evaluations.firstEntry().getValue().last;
        return run.loss.smoothed(BUCKETS).stream()
                .filter(point -> point.x() <= held.step())
                .mapToDouble(point -> held.loss() - point.y())
                .reduce((_, later) -> later);
    }

    static String tile(String name, String value) {
        return "<div><small>%s</small><b>%s</b></div>\n".formatted(text(name), value);
    }

    private static String evaluations(RunHistory run) {
        if (run.evaluations.isEmpty()) {
            return "";
        }
        StringBuilder rows = new StringBuilder();
        run.evaluations.forEach((name, set) -> rows.append("<tr><td>%s</td>".formatted(text(name)))
                .append(evaluation(set.before, false))
                .append(evaluation(set.best, true))
                .append(evaluation(set.last, true))
                .append(change(set))
                .append("</tr>\n"));
        return """
                <h2>Held-out text</h2>
                <div class="wide"><table>
                <tr><th>set</th><th class="n">before</th><th class="n">best</th><th class="n">now</th><th class="n">change</th></tr>
                %s</table></div>
                <p class="quiet">Perplexity; below it nats per token and, where it is known, bits per byte. The interval of the change has 95 %%
                confidence, by a paired bootstrap.</p>
                """.formatted(rows);
    }

    private static String evaluation(Event.Eval eval, boolean withStep) {
        return eval == null
                ? "<td class=\"n\">–</td>"
                : "<td class=\"n\">%s<br><small>%s%s%s</small></td>"
                        .formatted(
                                String.format(
                                        Locale.ROOT, eval.perplexity() < 1e6 ? "%,.3f" : "%.3e", eval.perplexity()),
                                loss(eval.loss()),
                                eval.bitsPerByte() == null
                                        ? ""
                                        : String.format(Locale.ROOT, "<br>%.4f b/B", eval.bitsPerByte()),
                                withStep ? String.format(Locale.ROOT, "<br>step %,d", eval.step()) : "");
    }

    private static String change(Evaluated set) {
        if (set.before == null || set.last.step() == 0) {
            return "<td class=\"n\">–</td>";
        }
        double difference = set.last.loss() - set.before.loss();
        return "<td class=\"n\">%s %%<br><small>%s%s</small></td>"
                .formatted(percent(difference), signed(difference), interval(set));
    }

    /** How the change may be another, and whether it may be chance. */
    private static String interval(Evaluated set) {
        Event.Compared change = set.change;
        if (change == null || change.step() != set.last.step()) {
            return "";
        }
        String parts = String.format(Locale.ROOT, "%,d ", change.parts()) + text(change.unit());
        return Double.isNaN(change.low())
                ? "<br>too few " + text(change.unit()) + " to tell more"
                : "<br>%s to %s %%<br>p %s, %s"
                        .formatted(
                                percent(change.low()),
                                percent(change.high()),
                                change.pValue() < 0.001
                                        ? "&lt; 0.001"
                                        : String.format(Locale.ROOT, "= %.3f", change.pValue()),
                                parts);
    }

    /** What a difference in nats per token does to the perplexity. */
    private static String percent(double difference) {
        return String.format(Locale.ROOT, "%+.1f", 100 * Math.expm1(difference)).replace('-', '−');
    }

    private static String signed(double value) {
        return (value > 0 ? "+" : value < 0 ? "−" : "") + loss(Math.abs(value));
    }

    static String loss(double value) {
        return String.format(Locale.ROOT, "%.4f", value);
    }

    private static String sources(RunHistory run) {
        if (run.sources == null) {
            return "";
        }
        Map<String, TrainingSequences.Share> sources = run.sources.sources();
        double all = Math.max(
                1,
                sources.values().stream()
                        .mapToLong(TrainingSequences.Share::sequences)
                        .sum());
        StringBuilder bar = new StringBuilder();
        List<List<String>> rows = new ArrayList<>();
        sources.forEach((name, share) -> {
            double percent = 100 * share.sequences() / all;
            bar.append(String.format(
                    Locale.ROOT, "<i class=\"c%d\" style=\"width:%.2f%%\"></i>", rows.size() % Chart.COLOURS, percent));
            rows.add(List.of(
                    name,
                    String.format(Locale.ROOT, "%,d", share.sequences()),
                    String.format(Locale.ROOT, "%.1f %%", percent),
                    String.format(Locale.ROOT, "%.2f", share.passes())));
        });
        return "<h2>Sources of the training text</h2>\n<div class=\"share\">" + bar + "</div>\n"
                + rows(List.of("source", "sequences", "share", "passes over it"), rows);
    }

    // ---------------------------------------------------------------------------------------------- curves

    private static List<Chart> charts(RunHistory run) {
        List<Double> joints = run.joints();
        Chart loss = new Chart("Loss", "nats per token", true)
                .joints(joints)
                .breaks(run.loss.breaks(BUCKETS))
                .add("each step", 0, Style.FAINT, run.loss.points(BUCKETS))
                .add("training, smoothed", 0, Style.PLAIN, run.loss.smoothed(BUCKETS));
        Chart heldOut = new Chart("Held-out loss", "nats per token", true).joints(joints);
        int colour = 1;
        for (Map.Entry<String, Evaluated> set : run.evaluations.entrySet()) {
            List<Curve.Point> points = set.getValue().curve.points(BUCKETS);
            loss.add(set.getKey(), colour, Style.PLAIN, points);
            heldOut.add(set.getKey(), colour, Style.PLAIN, points);
            colour++;
        }
        return List.of(
                loss,
                heldOut,
                new Chart("Learning rate", "", false)
                        .joints(joints)
                        .add("learning rate", 0, Style.PLAIN, run.learningRate.points(BUCKETS)),
                new Chart("Gradient norm", "before clipping", true)
                        .joints(joints)
                        .breaks(run.gradientNorm.breaks(BUCKETS))
                        .add("each step", 0, Style.FAINT, run.gradientNorm.points(BUCKETS))
                        .add("smoothed", 0, Style.PLAIN, exp(run.logNorm.smoothed(BUCKETS))),
                new Chart("Speed", "tokens per second", false)
                        .joints(joints)
                        .add("each step", 0, Style.FAINT, run.speed.points(BUCKETS))
                        .add("smoothed", 0, Style.PLAIN, run.speed.smoothed(BUCKETS)));
    }

    static List<Curve.Point> exp(List<Curve.Point> points) {
        return points.stream()
                .map(point -> new Curve.Point(point.x(), Math.exp(point.y())))
                .toList();
    }

    /** @param last where the level axis, which begins at 0, ends */
    static String charts(List<Chart> charts, long last, String xUnit) {
        Scale x = new Scale(0, (double) Math.max(1, last), false);
        return charts.stream()
                .filter(chart -> !chart.isEmpty())
                .map(chart -> chart.html(x, xUnit))
                .collect(Collectors.joining("", "<div class=\"charts\">\n", "</div>\n"));
    }

    // ---------------------------------------------------------------------------------------------- what happened

    private static String samples(RunHistory run) {
        StringBuilder samples = new StringBuilder();
        run.samples.forEach((_, all) -> {
            samples.append(sample(all.getLast()));
            if (all.size() > 1) {
                samples.append("<details><summary>before</summary>\n");
                all.reversed().stream().skip(1).forEach(sample -> samples.append(sample(sample)));
                samples.append("</details>\n");
            }
        });
        return samples.isEmpty() ? "" : "<h2>Samples</h2>\n" + samples;
    }

    private static String sample(Event.Sample sample) {
        return "<h3>%s <small>at step %s</small></h3><pre><b>%s</b>%s</pre>\n"
                .formatted(
                        text(sample.name()),
                        String.format(Locale.ROOT, "%,d", sample.step()),
                        text(sample.prompt()),
                        text(sample.text()));
    }

    private static String anomalies(RunHistory run) {
        if (run.anomalies.isEmpty()) {
            return "";
        }
        String rows = run.anomalies.reversed().stream()
                .map(anomaly -> "<tr><td class=\"n\">%s</td><td class=\"t\">%s</td><td>%s</td></tr>\n"
                        .formatted(
                                String.format(Locale.ROOT, "%,d", anomaly.step()),
                                text(anomaly.reason()),
                                text(anomaly.action())))
                .collect(Collectors.joining());
        String more = run.anomaliesForgotten > 0
                ? String.format(Locale.ROOT, "<p>and %,d before</p>\n", run.anomaliesForgotten)
                : "";
        return "<h2>Anomalies</h2>\n<div class=\"wide\"><table><tr><th class=\"n\">step</th><th>what</th>"
                + "<th>done</th></tr>\n" + rows + "</table></div>\n" + more;
    }

    private static String facts(RunHistory run) {
        StringBuilder facts = new StringBuilder("<div class=\"two\">\n<div><h2>Configuration</h2>\n");
        facts.append(table(run.options)).append("</div>\n<div>");
        if (!run.changes.isEmpty()) {
            facts.append("<h2>Changed on the way</h2>\n")
                    .append(rows(
                            List.of("after step", "what"),
                            run.changes.stream()
                                    .map(change -> List.of(
                                            String.format(Locale.ROOT, "%,d", change.step()),
                                            String.join(", ", change.changes())))
                                    .toList()));
        }
        if (!run.sessions.isEmpty()) {
            facts.append("<h2>Machine and engine</h2>\n")
                    .append(table(run.sessions.getLast().environment()))
                    .append("<h2>Sessions</h2>\n")
                    .append(rows(
                            List.of("began", "after step"),
                            run.sessions.stream()
                                    .map(session ->
                                            List.of(session.time(), String.format(Locale.ROOT, "%,d", session.step())))
                                    .toList()));
        }
        if (!run.saved.isEmpty()) {
            facts.append("<h2>Saved</h2>\n")
                    .append(rows(
                            List.of("folder", "step", "MB", "seconds"),
                            run.saved.values().stream()
                                    .map(saved -> List.of(
                                            saved.path(),
                                            String.format(Locale.ROOT, "%,d", saved.step()),
                                            String.format(Locale.ROOT, "%,.1f", saved.bytes() * 1e-6),
                                            String.format(Locale.ROOT, "%.2f", saved.seconds())))
                                    .toList()));
        }
        return facts.append("</div>\n</div>\n").toString();
    }

    static String table(Map<String, ?> facts) {
        return facts.entrySet().stream()
                .filter(fact -> fact.getValue() != null && !List.of().equals(fact.getValue()))
                .map(fact -> "<tr><th>%s</th><td class=\"v\">%s</td></tr>\n"
                        .formatted(text(fact.getKey()), text(shown(fact.getValue()))))
                .collect(Collectors.joining("", "<table>\n", "</table>\n"));
    }

    static String rows(List<String> headings, List<List<String>> rows) {
        List<String> lines = new ArrayList<>();
        lines.add(headings.stream().map(h -> "<th>" + text(h) + "</th>").collect(Collectors.joining()));
        rows.forEach(row -> lines.add(row.stream()
                .map(cell -> "<td%s>%s</td>".formatted(cell.length() > LONG ? " class=\"t\"" : "", text(cell)))
                .collect(Collectors.joining())));
        return lines.stream()
                .collect(Collectors.joining(
                        "</tr>\n<tr>", "<div class=\"wide\"><table>\n<tr>", "</tr>\n</table></div>\n"));
    }

    static String shown(Object value) {
        return value instanceof List<?> list
                ? list.stream().map(String::valueOf).collect(Collectors.joining(", "))
                : String.valueOf(value);
    }
}
