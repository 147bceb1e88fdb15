package dev.whirlwind.cli.run;

import dev.whirlwind.cli.terminal.Table;
import dev.whirlwind.training.memory.ProcessMemory;
import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.metrics.Metrics;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** What a run has come to, as its metrics tell: each held-out text before, at its best and after. */
final class Closing {
    /**
     * A held-out text.
     *
     * @param before the first step
     * @param best where the text that judges, or else the first, was predicted best
     * @param after the last step
     */
    record Judged(String name, Event.Eval before, Event.Eval best, Event.Eval after) {}

    private final List<Judged> texts = new ArrayList<>();
    private Event.Step last;

    /** @param judging the text that the best is judged by; null for the first */
    Closing(Path metrics, String judging) {
        Map<String, List<Event.Eval>> evaluations = new LinkedHashMap<>();
        for (Event event : Metrics.story(metrics).events()) {
            if (event instanceof Event.Eval eval) {
                evaluations.computeIfAbsent(eval.name(), _ -> new ArrayList<>()).add(eval);
            } else if (event instanceof Event.Step step) {
                last = step;
            }
        }
        long bestStep = evaluations.entrySet().stream()
                .filter(text -> judging == null || judging.equals(text.getKey()))
                .limit(1)
                .map(Map.Entry::getValue)
                .flatMap(List::stream)
                .filter(eval -> eval.step() > 0)
                .min((a, b) -> Double.compare(a.loss(), b.loss()))
                .map(Event.Eval::step)
                .orElse(-1L);
        evaluations.forEach((name, evals) -> evals.stream()
                .filter(eval -> eval.step() == bestStep)
                .findFirst()
                .ifPresent(best -> texts.add(new Judged(name, evals.getFirst(), best, evals.getLast()))));
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
                    "perplexity before",
                    "best",
                    "after",
                    "bits per byte before",
                    "best",
                    "after",
                    "change");
            texts.forEach(text -> table.row(Stream.of(
                            Stream.of(text.name()),
                            Stream.of(text.before(), text.best(), text.after())
                                    .map(eval -> "%.3f".formatted(eval.perplexity())),
                            Stream.of(text.before(), text.best(), text.after()).map(Closing::bits),
                            Stream.of(change(text)))
                    .flatMap(cells -> cells)
                    .toArray(String[]::new)));
            StringWriter text = new StringWriter();
            table.print(new PrintWriter(text));
            lines.addAll(text.toString().lines().toList());
            lines.add("best is step %,d, after step %,d"
                    .formatted(
                            texts.getFirst().best().step(),
                            texts.getFirst().after().step()));
        }
        return lines;
    }

    private static String bits(Event.Eval eval) {
        return eval.bitsPerByte() == null ? "" : "%.4f".formatted(eval.bitsPerByte());
    }

    private static String change(Judged text) {
        return "%+.1f %%".formatted(100 * (text.after().loss() / text.before().loss() - 1));
    }
}
