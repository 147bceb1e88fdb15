package dev.whirlwind.cli.terminal;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class CompileProgressTest {
    private static String shown(boolean terminal) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        CompileProgress progress = new CompileProgress(new PrintStream(bytes, true, StandardCharsets.UTF_8), terminal);
        progress.at(0, 20, 0);
        progress.at(20, 20, 9.6);
        progress.at(20, 61, 9.6);
        progress.at(23, 61, 12.2);
        progress.at(40, 61, 15);
        progress.at(61, 61, 30);
        return bytes.toString(StandardCharsets.UTF_8).replace(System.lineSeparator(), "\n");
    }

    @Test
    void aLineOnATerminalGoesWhenAllIsCompiled() {
        assertThat(shown(true))
                .contains("\r\u001B[Kcompiling kernels: 23 of 61, 12 s")
                .endsWith("\r\u001B[K")
                .doesNotContain("\n");
    }

    @Test
    void elsewhereThereAreFewLines() {
        assertThat(shown(false)).isEqualTo("compiling kernels: 23 of 61, 12 s\ncompiling kernels: 61 of 61, 30 s\n");
    }
}
