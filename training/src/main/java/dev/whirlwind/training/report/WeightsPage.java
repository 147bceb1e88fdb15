package dev.whirlwind.training.report;

import dev.whirlwind.training.report.Chart.Style;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;

/** The page of models between a base and what was trained from it: what each weight gives on each text. */
public final class WeightsPage {
    private WeightsPage() {}

    /**
     * What a model makes of a text.
     *
     * @param weight share of the tuned model
     */
    public record Measured(double weight, double perplexity, double bitsPerByte) {}

    /**
     * The page.
     *
     * @param texts by name, each with the same weights
     * @param facts which models, by name
     */
    public static String of(SequencedMap<String, List<Measured>> texts, Map<String, ?> facts) {
        Chart change = new Chart("Bits per byte over the weight", "% against the first point", false);
        texts.forEach((name, all) -> {
            List<Measured> sorted = sorted(all);
            double first = sorted.getFirst().bitsPerByte();
            change.add(
                    name,
                    change.size(),
                    Style.PLAIN,
                    sorted.stream()
                            .map(m -> new Curve.Point(m.weight(), 100 * (m.bitsPerByte() / first - 1)))
                            .toList());
        });
        StringBuilder html = new StringBuilder("<div class=\"charts\">\n");
        html.append(change.html(
                Scale.of(texts.firstEntry().getValue().stream().mapToDouble(Measured::weight), false), "weight"));
        List<String> names = List.copyOf(texts.keySet());
        for (int i = 1; i < names.size(); i++) {
            html.append(trade(names.getFirst(), texts.get(names.getFirst()), names.get(i), texts.get(names.get(i))));
        }
        html.append("</div>\n");
        String body = "<h1>Between two models</h1>\n"
                + "<p class=\"quiet\">Weight 0 is the base, 1 the tuned model. Lower is better on each text.</p>\n"
                + html + "<h2>Figures</h2>\n"
                + ReportPage.rows(headings(names), rows(texts)) + "<h2>Of what</h2>\n" + ReportPage.table(facts);
        return ReportPage.page("Between two models", body, false);
    }

    /** One text's bits per byte over another's, each point with its weight. */
    private static String trade(String x, List<Measured> xs, String y, List<Measured> ys) {
        List<Measured> of = sorted(xs);
        List<Measured> over = sorted(ys);
        List<Curve.Point> points = new ArrayList<>();
        Chart chart = new Chart("Trade-off", "bits per byte of " + y + " (upright) over " + x + ", by weight", false);
        for (int i = 0; i < of.size(); i++) {
            points.add(new Curve.Point(of.get(i).bitsPerByte(), over.get(i).bitsPerByte()));
            chart.note(Html.digits(of.get(i).weight(), 3), points.getLast());
        }
        chart.add(y, 0, Style.PLAIN, points);
        return chart.html(
                Scale.of(points.stream().mapToDouble(Curve.Point::x), false).padded(), x);
    }

    private static List<Measured> sorted(List<Measured> all) {
        return all.stream()
                .sorted((a, b) -> Double.compare(a.weight(), b.weight()))
                .toList();
    }

    private static List<String> headings(List<String> names) {
        List<String> headings = new ArrayList<>(List.of("weight"));
        names.forEach(name -> headings.addAll(List.of(name + ": perplexity", "bits per byte")));
        return headings;
    }

    private static List<List<String>> rows(SequencedMap<String, List<Measured>> texts) {
        List<List<String>> rows = new ArrayList<>();
        for (int i = 0; i < texts.firstEntry().getValue().size(); i++) {
            int at = i;
            List<String> row = new ArrayList<>(
                    List.of(Html.digits(texts.firstEntry().getValue().get(i).weight(), 6)));
            texts.values().forEach(all -> {
                row.add(String.format(Locale.ROOT, "%.3f", all.get(at).perplexity()));
                row.add(String.format(Locale.ROOT, "%.4f", all.get(at).bitsPerByte()));
            });
            rows.add(row);
        }
        return rows;
    }
}
