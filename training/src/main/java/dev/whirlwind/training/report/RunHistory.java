package dev.whirlwind.training.report;

import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.metrics.Metrics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/** What there is to tell of a run: its events put in order as they come, in memory that does not grow with its length. */
public final class RunHistory {
    /** The file of a run that its events are in. */
    public static final String METRICS = "metrics.jsonl";

    /** Of each prompt; every second is forgotten where there are more. */
    private static final int MOST_SAMPLES = 24;

    private static final int MOST_ANOMALIES = 100;

    /** The evaluations of a text that a table shows. */
    static final class Evaluated {
        final Curve curve = new Curve();
        Event.Eval before;
        Event.Eval best;
        Event.Eval last;

        /** Since before; null where that was not told. */
        Event.Compared change;

        private void add(Event.Eval eval) {
            curve.add(eval.step(), eval.loss());
            before = eval.step() == 0 ? eval : before;
            // What is no number is worse than any.
            best = best == null || Double.compare(eval.loss(), best.loss()) < 0 ? eval : best;
            last = eval;
        }
    }

    final String name;
    final Map<String, ?> options;
    final Curve loss = new Curve();
    final Curve learningRate = new Curve();
    final Curve gradientNorm = new Curve();

    /** Its logarithm, of which a mean says more where single steps stand out. */
    final Curve logNorm = new Curve();

    final Curve speed = new Curve();
    final SequencedMap<String, Evaluated> evaluations = new LinkedHashMap<>();
    final SequencedMap<String, List<Event.Sample>> samples = new LinkedHashMap<>();
    final SequencedMap<String, Event.Saved> saved = new LinkedHashMap<>();
    final List<Event.Anomaly> anomalies = new ArrayList<>();
    final List<Event.Session> sessions = new ArrayList<>();
    final List<Event.Change> changes = new ArrayList<>();

    /** The last step; null before the first. */
    Event.Step last;

    /** What was trained on; null where that was not told yet. */
    Event.Sources sources;

    long anomaliesForgotten;
    int damagedLines;

    /**
     * @param name that people know the run by
     * @param options as they are to be shown
     */
    public RunHistory(String name, Map<String, ?> options) {
        this.name = name;
        this.options = options;
    }

    /** What {@code metrics.jsonl} tells; a run that has none yet has no history. */
    public static RunHistory read(Path run, String name, Map<String, ?> options) {
        RunHistory history = new RunHistory(name, options);
        Metrics.Story story = Metrics.story(run.resolve(METRICS));
        story.events().forEach(history::add);
        history.damagedLines = story.damagedLines();
        return history;
    }

    /** Events come in the order of their steps. */
    public void add(Event event) {
        switch (event) {
            case Event.Step step -> {
                loss.add(step.step(), step.loss());
                learningRate.add(step.step(), step.lr());
                gradientNorm.add(step.step(), step.gradNorm());
                logNorm.add(step.step(), Math.log(step.gradNorm()));
                speed.add(step.step(), step.tokensPerSecond());
                last = step;
            }
            case Event.Eval eval ->
                evaluations.computeIfAbsent(eval.name(), _ -> new Evaluated()).add(eval);
            case Event.Sample sample -> add(samples.computeIfAbsent(sample.name(), _ -> new ArrayList<>()), sample);
            case Event.Saved save -> {
                // In the order of their last saving.
                saved.remove(save.path());
                saved.put(save.path(), save);
                saved.keySet().removeIf(path -> saved.size() > MOST_SAMPLES && path.startsWith("checkpoints/"));
            }
            case Event.Anomaly anomaly -> {
                anomalies.add(anomaly);
                if (anomalies.size() > MOST_ANOMALIES) {
                    anomalies.removeFirst();
                    anomaliesForgotten++;
                }
            }
            case Event.Compared compared ->
                evaluations.computeIfPresent(compared.name(), (_, set) -> {
                    set.change = compared;
                    return set;
                });
            case Event.Sources read -> sources = read;
            case Event.Session session -> sessions.add(session);
            case Event.Change change -> changes.add(change);
        }
    }

    private static void add(List<Event.Sample> samples, Event.Sample sample) {
        samples.add(sample);
        if (samples.size() > MOST_SAMPLES) {
            // The first and the last stay.
            for (int i = samples.size() - 2; i > 0; i -= 2) {
                samples.remove(i);
            }
        }
    }

    long step() {
        return last == null ? 0 : last.step();
    }

    /** Of the whole run; 0 where that is not known. */
    long totalSteps() {
        return sessions.isEmpty()
                ? options.get("steps") instanceof Number steps ? steps.longValue() : 0
                : sessions.getLast().totalSteps();
    }

    boolean isFinished() {
        return saved.containsKey("final") && saved.get("final").step() >= step();
    }

    /** Steps at which it was resumed. */
    List<Double> joints() {
        return sessions.stream()
                .filter(session -> session.step() > 0)
                .map(session -> (double) session.step())
                .toList();
    }
}
