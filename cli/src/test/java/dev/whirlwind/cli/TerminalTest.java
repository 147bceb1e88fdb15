package dev.whirlwind.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.cli.terminal.Interruption;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The program in a real terminal. */
@EnabledOnOs({OS.LINUX, OS.MAC})
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class TerminalTest {
    private static final int STEPS = 1000;

    @TempDir
    static Path temp;

    private static Path model;
    private static Path texts;

    @BeforeAll
    static void make() {
        model = Cli.model(temp.resolve("model"));
        texts = Cli.texts(temp.resolve("texts"));
    }

    private static Object[] train(Path run, Object... more) {
        List<Object> args = new ArrayList<>(List.of("train", "--model", model, "--data", texts, "--out", run));
        args.addAll(List.of("--batch", "1", "--sequence", "8", "--save-every", "0", "--engine", "cpu"));
        args.addAll(List.of(more));
        return args.toArray();
    }

    @Test
    void ctrlCWhileTheBarIsDrawnSavesAndSaysSo() throws Exception {
        Path run = temp.resolve("run");
        try (Pty pty = Pty.program(80, train(run, "--steps", STEPS))) {
            pty.until("loss");
            if (Files.exists(Path.of("/proc/self/status"))) {
                // SIGHUP, SIGINT and SIGTERM are caught, as bits 0, 1 and 14 say.
                String caught = Files.readAllLines(Path.of("/proc/" + pty.pid() + "/status")).stream()
                        .filter(line -> line.startsWith("SigCgt:"))
                        .findFirst()
                        .orElseThrow();
                BigInteger mask =
                        new BigInteger(caught.substring("SigCgt:".length()).strip(), 16);
                assertThat(mask.testBit(0) && mask.testBit(1) && mask.testBit(14))
                        .isTrue();
            }
            pty.until("tokens/s");
            pty.press(Pty.CTRL_C);
            assertThat(pty.end()).as(pty.shown()).isEqualTo(Interruption.EXIT_CODE);
            // The last line, where the bar was.
            List<String> lines = pty.lines();
            assertThat(lines.getLast()).isEmpty();
            assertThat(lines.get(lines.size() - 2))
                    .startsWith("interrupted after step ")
                    .endsWith("; everything is saved; go on with: whirlwind resume " + run);
            assertThat(pty.shown())
                    .containsPattern(
                            "train +\\d+ % \\d+/1000, loss \\d\\.\\d{3}, lr \\d\\.\\d\\de-\\d\\d, [\\d.]+k? tokens/s, ");
            assertThat(lines).filteredOn(line -> line.startsWith("train ")).allMatch(line -> line.length() < 80);
        }
        assertThat(run.resolve("final")).doesNotExist();
        assertThat(run.resolve("checkpoints").toFile().list()).hasSize(1);
        Cli.run("resume", run).succeeds();
        Path whole = temp.resolve("whole");
        Cli.run(train(whole, "--steps", STEPS)).succeeds();
        assertThat(run.resolve("final/model.safetensors"))
                .hasSameBinaryContentAs(whole.resolve("final/model.safetensors"));
    }

    /** In a step of so many micro-batches that it would take for ever, on a terminal that becomes narrower. */
    @Test
    void ctrlCAmidAStep() throws Exception {
        Path run = temp.resolve("amid");
        try (Pty pty = Pty.program(40, train(run, "--steps", "2", "--accumulation", "100000000"))) {
            pty.until("step 0: valid perplexity").until("0/2");
            pty.press(Pty.CTRL_C);
            assertThat(pty.end()).as(pty.shown()).isEqualTo(Interruption.EXIT_CODE);
            assertThat(pty.shown()).contains("interrupted before the first step was done; begin again with: whirlwind");
            assertThat(pty.lines())
                    .filteredOn(line -> line.startsWith("train "))
                    .allMatch(line -> line.length() < 40);
        }
        assertThat(run.resolve("checkpoints")).doesNotExist();
        Path output = temp.resolve("amid.txt");
        Process resumed = Child.start(Child.program(List.of(), "resume", run), output);
        assertThat(Child.awaits(resumed, output, "step 0: valid perplexity")).isTrue();
        Child.signal(resumed, "HUP");
        assertThat(resumed.waitFor()).isEqualTo(Interruption.EXIT_CODE);
        assertThat(output)
                .content()
                .contains("there is no checkpoint yet: beginning again, from " + model, "interrupted before")
                .doesNotContain("\u001B", "\r");
    }

    @Test
    void theBarFollowsTheWidth() throws Exception {
        try (Pty pty = Pty.program(80, train(temp.resolve("resized"), "--steps", "90000"))) {
            pty.until("tokens/s");
            pty.resize(40);
            pty.until("\u001B[Ktrain").until("\u001B[Ktrain").until("\u001B[K");
            int from = pty.lines().size();
            // What was shown by then may be looked through first; the line after this one shows that it is whole.
            while (pty.lines().size() < from + 2) {
                pty.until("\u001B[Ktrain");
            }
            assertThat(pty.lines().get(from)).hasSizeLessThan(40).contains("loss ");
        }
    }

    @Test
    void generateStreamsPlainTextAndCtrlCEndsIt() throws Exception {
        Path large = temp.resolve("large");
        Path config = Cli.write(
                temp.resolve("large.json"),
                Cli.TINY.replace("\"max_position_embeddings\": 32", "\"max_position_embeddings\": 200000"));
        Cli.run("init", "--config", config, "--out", large).succeeds();
        try (Pty pty = Pty.program(
                80, "generate", "--model", large, "--prompt", "Ab", "--max-tokens", "100000", "--engine", "cpu")) {
            while (pty.shown().isEmpty()) {
                Thread.sleep(5);
            }
            pty.press(Pty.CTRL_C);
            assertThat(pty.end()).isEqualTo(Interruption.EXIT_CODE);
        }
    }

    @Test
    void demoInterrupted() throws Exception {
        Path folder = temp.resolve("demo");
        try (Pty pty = Pty.program(80, "demo", "--quick", "--engine", "cpu", "--out", folder)) {
            pty.until("tokens/s");
            pty.press(Pty.CTRL_C);
            assertThat(pty.end()).as(pty.shown()).isEqualTo(Interruption.EXIT_CODE);
            assertThat(pty.shown()).contains("everything is saved; go on with: whirlwind resume " + folder);
        }
    }

    @Test
    void nothingIsDrawnOnADumbTerminal() throws Exception {
        Path run = temp.resolve("dumb");
        List<String> command = Child.program(List.of("-Dwhirlwind.terminal=true"), train(run, "--steps", "3"));
        try (Pty pty = new Pty(80, java.util.Map.of("TERM", "dumb"), command)) {
            assertThat(pty.end()).isZero();
            assertThat(pty.shown()).contains("step 3 of 3").doesNotContain("\u001B");
        }
    }
}
