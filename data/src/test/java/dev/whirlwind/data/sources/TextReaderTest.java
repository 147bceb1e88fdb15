package dev.whirlwind.data.sources;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.data.tokenizers.Cases;
import dev.whirlwind.data.tokenizers.Text;
import dev.whirlwind.data.tokenizers.Tokenizer;
import java.io.ByteArrayInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TextReaderTest {
    private final long seed = System.nanoTime();
    private final Random random = new Random(seed);

    private static List<String> read(InputStream in, int piece) throws Exception {
        List<String> pieces = new ArrayList<>();
        List<Boolean> lasts = new ArrayList<>();
        TextReader.read(in, piece, (text, last) -> {
            pieces.add(text);
            lasts.add(last);
        });
        assertThat(lasts.indexOf(true)).isEqualTo(lasts.size() - 1);
        return pieces;
    }

    /** Streams give as few bytes at a time as they like. */
    private InputStream dribble(byte[] bytes) {
        return new FilterInputStream(new ByteArrayInputStream(bytes)) {
            @Override
            public int read(byte[] b, int offset, int length) throws IOException {
                return super.read(b, offset, Math.min(length, 1 + random.nextInt(3)));
            }
        };
    }

    @ParameterizedTest
    @ValueSource(ints = {4, 7, 64, 1000})
    void piecesJoinToTheText(int piece) throws Exception {
        String alphabet = "ab é€\n 😀-";
        int[] codePoints = alphabet.codePoints().toArray();
        for (int length : new int[] {0, 1, 3, 64, 65, 777}) {
            String text = random.ints(length, 0, codePoints.length)
                    .mapToObj(i -> Character.toString(codePoints[i]))
                    .collect(Collectors.joining());
            List<String> pieces = read(dribble(text.getBytes(StandardCharsets.UTF_8)), piece);
            assertThat(String.join("", pieces)).as("seed %d", seed).isEqualTo(text);
            assertThat(pieces).allSatisfy(p -> assertThat(p.length()).isLessThanOrEqualTo(piece));
            assertThat(pieces).allSatisfy(p -> assertThat(Text.wellFormed(p)).isEqualTo(p));
            List<String> cut = new ArrayList<>();
            TextReader.cut(text, piece, (p, _) -> cut.add(p));
            assertThat(String.join("", cut)).as("seed %d", seed).isEqualTo(text);
            assertThat(cut).allSatisfy(p -> assertThat(Text.wellFormed(p)).isEqualTo(p));
        }
    }

    /** A long document costs no tokens for being cut. */
    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "llama3", "qwen2"})
    void piecesGiveTheTokensOfTheWhole(String name) throws Exception {
        Tokenizer tokenizer = Tokenizer.load(Cases.TOKENIZERS.resolve(name));
        String text = IntStream.range(0, 60)
                .mapToObj(
                        i -> "    if (x" + i + " == 17) {\n\n        return \"it's so, isn't it?\";  // Grüße\n    }\n")
                .collect(Collectors.joining("\n"));
        int[] whole = tokenizer.encode(text);
        for (int piece : new int[] {30, 57, 100, 333}) {
            int[] joined = read(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)), piece).stream()
                    .flatMapToInt(p -> Arrays.stream(tokenizer.encode(p)))
                    .toArray();
            assertThat(joined).as("pieces of %d", piece).isEqualTo(whole);
        }
    }

    @Test
    void lengthsInUtf8AreCounted() {
        for (Cases.Case c : Cases.of(Cases.TOKENIZERS.resolve("gpt2"))) {
            assertThat(Text.utf8Length(c.text())).isEqualTo(c.text().getBytes(StandardCharsets.UTF_8).length);
        }
    }
}
