package dev.whirlwind.cli.terminal;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Locale;
import org.junit.jupiter.api.Test;

class FiguresTest {
    @Test
    void noFigureIsEndless() {
        assertThat(Figures.of(1234.5678, 3)).isEqualTo("%.3f".formatted(1234.568));
        assertThat(Figures.of(3.85e170, 3).toLowerCase(Locale.ROOT)).endsWith("e+170");
        assertThat(Figures.of(Double.POSITIVE_INFINITY, 3)).isEqualTo("Infinity");
    }
}
