package dev.whirlwind.cli.terminal;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.cli.Child;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@DisabledOnOs(OS.WINDOWS)
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class InterruptionTest {
    @TempDir
    Path temp;

    /** Work that never ends, also when it is asked to; or one that ends with an Error then. */
    static final class Work {
        public static void main(String[] args) throws Exception {
            PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
            Thread main = Thread.currentThread();
            try (Interruption _ = Interruption.ending(err, "outer")) {
                try (Interruption _ = Interruption.stopping(err, main::interrupt, "ended at once")) {
                    err.println("working");
                    Thread.sleep(60_000);
                } catch (InterruptedException e) {
                    err.println("asked to stop");
                    if (args.length > 0) {
                        throw new InternalError("as of a file that was cut short");
                    }
                }
                try (Interruption _ = Interruption.stopping(err, err::flush, "ended at once")) {
                    err.println("working on");
                    Thread.sleep(60_000);
                }
            }
        }
    }

    private Process work(Path output, String... args) throws Exception {
        Process process = Child.start(Child.java(Work.class, List.of(), (Object[]) args), output);
        assertThat(Child.awaits(process, output, "working")).isTrue();
        return process;
    }

    @Test
    void theSecondSignalEndsTheProcess() throws Exception {
        Path output = temp.resolve("out.txt");
        Process process = work(output);
        Child.signal(process, "TERM");
        assertThat(Child.awaits(process, output, "working on")).isTrue();
        Child.signal(process, "INT");
        // The first of this part of the work.
        Thread.sleep(300);
        assertThat(process.isAlive()).isTrue();
        Child.signal(process, "HUP");
        assertThat(process.waitFor()).isEqualTo(Interruption.EXIT_CODE);
        assertThat(Files.readString(output)).endsWith("ended at once\n").doesNotContain("outer");
    }

    @Test
    void anErrorAfterASignalEndsTheProcess() throws Exception {
        Path output = temp.resolve("out.txt");
        Process process = work(output, "fail");
        Child.signal(process, "TERM");
        assertThat(process.waitFor()).isEqualTo(1);
        assertThat(Files.readString(output)).contains("asked to stop", "InternalError");
    }
}
