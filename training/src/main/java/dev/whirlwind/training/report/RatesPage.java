package dev.whirlwind.training.report;

import dev.whirlwind.training.optimizers.RateSweep;
import dev.whirlwind.training.report.Chart.Style;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/** The page of a sweep of learning rates: the loss over the rate, and what it suggests. */
public final class RatesPage {
    private RatesPage() {}

    /**
     * The page.
     *
     * @param facts what was swept on, by name
     */
    public static String of(RateSweep.Result sweep, Map<String, ?> facts) {
        // Where it explodes, all else would be too flat to be seen.
        double most = 1.25
                * sweep.points().stream()
                        .filter(point -> point.lr() <= sweep.lowest())
                        .mapToDouble(RateSweep.Point::smoothed)
                        .max()
                        .orElseThrow();
        Chart chart = new Chart("Loss", "nats per token; what rises by a quarter is cut off", true)
                .add("each step", 0, Style.FAINT, below(most, sweep, RateSweep.Point::loss))
                .add("smoothed", 0, Style.PLAIN, below(most, sweep, RateSweep.Point::smoothed))
                .mark("suggested:", sweep.suggested())
                .mark("lowest at", sweep.lowest());
        Scale rates = Scale.logarithmic(
                sweep.points().getFirst().lr(), sweep.points().getLast().lr());
        String body = "<h1>Learning rates</h1>\n"
                + "<p class=\"quiet\">A copy of the model was trained while the rate rose from step to step.</p>\n"
                + "<div class=\"figures\">\n"
                + ReportPage.tile("suggested peak", Html.figure(sweep.suggested()))
                + ReportPage.tile("falls fastest at", Html.figure(sweep.steepest()))
                + ReportPage.tile("lowest at", Html.figure(sweep.lowest()))
                + "</div>\n"
                + "<div class=\"charts one\">\n" + chart.html(rates, "learning rate") + "</div>\n"
                + "<p>The suggestion is the smaller one of the rate where the smoothed loss falls fastest and a tenth of that where it is"
                + " lowest. It is for a short run of batches of this size: take it as an upper bound, and for continuing a real model"
                + " begin with a peak of 1e-5 to 5e-5.</p>\n"
                + "<h2>Of what</h2>\n" + ReportPage.table(facts);
        return ReportPage.page("Learning rates", body, false);
    }

    private static List<Curve.Point> below(
            double most, RateSweep.Result sweep, ToDoubleFunction<RateSweep.Point> loss) {
        return sweep.points().stream()
                .map(point -> loss.applyAsDouble(point) > most
                        ? null
                        : new Curve.Point(point.lr(), loss.applyAsDouble(point)))
                .toList();
    }
}
