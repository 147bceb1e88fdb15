package dev.whirlwind.training.report;

import dev.whirlwind.training.report.Curve.Point;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A plot of lines. The SVG is stretched to whatever room there is, lines keeping their width; what is written beside it is
 * HTML, so that it can be read on a screen of any size.
 */
final class Chart {
    /** Of the SVG's coordinates, which have one digit more. */
    private static final int SIZE = 1000;

    /** So many points are shown as such. */
    private static final int FEW = 25;

    static final int COLOURS = 6;

    /** How a line is drawn: over a fainter one, as that, or dashed. */
    enum Style {
        PLAIN,
        FAINT,
        DASHED
    }

    private record Line(String label, int colour, Style style, List<Point> points) {
        String kind() {
            return style.name().toLowerCase(Locale.ROOT);
        }
    }

    private final String title;
    private final String unit;
    private final boolean mayBeLogarithmic;
    private final List<Line> lines = new ArrayList<>();
    private final List<Double> breaks = new ArrayList<>();
    private final List<Double> joints = new ArrayList<>();
    private final Map<String, Double> marks = new LinkedHashMap<>();
    private final Map<String, Point> notes = new LinkedHashMap<>();

    /** @param mayBeLogarithmic whether the upright axis is to be so where values span much */
    Chart(String title, String unit, boolean mayBeLogarithmic) {
        this.title = title;
        this.unit = unit;
        this.mayBeLogarithmic = mayBeLogarithmic;
    }

    /** @param points null where the line is broken */
    Chart add(String label, int colour, Style style, List<Point> points) {
        if (points.stream().anyMatch(Objects::nonNull)) {
            lines.add(new Line(label, colour % COLOURS, style, points));
        }
        return this;
    }

    /** Marks where values are not finite. */
    Chart breaks(List<Double> places) {
        breaks.addAll(places);
        return this;
    }

    /** Marks where a run was resumed. */
    Chart joints(List<Double> places) {
        joints.addAll(places);
        return this;
    }

    /** A place of the level axis that has a name. */
    Chart mark(String label, double place) {
        marks.put(label, place);
        return this;
    }

    /** Words at a point. */
    Chart note(String label, Point point) {
        notes.put(label, point);
        return this;
    }

    /** Lines so far. */
    int size() {
        return lines.size();
    }

    boolean isEmpty() {
        return lines.isEmpty() && breaks.isEmpty();
    }

    /**
     * As a part of a page.
     *
     * @param x the level axis
     * @param xUnit what it counts
     */
    String html(Scale x, String xUnit) {
        Scale y = Scale.of(points().mapToDouble(Point::y), mayBeLogarithmic).padded();
        String legend = lines.stream()
                .map(line ->
                        "<span class=\"k%d %s\">%s</span>".formatted(line.colour, line.kind(), Html.text(line.label)))
                .collect(Collectors.joining());
        return """
                <figure class="chart">
                <figcaption>%s <small>%s</small></figcaption>
                <div class="legend">%s</div>
                <div class="plot" data-x="%s,%s"%s data-unit="%s"><div class="ys">%s</div>
                <svg viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s">
                %s</svg>
                <div class="xs">%s</div>%s</div>
                </figure>
                """.formatted(
                        Html.text(title),
                        Html.text(unit + (y.logarithmic() ? ", logarithmic" : "")),
                        lines.size() > 1 ? legend : "",
                        Html.digits(x.low(), 9),
                        Html.digits(x.high(), 9),
                        x.logarithmic() ? " data-logarithmic" : "",
                        Html.text(xUnit),
                        labels(y, "bottom"),
                        SIZE,
                        SIZE,
                        Html.text(title + " over " + xUnit),
                        grid(y)
                                + marks("joint", joints, x)
                                + marks("break", breaks, x)
                                + marks("mark", List.copyOf(marks.values()), x)
                                + paths(x, y),
                        labels(x, "left"),
                        words(x, y));
    }

