package dev.whirlwind.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.data.EvaluationWindows.Convention;
import dev.whirlwind.data.tokenizers.ByteTokenizer;
import dev.whirlwind.data.tokenizers.Cases;
import dev.whirlwind.data.tokenizers.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which windows are taken, which document they lie in, and of how many bytes; what is predicted: SequencesTest. */
class EvaluationWindowsTest {
    private static final int END = 255;

    /** The first token of each window that is taken. */
    private static List<Integer> starts(int tokens, int window, int most) {
        TokenSource source =
                TokenSource.of("counting", IntStream.range(0, tokens).toArray(), tokens, Integer.MAX_VALUE);
        EvaluationWindows windows = new EvaluationWindows(source, window, Convention.OVERLAPPING, most);
        int[] inputs = new int[windows.count() * window];
        int[] targets = new int[windows.count() * window];
        assertThat(windows.fill(0, windows.count(), inputs, targets)).isEqualTo((int) windows.predicted());
        return IntStream.range(0, windows.count())
                .mapToObj(i -> inputs[i * window])
                .toList();
    }

    @Test
    void asManyAsAskedForAreSpreadOverTheText() {
        assertThat(starts(101, 10, 5)).containsExactly(10, 30, 50, 70, 90);
        assertThat(starts(101, 10, 3)).containsExactly(10, 50, 80);
        assertThat(starts(101, 10, 1)).containsExactly(50);
        assertThat(starts(101, 10, 9)).containsExactly(0, 10, 20, 30, 50, 60, 70, 80, 90);
        assertThat(starts(101, 10, 10))
                .isEqualTo(starts(101, 10, 0))
                .isEqualTo(starts(101, 10, 11))
                .hasSize(10);
    }

    @Test
    void tokensAreCountedOnce() {
        TokenSource source = TokenSource.of("zeros", new int[101], 101, 256);
        assertThat(new EvaluationWindows(source, 10, Convention.OVERLAPPING).tokens())
                .isEqualTo(101);
        // Two windows that follow each other, and seven with gaps between some: 0-40, 50-100.
        assertThat(new EvaluationWindows(source, 10, Convention.OVERLAPPING, 9).tokens())
                .isEqualTo(41 + 51);
        assertThat(new EvaluationWindows(source, 10, Convention.SEPARATE, 5).tokens())
                .isEqualTo(50);
        assertThat(new EvaluationWindows(source, 10, Convention.SEPARATE, 5).predicted())
                .isEqualTo(45);
    }

    /** What a window has of the last 5 of 25 tokens: by these lengths some models rotate. */
    @Test
    void theLastWindowIsShorter() {
        TokenSource source = TokenSource.of("zeros", new int[25], 25, 256);
        EvaluationWindows overlapping = new EvaluationWindows(source, 10, Convention.OVERLAPPING);
        assertThat(IntStream.range(0, overlapping.count()).map(overlapping::length))
                .containsExactly(10, 10, 4);
        EvaluationWindows separate = new EvaluationWindows(source, 10, Convention.SEPARATE);
        assertThat(IntStream.range(0, separate.count()).map(separate::length)).containsExactly(10, 10, 5);
        assertThat(separate.name()).isEqualTo("zeros");
        // One token more than two windows, which would have nothing to predict.
        TokenSource shorter = TokenSource.of("zeros", new int[21], 21, 256);
        for (Convention convention : Convention.values()) {
            assertThat(new EvaluationWindows(shorter, 10, convention).count()).isEqualTo(2);
        }
    }

    /** Documents end at places 2, 3, 11, 12 and 29. */
    private static TokenSource documents() {
        int[] tokens = new int[32];
        for (int end : new int[] {2, 3, 11, 12, 29}) {
            tokens[end] = END;
        }
        return TokenSource.of("documents", tokens, 27, 256, END);
    }

    @Test
    void aWindowKnowsItsDocument() {
        EvaluationWindows all = new EvaluationWindows(documents(), 4, Convention.OVERLAPPING);
        // Their first predictions: 1, 5, 9, 13, 17, 21, 25, 29; an end belongs to the document that it ends.
        assertThat(IntStream.range(0, all.count()).mapToLong(all::document))
                .containsExactly(0L, 2L, 2L, 4L, 4L, 4L, 4L, 4L);
        EvaluationWindows two = new EvaluationWindows(documents(), 4, Convention.OVERLAPPING, 2);
        assertThat(two.document(1)).isEqualTo(4);
        assertThat(two.document(0)).isEqualTo(2);
        EvaluationWindows unknown =
                new EvaluationWindows(TokenSource.of("one", new int[40], 40, 256), 4, Convention.OVERLAPPING);
        assertThat(IntStream.range(0, unknown.count()).mapToLong(unknown::document))
                .containsOnly(0L);
    }

