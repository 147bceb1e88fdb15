package dev.whirlwind.cli.terminal;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class BarTest {
    private static final List<String> FIGURES = List.of(
            "1234/20000", "loss 3.456", "lr 1.00e-04", "12.3k tokens/s", "1:02:03 left", "55 % of peak", "1.2 GB");

    private static String line(int width) {
        return Bar.line("train", 1234, 20_000, FIGURES, width);
    }

    @Test
    void leavesOutWhatDoesNotFit() {
        assertThat(line(120))
                .isEqualTo("train   6 % [=" + " ".repeat(17)
                        + "] 1234/20000, loss 3.456, lr 1.00e-04, 12.3k tokens/s, 1:02:03 left, 55 % of peak, 1.2 GB");
        // The bar says what the percentage says, and so gives way to figures.
        assertThat(line(79)).isEqualTo("train   6 % 1234/20000, loss 3.456, lr 1.00e-04, 12.3k tokens/s, 1:02:03 left");
        assertThat(line(62)).isEqualTo("train   6 % 1234/20000, loss 3.456, lr 1.00e-04, 1:02:03 left");
        assertThat(line(39)).isEqualTo("train   6 % 1234/20000, loss 3.456");
        assertThat(line(22)).isEqualTo("train   6 % 1234/20000");
    }

    @Test
    void neverLongerThanTheTerminal() {
        for (int width = 0; width < 150; width++) {
            assertThat(line(width).length()).isLessThanOrEqualTo(width);
        }
    }

    @Test
    void fullAndEmpty() {
        assertThat(Bar.line("x", 0, 10, List.of(), 100)).isEqualTo("x   0 % [" + " ".repeat(40) + "]");
        assertThat(Bar.line("x", 10, 10, List.of(), 100)).isEqualTo("x 100 % [" + "=".repeat(40) + "]");
        assertThat(Bar.line("x", 0, 0, List.of(), 100)).isEqualTo("x 100 % [" + "=".repeat(40) + "]");
        assertThat(Bar.line("x", 11, 10, List.of(), 100)).isEqualTo("x 100 % [" + "=".repeat(40) + "]");
    }
}
