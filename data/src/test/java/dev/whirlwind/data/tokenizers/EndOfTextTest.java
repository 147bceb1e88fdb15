package dev.whirlwind.data.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.data.tokenizers.EndOfText.Named;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EndOfTextTest {
    private static List<Long> ids(String text) {
        return text == null
                ? List.of()
                : Arrays.stream(text.split(" ")).map(Long::valueOf).toList();
    }

    /** Vocabulary of 10 ids. */
    @ParameterizedTest
    @CsvSource({
        // config.json, generation_config.json, the tokenizer's own; what joins, by which file; what stops
        "1, , 2, 1, config.json, 1",
        "1, 1 3, 2, 1, config.json, 1 3",
        "1 3, , 3, 3, config.json, 1 3",
        "1 3, 4, 2, 1, config.json, 1 3 4",
        ", 4 5, 2, 4, generation_config.json, 4 5",
        ", 4 5, 5, 5, generation_config.json, 4 5",
        ", , 2, 2, tokenizer_config.json, 2",
        ", , , -1, '', ",
        "50256, , 2, 2, tokenizer_config.json, 2",
        "-1, 4, 2, 4, generation_config.json, 4",
        "10 9, , , 9, config.json, 9",
    })
    void theModelsFilesComeFirst(String config, String generation, String own, int joins, String source, String stops) {
        EndOfText end = EndOfText.of(
                List.of(new Named("config.json", ids(config)), new Named("generation_config.json", ids(generation))),
                new Named("tokenizer_config.json", ids(own)),
                10,
                id -> "<" + id + ">");
        assertThat(end.id()).isEqualTo(joins);
        assertThat(end.source()).isEqualTo(source);
        assertThat(end.token()).isEqualTo(joins < 0 ? "" : "<" + joins + ">");
        Set<Integer> expected = ids(stops).stream().map(Long::intValue).collect(Collectors.toSet());
        assertThat(end.stops()).isEqualTo(expected);
    }
}
