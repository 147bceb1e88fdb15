package dev.whirlwind.cli.evaluation;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.whirlwind.cli.terminal.Figures;
import dev.whirlwind.cli.terminal.Table;
import dev.whirlwind.training.evaluation.Bootstrap;
import dev.whirlwind.training.evaluation.Comparison;
import dev.whirlwind.training.evaluation.Comparison.Unit;
import dev.whirlwind.training.evaluation.Contamination;
import dev.whirlwind.training.tasks.Measure;
import dev.whirlwind.training.tasks.Memorisation;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;

/** What {@code eval} found, as JSON and as text. */
@JsonInclude(JsonInclude.Include.NON_NULL)
record EvalReport(
        List<Result> results,
        List<Compared> comparisons,
        List<Changed> changes,
        List<TaskResult> tasks,
        List<TaskCompared> taskComparisons,
        List<Memorised> memorised,
        List<Contaminated> contamination) {
    /**
     * How a model compares with the first one; the difference is in nats per token, below 0 when it is better. Interval
     * and p-value are null when the text is too small to tell.
     */
    record Compared(
            String model,
            String against,
            String data,
            double difference,
            Double low,
            Double high,
            Double pValue,
            boolean significant,
            int parts,
            String unit) {
        static Compared of(String model, String against, String data, Comparison c) {
            return new Compared(
                    model,
                    against,
                    data,
                    c.difference(),
                    known(c.low()),
                    known(c.high()),
                    known(c.pValue()),
                    c.significant(),
                    c.parts(),
                    word(c.unit()));
        }
    }

    /** What became of a text between two models; the change is in nats per token, and as a factor of the perplexity. */
    record Changed(
            String data,
            Result before,
            Result after,
            double change,
            Double low,
            Double high,
            Double pValue,
            boolean significant,
            int documents,
            String unit) {
        static Changed of(String data, Result before, Result after, Comparison c) {
            return new Changed(
                    data,
                    before,
                    after,
                    c.difference(),
                    known(c.low()),
                    known(c.high()),
                    known(c.pValue()),
                    c.significant(),
                    c.parts(),
                    word(c.unit()));
        }
    }

    /** A metric of a model's answers to a task. */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record TaskResult(
            String model,
            String task,
            String metric,
            double score,
            double low,
            double high,
            int count,
            String signature) {
        static TaskResult of(String model, String task, Measure m) {
            Measure.Interval interval = m.interval();
            return new TaskResult(
                    model,
                    task,
                    m.metric(),
                    m.score(),
                    interval.low(),
                    interval.high(),
                    m.statistics().size(),
                    m.signature());
        }
    }

    /** The difference of two models' scores, with the interval of a paired bootstrap over the questions. */
    record TaskCompared(
            String model,
            String against,
            String task,
            String metric,
            double difference,
            double low,
            double high,
            double pValue,
            boolean significant,
            int count) {
        static TaskCompared of(String model, String against, String task, String metric, Bootstrap b) {
            return new TaskCompared(
                    model, against, task, metric, b.score(), b.low(), b.high(), b.pValue(), b.significant(), b.count());
        }
    }

    /** How much of a text a model knows by heart. */
    record Memorised(
            String model,
            String data,
            int prefix,
            int continuation,
            int passages,
            int exact,
            double share,
            double low,
            double high,
            double meanTokens) {
        static Memorised of(String model, String data, Memorisation m) {
            return new Memorised(
                    model,
                    data,
                    Memorisation.PREFIX,
                    Memorisation.CONTINUATION,
                    m.passages(),
                    m.exact(),
                    m.share(),
                    m.low(),
                    m.high(),
                    m.meanTokens());
        }
    }

    /** How much of what is evaluated on was trained on. */
    record Contaminated(
            String data,
            String training,
            long documents,
            long duplicates,
            long overlapping,
            double share,
            long ngrams,
            long ngramsSeen) {
        static Contaminated of(String data, String training, Contamination c) {
            return new Contaminated(
                    data, training, c.documents(), c.duplicates(), c.overlapping(), c.share(), c.ngrams(), c.seen());
        }
    }

    private static Double known(double value) {
        return Double.isNaN(value) ? null : value;
    }

    private static String word(Unit unit) {
        return unit.name().toLowerCase(Locale.ROOT);
    }

    // ---------------------------------------------------------------------------------------------- as text

    void print(PrintWriter out) {
        Sections sections = new Sections(out);
        if (!results.isEmpty()) {
            sections.next();
            printResults(out);
        }
        comparisons.forEach(c -> {
            sections.next();
            out.printf(
                    "%s against %s on %s: %+.4f nats per token (%s): %s%n",
                    c.model(),
                    c.against(),
                    c.data(),
                    c.difference(),
                    certainty(c.low(), c.high(), c.pValue(), c.parts(), c.unit()),
                    verdict(c.pValue(), c.significant(), c.difference()));
        });
        if (changes != null) {
            sections.next();
            printChanges(out);
        }
        if (tasks != null) {
            sections.next();
            printTasks(out);
        }
        if (taskComparisons != null) {
            taskComparisons.forEach(c -> {
                sections.next();
                out.printf(
                        "%s against %s on %s: %s %+.4f (95 %% interval %+.4f to %+.4f, p = %.2g, over %d questions)%s%n",
                        c.model(),
                        c.against(),
                        c.task(),
                        c.metric(),
                        c.difference(),
                        c.low(),
                        c.high(),
                        c.pValue(),
                        c.count(),
                        c.significant() ? "" : ": no significant difference");
            });
        }
        if (memorised != null) {
            memorised.forEach(m -> {
                sections.next();
                out.printf(
                        "%s knows by heart %.1f %% of %s (95 %% interval %.1f to %.1f): given %d tokens, it goes on with the"
                                + " next %d exactly in %,d of %,d passages, and rightly for %.1f tokens on average%n",
                        m.model(),
                        100 * m.share(),
                        m.data(),
                        100 * m.low(),
                        100 * m.high(),
                        m.prefix(),
                        m.continuation(),
                        m.exact(),
                        m.passages(),
                        m.meanTokens());
            });
        }
        if (contamination != null) {
            contamination.forEach(c -> {
                sections.next();
                out.printf(
                        "%s: %,d of %,d documents (%.1f %%) occur in %s: %,d are there as a whole, the others share %d words"
                                + " in a row with it; %,d of %,d such runs of words are there%n",
                        c.data(),
                        c.overlapping(),
                        c.documents(),
                        100 * c.share(),
                        c.training(),
                        c.duplicates(),
                        Contamination.LENGTH,
                        c.ngramsSeen(),
                        c.ngrams());
            });
        }
    }

    /** An empty line between what is printed. */
    private static final class Sections {
        private final PrintWriter out;
        private boolean first = true;

        Sections(PrintWriter out) {
            this.out = out;
        }

        void next() {
            if (!first) {
                out.println();
            }
            first = false;
        }
    }

    private void printResults(PrintWriter out) {
        Table table = new Table("model", "data", "tokens", "perplexity", "bits per byte", "mean nll");
        for (Result r : results) {
            table.row(
                    r.model(),
                    r.data(),
                    "%,d".formatted(r.predicted()),
                    Figures.of(r.perplexity(), 3),
                    "%.4f".formatted(r.bitsPerByte()),
                    "%.4f".formatted(r.meanNll()));
        }
        table.print(out);
    }

    private void printChanges(PrintWriter out) {
        Table table = new Table(
                "data", "before", "after", "change", "95 % interval", "p", "bits/byte before", "after", "over");
        for (Changed c : changes) {
            table.row(
                    c.data(),
                    Figures.of(c.before().perplexity(), 3),
                    Figures.of(c.after().perplexity(), 3),
                    percent(c.change()),
                    c.low() == null ? "unknown" : percent(c.low()) + " to " + percent(c.high()),
                    c.pValue() == null ? "-" : "%.2g".formatted(c.pValue()),
                    "%.4f".formatted(c.before().bitsPerByte()),
                    "%.4f".formatted(c.after().bitsPerByte()),
                    c.documents() + " " + c.unit());
        }
        table.print(out);
        out.println("before, after: perplexity; change: of the perplexity");
    }

    /** A difference of logarithms as a change of what they are the logarithms of. */
    private static String percent(double difference) {
        return "%+.2f %%".formatted(100 * Math.expm1(difference));
    }

    private void printTasks(PrintWriter out) {
        Table table = new Table("model", "task", "metric", "score", "95 % interval", "questions");
        for (TaskResult t : tasks) {
            table.row(
                    t.model(),
                    t.task(),
                    t.metric(),
                    Figures.of(t.score(), 4),
                    Figures.of(t.low(), 4) + " to " + Figures.of(t.high(), 4),
                    "%,d".formatted(t.count()));
        }
        table.print(out);
    }

    private static String certainty(Double low, Double high, Double pValue, int parts, String unit) {
        boolean documents = unit.equals("documents");
        if (pValue == null) {
            return "p unknown: too little text, or too few " + (documents ? "documents" : "windows");
        }
        return "95 %% interval %+.4f to %+.4f, p = %.2g, over %d %s"
                .formatted(
                        low,
                        high,
                        pValue,
                        parts,
                        documents ? "documents" : "blocks of the text, as it has few documents");
    }

    private static String verdict(Double pValue, boolean significant, double difference) {
        return pValue == null
                ? "cannot be told, evaluate on more text"
                : !significant ? "no significant difference" : difference < 0 ? "better" : "worse";
    }
}
