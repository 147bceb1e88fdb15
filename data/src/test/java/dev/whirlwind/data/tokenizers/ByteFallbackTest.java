package dev.whirlwind.data.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HexFormat;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ByteFallbackTest {
    private final Tokenizer tokenizer = Tokenizer.load(Cases.TOKENIZERS.resolve("llama2"));

    /** Byte n has id n + 3 in Llama 2's vocabulary. */
    private static IntStream bytes(String hex) {
        byte[] bytes = HexFormat.ofDelimiter(" ").parseHex(hex);
        return IntStream.range(0, bytes.length).map(i -> (bytes[i] & 0xFF) + 3);
    }

    @ParameterizedTest
    @CsvSource(
            value = {
                "C3 A9 F0 9F, é??",
                "C3 A9, é",
                "F0 9F 98 80, 😀",
                "F0 9F 98, ???",
                "9F C3 A9, ?é",
                "C3, ?",
                "C3 C3 A9 C3, ?é?",
                "C0 80, ??",
                "ED A0 80, ???",
                "EF BF BD, ?",
                "F4 90 80 80, ????",
            })
    void wholeCharactersStayAndOtherBytesAreReplaced(String hex, String text) {
        String expected = text.replace('?', '\uFFFD');
        assertThat(tokenizer.decode(bytes(hex).toArray())).isEqualTo(expected);
        int[] words = tokenizer.encode("a b");
        int[] around = IntStream.concat(IntStream.of(words), IntStream.concat(bytes(hex), IntStream.of(words)))
                .toArray();
        assertThat(tokenizer.decode(around)).isEqualTo("a b" + expected + " a b");
    }
}