    @Test
    void documentsAreFoundInLongSources() {
        int[] tokens = new int[100_000];
        IntStream.iterate(6, i -> i < tokens.length, i -> i + 7).forEach(i -> tokens[i] = END);
        EvaluationWindows windows =
                new EvaluationWindows(TokenSource.of("long", tokens, 1, 256, END), 40_000, Convention.OVERLAPPING);
        assertThat(windows.document(0)).isZero();
        assertThat(windows.document(1)).isEqualTo(40_001 / 7);
        assertThat(windows.document(2)).isEqualTo(80_001 / 7);
    }

    @Test
    void bytesAreThoseOfThePredictedTokens() {
        Tokenizer tokenizer = new ByteTokenizer();
        // All but the first, which is not predicted, and the ends.
        assertThat(new EvaluationWindows(documents(), 4, Convention.OVERLAPPING).bytes(tokenizer))
                .isEqualTo(26);
        // Places 1-3, 5-7, 9-11, ... without the ends.
        assertThat(new EvaluationWindows(documents(), 4, Convention.SEPARATE).bytes(tokenizer))
                .isEqualTo(24 - 4);
        // Windows 2 and 6: places 9-12 and 25-28.
        assertThat(new EvaluationWindows(documents(), 4, Convention.OVERLAPPING, 2).bytes(tokenizer))
                .isEqualTo(2 + 4);
    }

    /** What is predicted of a text in one window of the last n tokens and what is not add up to all of it. */
    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "llama3", "llama2", "llama2-metaspace", "qwen2"})
    void bytesOfTokensAddUpToTheText(String name) {
        Tokenizer tokenizer = Tokenizer.load(Cases.TOKENIZERS.resolve(name));
        TokenBytes bytes = new TokenBytes(tokenizer);
        for (String text : List.of("a", "The end. ", "naïve 北京 \n\n\t😀e\u0301!", "x".repeat(50), "ÿ¡\u00ad")) {
            String plain = name.equals("qwen2") ? text.replace("e\u0301", "é") : text;
            int[] ids = tokenizer.encode(plain);
            int sum = bytes.ofFirst(ids[0]);
            for (int i = 1; i < ids.length; i++) {
                sum += bytes.of(ids[i]);
            }
            assertThat(sum).as(text).isEqualTo(plain.getBytes(StandardCharsets.UTF_8).length);
        }
        assertThat(bytes.of(tokenizer.endOfDocument())).isZero();
        assertThat(bytes.of(1 << 20)).isZero();
    }

    @Test
    void whereTheTokenizerChangesTheTextItIsAShareOfTheSourcesBytes() {
        Tokenizer tokenizer = Tokenizer.load(Cases.TOKENIZERS.resolve("qwen2"));
        String text = "e\u0301 ".repeat(200);
        int[] ids = tokenizer.encode(text);
        int sourceBytes = text.getBytes(StandardCharsets.UTF_8).length;
        TokenSource source = TokenSource.of("accents", ids, sourceBytes, 1 << 20);
        double bytes = new EvaluationWindows(source, 16, Convention.OVERLAPPING).bytes(tokenizer);
        assertThat(bytes).isCloseTo(sourceBytes, within(5.0)).isLessThan(sourceBytes);
    }

    @Test
    void severalDocumentsOfATokenizerThatBeginsEachWithASpace() {
        Tokenizer tokenizer = Tokenizer.load(Cases.TOKENIZERS.resolve("llama2"));
        List<Integer> ids = new ArrayList<>();
        int sourceBytes = 0;
        Random random = new Random(3);
        for (int document = 0; document < 20; document++) {
            String text = "Some words ".repeat(1 + random.nextInt(5)) + document;
            sourceBytes += text.length();
            Arrays.stream(tokenizer.encode(text)).forEach(ids::add);
            ids.add(tokenizer.endOfDocument());
        }
        TokenSource source = TokenSource.of(
                "words",
                ids.stream().mapToInt(i -> i).toArray(),
                sourceBytes,
                tokenizer.vocabularySize(),
                tokenizer.endOfDocument());
        int first = new TokenBytes(tokenizer).ofFirst(ids.getFirst());
        assertThat(new EvaluationWindows(source, 16, Convention.OVERLAPPING).bytes(tokenizer))
                .isEqualTo(sourceBytes - first);
    }
}
