package dev.whirlwind.cli.run;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.cli.Child;
import dev.whirlwind.cli.Cli;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.metrics.Metrics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** What a run shows of itself, and what may be asked of it. */
class WatchingTest {
    @TempDir
    Path temp;

    private Path model;
    private Path texts;

    @BeforeEach
    void makeModelAndTexts() {
        model = Cli.model(temp.resolve("model"));
        texts = Cli.texts(temp.resolve("texts"));
    }

    private Object[] train(Path run, int steps, Object... more) {
        List<Object> args = new ArrayList<>(List.of("train", "--model", model, "--data", texts, "--out", run));
        args.addAll(List.of("--replay", texts, "--replay-fraction", "0.25", "--steps", steps, "--batch", "2"));
        args.addAll(List.of("--sequence", "16", "--eval-windows", "4", "--save-every", "0", "--engine", "cpu"));
        args.addAll(List.of(more));
        return args.toArray();
    }

    private static <E extends Event> List<E> events(Class<E> kind, Path run) {
        return Metrics.read(run.resolve("metrics.jsonl")).stream()
                .filter(kind::isInstance)
                .map(kind::cast)
                .toList();
    }

    private static List<Path> list(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.sorted().toList();
        }
    }

    @Test
    void aRunIsWatchedInEveryFormAndEndsAsOneThatIsNot() throws IOException {
        Path plain = temp.resolve("plain");
        Cli.run(train(plain, 6, "--log-to", "none")).succeeds();
        assertThat(plain.resolve("tensorboard")).doesNotExist();

        Path run = temp.resolve("watched");
        Path prompts = Cli.write(temp.resolve("prompts.txt"), "Line <b>\n");
        Cli.Result result = Cli.run(train(
                        run,
                        6,
                        "--log-to",
                        "csv,tensorboard",
                        "--sample-every",
                        3,
                        "--sample-prompts",
                        prompts,
                        "--sample-tokens",
                        5))
                .succeeds();
        assertThat(result.err()).contains("step 3: sample 1: Line <b>");
        assertThat(run.resolve("final/model.safetensors"))
                .hasSameBinaryContentAs(plain.resolve("final/model.safetensors"));

        assertThat(events(Event.Sample.class, run)).extracting(Event::step).containsExactly(0L, 3L, 6L);
        Event.Session session = events(Event.Session.class, run).getFirst();
        assertThat(session.totalSteps()).isEqualTo(6);
        assertThat(session.environment().get("engine")).startsWith("cpu: ");
        assertThat(events(Event.Sources.class, run)
                        .getLast()
                        .sources()
                        .get("replay")
                        .sequences())
                .isEqualTo(3);
        assertThat(run.resolve("report.html"))
                .content()
                .contains("<h1>watched</h1>", "step 6 of 6, done", "Line &lt;b&gt;", "replay_fraction", "cpu: ");
        assertThat(Files.readString(run.resolve("metrics.csv"))).contains("\n6,train/loss,", "\n6,eval/valid/loss,");
        assertThat(list(run.resolve("tensorboard"))).hasSize(1);
    }

    /** Where no prompts are given, the texts that are held out begin them. */
    @Test
    void promptsOfOnesOwnAreNotNeeded() {
        Path run = temp.resolve("run");
        Cli.run(train(run, 2, "--sample-every", 5, "--sample-temperature", 0)).succeeds();
        List<Event.Sample> samples = events(Event.Sample.class, run);
        assertThat(samples).extracting(Event.Sample::name).containsExactly("valid", "replay", "valid", "replay");
        assertThat(samples.getFirst().prompt()).startsWith("Line 0 of text");

        Cli.run(train(temp.resolve("a"), 2, "--sample-prompts", temp.resolve("none.txt")))
                .isWrongUsage("sample_prompts only has an effect with sample_every");
        Cli.run(train(temp.resolve("b"), 2, "--sample-every", 1, "--sample-prompts", temp.resolve("none.txt")))
                .fails("none.txt: cannot be read (no such file", "sample_prompts");
        Cli.run(train(temp.resolve("c"), 2, "--sample-every", 1, "--held-out", 0))
                .isWrongUsage("sample_every needs prompts");
        Cli.run(train(temp.resolve("d"), 2, "--log-to", "wandb"))
                .isWrongUsage("command line: log_to is wandb; it must be tensorboard, csv or both, or none");
        assertThat(temp.resolve("b")).doesNotExist();
    }

    @Test
    void runsAreReportedAndCompared() throws IOException {
        Path a = temp.resolve("runs/a");
        Path b = temp.resolve("runs/b");
        Cli.run(train(a, 3)).succeeds();
        Cli.run(train(b, 4, "--lr", "2e-4")).succeeds();
        Files.delete(a.resolve("report.html"));
        // As a process leaves it that is killed while it writes.
        Files.writeString(
                a.resolve("metrics.jsonl"), Files.readString(a.resolve("metrics.jsonl")) + "{\"event\":\"step\",\"st");
        assertThat(Cli.run("report", a).succeeds().out().strip())
                .isEqualTo(a.resolve("report.html").toString());
        assertThat(a.resolve("report.html")).content().contains("<h1>a</h1>", "step 3 of 3, done");

        Path out = temp.resolve("pages/both.html");
        JsonNode json =
                Cli.run("report", a, b, "--out", out, "--json").succeeds().json();
        assertThat(json.path("report").stringValue()).isEqualTo(out.toString());
        assertThat(out).content().contains("<h1>a, b</h1>", "<td>lr</td>", "data-label=\"b\"");

        Cli.run("report", temp).fails("is not the folder of a run");
        Cli.run("report", a, "--out", a.resolve("config.yaml")).fails("config.yaml: is there, and no report");
        Files.delete(a.resolve("metrics.jsonl"));
        Cli.run("report", a).fails(a + ": has no metrics.jsonl yet");
        Cli.run("report").isWrongUsage("RUN");
    }

    @Test
    void whatCannotBeWrittenDoesNotEndARun() throws IOException {
        Path run = temp.resolve("run");
        Cli.run(train(run, 2)).succeeds();
        for (String name : List.of("report.html", "tensorboard", "final", "checkpoints", "best", "metrics.jsonl")) {
            Storage.delete(run.resolve(name));
        }
        Files.createDirectories(run.resolve("report.html/in the way"));
        Files.createFile(run.resolve("tensorboard"));
        Cli.Result result = Cli.run("resume", run).succeeds();
        assertThat(result.err())
                .contains("report.html: cannot be written (", "tensorboard: cannot be written (")
                .contains("; the run goes on without it");
        assertThat(run.resolve("final/model.safetensors")).exists();
    }

    @Test
    @DisabledOnOs(OS.WINDOWS)
    @Timeout(value = 120, unit = TimeUnit.SECONDS)
    void signalsAskForACheckpointAndAnEvaluation() throws Exception {
        Path run = temp.resolve("run");
        Path metrics = run.resolve("metrics.jsonl");
        Process process = Child.start(
                Child.program(List.of(), train(run, 1_000_000, "--eval-every", 0, "--keep", 0)),
                temp.resolve("err.txt"));
        // Soon after, texts are prepared: nothing is asked for, and nothing ends.
        assertThat(Child.awaits(process, run.resolve("config.yaml"), "")).isTrue();
        Child.signal(process, "USR1");
        Child.signal(process, "USR2");
        assertThat(Child.awaits(process, metrics, "\"event\":\"step\"")).isTrue();
        Child.signal(process, "USR1");
        assertThat(Child.awaits(process, metrics, "\"path\":\"checkpoints/step-"))
                .isTrue();
        Child.signal(process, "USR2");
        assertThat(Child.awaits(process, metrics, "\"event\":\"sources\"")).isTrue();
        process.destroy();
        assertThat(process.waitFor()).isEqualTo(130);
        List<Event.Eval> evaluations = events(Event.Eval.class, run);
        assertThat(evaluations).extracting(Event.Eval::name).containsExactly("valid", "replay", "valid", "replay");
        assertThat(evaluations.getLast().step()).isPositive();
        assertThat(list(run.resolve("checkpoints"))).hasSize(2);
        assertThat(run.resolve("best")).doesNotExist();
        assertThat(run.resolve("report.html")).content().contains("not finished");
    }
}
