package dev.whirlwind.cli.run;

import dev.whirlwind.cli.terminal.Bar;
import dev.whirlwind.cli.terminal.Terminal;
import dev.whirlwind.model.Reason;
import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.metrics.Listener;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;

/** Shows how a run goes on: a bar on a terminal, else a line every few seconds. Any thread may tell it. */
final class Progress implements Listener {
    private static final long INTERVAL_NANOS = 10_000_000_000L;
    private static final long BAR_NANOS = 100_000_000L;

    /** How much the latest step counts at least in the running mean of a step's time. */
    private static final double LATEST = 0.1;

    private final PrintWriter err;
    private final String name;
    private long totalSteps;
    private Bar bar;
    private long lastShown = System.nanoTime() - INTERVAL_NANOS;
    private long lastStep = System.nanoTime();
    private double secondsPerStep;
    private int stepsTimed;

    Progress(PrintWriter err, String name) {
        this.err = err;
        this.name = name;
    }

    /** Training begins, after so many steps that were done before. */
    synchronized void begin(long step, long totalSteps) {
        this.totalSteps = totalSteps;
        if (Terminal.interactive()) {
            bar = new Bar(err, name.split(" ", 2)[0]);
            bar.draw(step, totalSteps, List.of(count(step)));
        }
    }

    @Override
    public synchronized void on(Event event) {
        switch (event) {
            case Event.Step step -> step(step);
            case Event.Eval eval ->
                line("step %,d: %s perplexity %.3f (loss %.4f)"
                        .formatted(eval.step(), eval.name(), eval.perplexity(), eval.loss()));
            case Event.Saved saved ->
                line("step %,d: saved %s (%,.1f MB in %.1f s)"
                        .formatted(saved.step(), saved.path(), 1e-6 * saved.bytes(), saved.seconds()));
            case Event.Anomaly anomaly ->
                line("step %,d: %s (%s)".formatted(anomaly.step(), anomaly.reason(), anomaly.action()));
            case Event.Sample sample ->
                line("step %,d: sample %s: %s"
                        .formatted(sample.step(), sample.name(), Reason.cited(sample.prompt() + sample.text())));
            case Event.Sources _, Event.Session _, Event.Change _ -> {}
        }
    }

    private void step(Event.Step step) {
        long now = System.nanoTime();
        double seconds = (now - lastStep) * 1e-9;
        lastStep = now;
        // The second step is taken in place of the first, in which the JVM has yet to compile.
        double weight = Math.max(LATEST, 1.0 / Math.max(1, stepsTimed++));
        secondsPerStep += weight * (seconds - secondsPerStep);
        if (now - lastShown < (bar == null ? INTERVAL_NANOS : BAR_NANOS) && step.step() != totalSteps) {
            return;
        }
        lastShown = now;
        String speed = "%,.0f tokens/s".formatted(step.tokensPerSecond());
        // After the first step nobody knows.
        String time = stepsTimed > 1 ? clock((totalSteps - step.step()) * secondsPerStep) + " left" : "";
        if (bar == null) {
            line("step %,d of %,d  loss %.4f  lr %.2e  %s  %s"
                    .formatted(step.step(), totalSteps, step.loss(), step.lr(), speed, time)
                    .stripTrailing());
        } else {
            List<String> figures = new ArrayList<>(List.of(count(step.step()), "loss %.3f".formatted(step.loss())));
            if (!time.isEmpty()) {
                figures.add(time);
            }
            figures.addAll(List.of(speed, "lr %.0e".formatted(step.lr())));
            bar.draw(step.step(), totalSteps, figures);
        }
    }

    private static String clock(double seconds) {
        long s = Math.round(seconds);
        return s < 3600 ? "%d:%02d".formatted(s / 60, s % 60) : "%d:%02d:%02d".formatted(s / 3600, s / 60 % 60, s % 60);
    }

    private String count(long step) {
        return step + "/" + totalSteps;
    }

    @Override
    public synchronized void note(String sentence) {
        line(sentence);
    }

    private void line(String text) {
        String line = name + ": " + text;
        if (bar == null) {
            err.println(line);
        } else {
            bar.above(line);
        }
    }

    @Override
    public synchronized void close() {
        if (bar != null) {
            bar.end();
            bar = null;
        }
    }
}