    /** Names of places stand one below the other, on the side of their line that has more room. */
    private String words(Scale x, Scale y) {
        StringBuilder words = new StringBuilder();
        int row = 0;
        for (Map.Entry<String, Double> mark : marks.entrySet()) {
            double place = x.place(mark.getValue());
            words.append("<span class=\"word name\" style=\"top:%s;%s:calc(%s%% + .3rem)\">%s %s</span>"
                    .formatted(
                            row++ * 1.1 + "rem",
                            place < 0.5 ? "left" : "right",
                            coordinate(100 * (place < 0.5 ? place : 1 - place)),
                            Html.text(mark.getKey()),
                            Html.figure(mark.getValue())));
        }
        notes.forEach((label, point) -> words.append("<span class=\"word\" style=\"left:%s%%;bottom:%s%%\">%s</span>"
                .formatted(
                        coordinate(100 * x.place(point.x()) + 0.8),
                        coordinate(100 * y.place(point.y()) + 1.2),
                        Html.text(label))));
        return words.toString();
    }

    private Stream<Point> points() {
        return lines.stream().flatMap(line -> line.points.stream()).filter(Objects::nonNull);
    }

    private static String labels(Scale scale, String side) {
        return scale.ticks().stream()
                .map(tick -> "<span style=\"%s:%s%%\">%s</span>"
                        .formatted(side, coordinate(scale.place(tick) * 100), tick(tick, scale)))
                .collect(Collectors.joining());
    }

    private static String tick(double value, Scale scale) {
        // What is left of 0 after steps that are no binary fractions.
        double exact = Math.abs(value) < 1e-9 * (scale.high() - scale.low()) && !scale.logarithmic() ? 0 : value;
        double size = Math.abs(exact);
        return size >= 1e6 && size < 1e12
                ? Html.digits(exact / 1e6, 4) + "M"
                : size >= 10_000 && size < 1e6 ? Html.digits(exact / 1e3, 4) + "k" : Html.figure(exact);
    }

    private static String grid(Scale y) {
        return y.ticks().stream()
                .map(tick -> "M0 " + coordinate((1 - y.place(tick)) * SIZE) + "h" + SIZE)
                .collect(Collectors.joining("", "<path class=\"grid\" d=\"", "\"/>\n"));
    }

    private static String marks(String kind, List<Double> places, Scale x) {
        String d = places.stream()
                .filter(place -> place >= x.low() && place <= x.high())
                .map(place -> "M" + coordinate(x.place(place) * SIZE) + " 0v" + SIZE)
                .collect(Collectors.joining());
        return d.isEmpty()
                ? ""
                : "<path class=\"%s\" d=\"%s\"/>%n".formatted(kind, d).replace("\r", "");
    }

    private String paths(Scale x, Scale y) {
        return lines.stream()
                .sorted((a, b) -> Boolean.compare(b.style == Style.FAINT, a.style == Style.FAINT))
                .map(line -> path(line, x, y))
                .collect(Collectors.joining());
    }

    private static String path(Line line, Scale x, Scale y) {
        StringBuilder d = new StringBuilder();
        StringBuilder dots = new StringBuilder();
        StringBuilder xs = new StringBuilder();
        StringBuilder ys = new StringBuilder();
        boolean few = line.points.size() <= FEW && line.style != Style.DASHED;
        boolean begins = true;
        for (Point point : line.points) {
            if (point == null) {
                begins = true;
                continue;
            }
            String place = coordinate(x.place(point.x()) * SIZE) + " " + coordinate((1 - y.place(point.y())) * SIZE);
            d.append(begins ? "M" : "L").append(place);
            if (few) {
                dots.append("M").append(place).append("h0");
            }
            xs.append(xs.isEmpty() ? "" : ",").append(Html.digits(point.x(), 9));
            ys.append(ys.isEmpty() ? "" : ",").append(Html.digits(point.y(), 5));
            begins = false;
        }
        String kind = "c" + line.colour + " " + line.kind();
        return "<path class=\"%s\" d=\"%s\" data-label=\"%s\" data-x=\"%s\" data-y=\"%s\"/>\n"
                        .formatted(kind, d, Html.text(line.label), xs, ys)
                + (few ? "<path class=\"%s dots\" d=\"%s\"/>\n".formatted(kind, dots) : "");
    }

    private static String coordinate(double value) {
        return Html.digits(Math.round(value * 10) / 10.0, 6);
    }
}
