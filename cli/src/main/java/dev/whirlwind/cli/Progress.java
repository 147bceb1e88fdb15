package dev.whirlwind.cli;

import dev.whirlwind.training.Event;
import dev.whirlwind.training.Listener;
import java.io.PrintWriter;
import java.time.Duration;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** Shows how a run goes on: a bar on a terminal, else a line every few seconds. */
final class Progress implements Listener, AutoCloseable {
    private static final long INTERVAL_NANOS = 10_000_000_000L;
    private static final int BAR_MILLIS = 500;

    /** How much the latest step counts at least in the running mean of a step's time. */
    private static final double LATEST = 0.1;

    private final PrintWriter err;
    private final String name;
    private long totalSteps;
    private ProgressBar bar;
    private long lastLine;
    private long lastStep = System.nanoTime();
    private double secondsPerStep;
    private int stepsTimed;

    Progress(PrintWriter err, String name) {
        this.err = err;
        this.name = name;
    }

    /** Training begins, after so many steps that were done before. */
    void begin(long step, long totalSteps) {
        this.totalSteps = totalSteps;
        if (Terminal.interactive()) {
            bar = new ProgressBarBuilder()
                    .setTaskName(name.split(" ", 2)[0])
                    .setInitialMax(totalSteps)
                    .startsFrom(step, Duration.ZERO)
                    .setStyle(ProgressBarStyle.ASCII)
                    .setUpdateIntervalMillis(BAR_MILLIS)
                    .build();
        }
    }

    @Override
    public void on(Event event) {
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
        }
    }

    private void step(Event.Step step) {
        long now = System.nanoTime();
        double seconds = (now - lastStep) * 1e-9;
        lastStep = now;
        // The second step is taken in place of the first, in which the JVM has yet to compile.
        double weight = Math.max(LATEST, 1.0 / Math.max(1, stepsTimed++));
        secondsPerStep += weight * (seconds - secondsPerStep);
        if (bar != null) {
            bar.stepTo(step.step());
            // Fits 80 columns together with the bar and its times.
            bar.setExtraMessage(
                    "loss %.3f lr %.0e %,.0f tok/s".formatted(step.loss(), step.lr(), step.tokensPerSecond()));
        } else if (now - lastLine >= INTERVAL_NANOS || step.step() == totalSteps) {
            lastLine = now;
            long left = Math.round((totalSteps - step.step()) * secondsPerStep);
            String figures =
                    "loss %.4f  lr %.2e  %,.0f tokens/s".formatted(step.loss(), step.lr(), step.tokensPerSecond());
            // After the first step nobody knows.
            String time = stepsTimed > 1 ? "  %d:%02d left".formatted(left / 60, left % 60) : "";
            line("step %,d of %,d  %s%s".formatted(step.step(), totalSteps, figures, time));
        }
    }

    @Override
    public void note(String sentence) {
        line(sentence);
    }

    private void line(String text) {
        // On a terminal the bar's line is wiped first; it is drawn again below.
        err.println((bar == null ? "" : "\r\u001B[K") + name + ": " + text);
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
        }
    }
}
