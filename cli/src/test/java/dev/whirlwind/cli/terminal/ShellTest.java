package dev.whirlwind.cli.terminal;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ShellTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '#',
            value = {
                "runs/first-1.5/final|runs/first-1.5/final",
                "my run|'my run'",
                "it's $(x)|'it'\\''s $(x)'",
                "a;b&c|'a;b&c'",
                "##|''"
            })
    void onlyWhatShellsReadIsQuoted(String text, String word) {
        assertThat(Shell.word(text)).isEqualTo(word);
    }
}
