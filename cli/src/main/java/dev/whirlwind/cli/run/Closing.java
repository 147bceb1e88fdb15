package dev.whirlwind.cli.run;

import dev.whirlwind.cli.terminal.Figures;
import dev.whirlwind.cli.terminal.Table;
import dev.whirlwind.training.checkpoints.Checkpoints;
import dev.whirlwind.training.memory.ProcessMemory;
import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.metrics.Metrics;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * What a run has come to, as its metrics tell: each held-out text before, at its best and after, and what of that may be chance.
 */
final class Closing {
    private static final long NONE = -1;

    /**
     * A held-out text.
     *
     * @param before the first step; null for a text that came later
     * @param best at the step of the best model; null where it was not measured then
     * @param after the last step
     * @param change from before to after, in nats per token; null where it was not measured
     * @param low lower end of its 95 % interval, by a paired bootstrap; null where too little text is held out to tell
     * @param parts documents, or blocks of windows, that were drawn from
     */
    record Judged(
            String name,
            Event.Eval before,
            Event.Eval best,
            Event.Eval after,
            Double change,
            Double low,
            Double high,
            Double pValue,
            Integer parts,
            String unit) {
        static Judged of(String name, Event.Eval before, Event.Eval best, Event.Eval after, Event.Compared change) {
            return change == null || change.step() != after.step()
                    ? new Judged(name, before, best, after, null, null, null, null, null, null)
                    : new Judged(
                            name,
                            before,
                            best,
                            after,
                            change.difference(),
                            known(change.low()),
                            known(change.high()),
                            known(change.pValue()),
                            change.parts(),
                            change.unit());
        }

        private static Double known(double value) {
            return Double.isNaN(value) ? null : value;
        }
    }

    private final List<Judged> texts = new ArrayList<>();
    private Event.Step last;

    /** The step that the best model is of, which an evaluation that was asked for is not. */
    private long best = NONE;

    Closing(Path metrics) {
        Map<String, List<Event.Eval>> evaluations = new LinkedHashMap<>();
        Map<String, Event.Compared> changes = new HashMap<>();
        for (Event event : Metrics.story(metrics).events()) {
            switch (event) {
                case Event.Eval eval ->
                    evaluations
                            .computeIfAbsent(eval.name(), _ -> new ArrayList<>())
                            .add(eval);
                case Event.Compared change -> changes.put(change.name(), change);
                case Event.Step step -> last = step;
                case Event.Saved saved -> best = saved.path().equals(Checkpoints.BEST) ? saved.step() : best;
                default -> {}
            }
        }
        evaluations.forEach((name, evals) -> {
            if (evals.getLast().step() > 0) {
                texts.add(Judged.of(name, at(0, evals), at(best, evals), evals.getLast(), changes.get(name)));
            }
        });
    }

    private static Event.Eval at(long step, List<Event.Eval> evaluations) {
        return evaluations.stream()
                .filter(eval -> eval.step() == step)
                .findFirst()
                .orElse(null);
    }

    List<Judged> texts() {
        return texts;
    }

    /** For people, line by line. */
    List<String> lines() {
        List<String> lines = new ArrayList<>();
        if (last != null) {
            String memory = ProcessMemory.mostMib().stream()
                    .mapToObj(mib -> "; most memory %,.1f GB".formatted(mib * 0x1p20 * 1e-9))
                    .findFirst()
                    .orElse("");
            lines.add("%,d steps, %,d tokens in %s (%s tokens/s)%s"
                    .formatted(
                            last.step(),
                            last.tokens(),
                            Progress.clock(last.elapsedSeconds()),
                            Progress.short3(last.tokens() / last.elapsedSeconds()),
                            memory));
        }
        if (!texts.isEmpty()) {
            Table table = new Table(
                    "held out",
                    "before",
                    "best",
                    "after",
                    "change",
                    "95 % interval",
                    "p",
                    "over",
                    "bits/byte before",
                    "best",
                    "after");
            texts.forEach(text -> table.row(Stream.of(
                            Stream.of(text.name()),
                            Stream.of(text.before(), text.best(), text.after())
                                    .map(eval -> eval == null ? "-" : Figures.of(eval.perplexity(), 3)),
                            change(text),
                            Stream.of(text.before(), text.best(), text.after()).map(Closing::bits))
                    .flatMap(cells -> cells)
                    .toArray(String[]::new)));
            StringWriter text = new StringWriter();
            table.print(new PrintWriter(text));
            lines.addAll(text.toString().lines().toList());
            lines.add("before, best, after: perplexity; change: of the perplexity; best is %s, after step %,d"
                    .formatted(
                            best == NONE ? "none" : "step %,d".formatted(best),
                            texts.getFirst().after().step()));
        }
        return lines;
    }

    private static String bits(Event.Eval eval) {
        return eval == null || eval.bitsPerByte() == null ? "-" : "%.4f".formatted(eval.bitsPerByte());
    }

    private static Stream<String> change(Judged text) {
        return Stream.of(
                text.before() == null
                        ? "-"
                        : percent(text.after().loss() - text.before().loss()),
                text.low() == null ? "unknown" : percent(text.low()) + " to " + percent(text.high()),
                text.pValue() == null ? "-" : "%.2g".formatted(text.pValue()),
                text.parts() == null ? "-" : text.parts() + " " + text.unit());
    }

    /** What a difference in nats does to the perplexity. */
    private static String percent(double difference) {
        return "%+.2f %%".formatted(100 * Math.expm1(difference));
    }
}
