package dev.whirlwind.cli.run;

import dev.whirlwind.cli.terminal.Bar;
import dev.whirlwind.cli.terminal.Figures;
import dev.whirlwind.cli.terminal.Terminal;
import dev.whirlwind.model.Reason;
import dev.whirlwind.training.memory.ProcessMemory;
import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.metrics.Listener;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;

/**
 * Shows how a run goes on: a bar on a terminal, else a line every few seconds; and writes it to the run's log, if it has
 * one. Any thread may tell it.
 */
final class Progress implements Listener {
    private static final long INTERVAL_NANOS = 10_000_000_000L;
    private static final long BAR_NANOS = 100_000_000L;

    /** How much the latest step counts at least in the running means of a step's time and of the loss. */
    private static final double LATEST_TIME = 0.1;

    private static final double LATEST_LOSS = 0.05;

    /**
     * What a run's speed is judged by.
     *
     * @param flopsPerToken floating-point operations that the model needs
     * @param peakGflops that the machine was measured to give; null where that is not known
     */
    record Work(double flopsPerToken, Double peakGflops) {}

    private final PrintWriter err;
    private final String name;
    private RunLog log;
    private Work work;
    private long totalSteps;
    private Bar bar;
    private long lastShown = System.nanoTime() - INTERVAL_NANOS;
    private long lastLine = lastShown;
    private long lastStep = System.nanoTime();
    private double secondsPerStep;
    private double loss;
    private int steps;
    private String evaluated;

    Progress(PrintWriter err, String name) {
        this.err = err;
        this.name = name;
    }

    /** From now on everything goes to this log, too. It is closed with this. */
    synchronized void logTo(RunLog log) {
        this.log = log;
    }

    /** Training begins, after so many steps that were done before. */
    synchronized void begin(long step, long totalSteps, Work work) {
        this.totalSteps = totalSteps;
        this.work = work;
        if (Terminal.interactive()) {
            bar = new Bar(err, name.split(" ", 2)[0]);
            bar.draw(step, totalSteps, List.of(count(step)));
        }
    }

    @Override
    public synchronized void on(Event event) {
        switch (event) {
            case Event.Step step -> step(step);
            case Event.Eval eval -> {
                String bits = eval.bitsPerByte() == null ? "" : ", %.4f bits per byte".formatted(eval.bitsPerByte());
                line("step %,d: %s perplexity %s (loss %.4f%s)"
                        .formatted(eval.step(), eval.name(), Figures.of(eval.perplexity(), 3), eval.loss(), bits));
                evaluated = evaluated != null && !evaluated.startsWith(eval.name() + " ")
                        ? evaluated
                        : "%s ppl %.4g".formatted(eval.name(), eval.perplexity());
            }
            case Event.Saved saved ->
                line("step %,d: saved %s (%,.1f MB in %.1f s)"
                        .formatted(saved.step(), saved.path(), 1e-6 * saved.bytes(), saved.seconds()));
            case Event.Anomaly anomaly ->
                line("step %,d: %s (%s)".formatted(anomaly.step(), anomaly.reason(), anomaly.action()));
            case Event.Sample sample ->
                line("step %,d: sample %s: %s"
                        .formatted(sample.step(), sample.name(), Reason.cited(sample.prompt() + sample.text())));
            case Event.Compared _, Event.Sources _, Event.Session _, Event.Change _ -> {}
        }
    }

    private void step(Event.Step step) {
        long now = System.nanoTime();
        double seconds = (now - lastStep) * 1e-9;
        lastStep = now;
        // The second step's time is taken in place of the first's, in which the JVM has yet to compile.
        double weight = Math.max(LATEST_TIME, 1.0 / Math.max(1, steps++));
        secondsPerStep += weight * (seconds - secondsPerStep);
        loss += Math.max(LATEST_LOSS, 1.0 / steps) * (step.loss() - loss);
        boolean last = step.step() == totalSteps;
        if (now - lastShown < (bar == null ? INTERVAL_NANOS : BAR_NANOS) && !last) {
            return;
        }
        lastShown = now;
        // After the first step nobody knows.
        String left = steps > 1 ? clock((totalSteps - step.step()) * secondsPerStep) + " left" : "";
        double gflops = 1e-9 * work.flopsPerToken() * step.tokensPerSecond();
        String share = work.peakGflops() == null ? "" : "%.2g %% of peak".formatted(100 * gflops / work.peakGflops());
        String memory = ProcessMemory.mib().stream()
                .mapToObj(mib -> "%,.1f GB".formatted(mib * 0x1p20 * 1e-9))
                .findFirst()
                .orElse("");
        if (bar == null || now - lastLine >= INTERVAL_NANOS || last) {
            lastLine = now;
            plainLine("step %,d of %,d  loss %.4f  lr %.2e  %,.0f tokens/s  %.3g GFLOP/s%s  %s  %s"
                    .formatted(
                            step.step(),
                            totalSteps,
                            loss,
                            step.lr(),
                            step.tokensPerSecond(),
                            gflops,
                            share.isEmpty() ? "" : " (" + share + ")",
                            memory,
                            left)
                    .stripTrailing());
        }
        if (bar != null) {
            List<String> figures = new ArrayList<>(List.of(
                    count(step.step()),
                    "loss %.3f".formatted(loss),
                    "lr %.2e".formatted(step.lr()),
                    "%s tokens/s".formatted(short3(step.tokensPerSecond())),
                    left,
                    share,
                    evaluated == null ? "" : evaluated,
                    memory,
                    short3(1e9 * gflops) + "FLOP/s"));
            figures.removeIf(String::isEmpty);
            bar.draw(step.step(), totalSteps, figures);
        }
    }

    /** Three digits and a unit, such as 12.3k. */
    static String short3(double number) {
        String[] units = {"", "k", "M", "G", "T", "P"};
        int unit = 0;
        while (number >= 999.5 && unit < units.length - 1) {
            number /= 1000;
            unit++;
        }
        return (number >= 99.95 ? "%.0f" : number >= 9.995 ? "%.1f" : "%.2f").formatted(number) + units[unit];
    }

    static String clock(double seconds) {
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

    /** A line that is not the run's own. */
    synchronized void say(String line) {
        show(line);
        log(line);
    }

    /** For the log only, as a failure is told by others. */
    synchronized void failed(String reason) {
        log(name + ": failed: " + reason);
    }

    private void line(String text) {
        say(name + ": " + text);
    }

    /** A line that the bar stands for on a terminal. */
    private void plainLine(String text) {
        if (bar == null) {
            show(name + ": " + text);
        }
        log(name + ": " + text);
    }

    private void show(String line) {
        if (bar == null) {
            err.println(line);
        } else {
            bar.above(line);
        }
    }

    private void log(String line) {
        if (log != null) {
            log.line(line);
        }
    }

    /** Takes the bar away. */
    synchronized void end() {
        if (bar != null) {
            bar.end();
            bar = null;
        }
    }

    @Override
    public synchronized void close() {
        end();
        if (log != null) {
            log.close();
            log = null;
        }
    }
}
