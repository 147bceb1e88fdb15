package dev.whirlwind.data;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.data.DocumentPieces.Piece;
import dev.whirlwind.data.tokenizers.ByteTokenizer;
import dev.whirlwind.data.tokenizers.Cases;
import dev.whirlwind.data.tokenizers.SpecialTokens;
import dev.whirlwind.data.tokenizers.Text;
import dev.whirlwind.data.tokenizers.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DocumentPiecesTest {
    /** By {@code -Dwhirlwind.long=true}: many more texts. */
    private static final boolean LONG = Boolean.getBoolean("whirlwind.long");

    private static final int TEXTS = LONG ? 20_000 : 400;

    private static final List<String> FRAGMENTS = List.of(
            " ",
            "  ",
            "\n",
            "\r\n",
            "\t",
            " \n",
            "\u00a0",
            "\u2003",
            "\u3000",
            "\u2581",
            " \u2581",
            "a",
            "The",
            "it's",
            "'S",
            "13",
            "1234567",
            "x1",
            "!",
            "?!",
            " -- ",
            "//",
            "é",
            "e\u0301",
            "\u0301",
            "ß",
            "ﬁ",
            "中文",
            "。",
            "かな",
            "한글",
            "\u1112\u1161",
            "नमस्ते",
            "😀",
            "👨\u200d👩",
            "\ud83d",
            "</s>",
            "<s>",
            "<unk>",
            "<|endoftext|>",
            "<|begin_of_text|>",
            "<|im_end|>",
            " </s> ",
            "</s>a",
            "<0x0A>",
            "\u001c",
            "\u0085",
            "\u200b",
            "_",
            "'ll ");

    private final long seed = System.nanoTime();
    private final Random random = new Random(seed);

    private static Tokenizer tokenizer(String name) {
        return name.equals("bytes") ? new ByteTokenizer() : Tokenizer.load(Cases.TOKENIZERS.resolve(name));
    }

    private String text(int fragments) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < fragments; i++) {
            String fragment = FRAGMENTS.get(random.nextInt(FRAGMENTS.size()));
            // Words and single spaces are what most texts are made of.
            text.append(random.nextInt(3) == 0 ? fragment : random.nextBoolean() ? "word" : " ");
        }
        return Text.wellFormed(text.toString());
    }

    private List<Piece> pieces(Tokenizer tokenizer, String text, int length) {
        List<Piece> pieces = new ArrayList<>();
        DocumentPieces documents = new DocumentPieces(tokenizer, length, pieces::add);
        int from = 0;
        while (from < text.length()) {
            int to = Math.min(text.length(), from + 1 + random.nextInt(20));
            documents.add("text", text.substring(from, to), false);
            from = to;
        }
        documents.add("text", "", true);
        return pieces;
    }

    private static int[] tokens(Tokenizer tokenizer, List<Piece> pieces, SpecialTokens names) {
        return pieces.stream()
                .flatMapToInt(piece -> Arrays.stream(piece.tokens(tokenizer, names)))
                .toArray();
    }

    @ParameterizedTest
    @ValueSource(strings = {"bytes", "gpt2", "llama3", "qwen2", "llama2", "llama2-metaspace"})
    void piecesHaveTheTokensOfTheWhole(String name) {
        Tokenizer tokenizer = tokenizer(name);
        int cut = 0;
        for (int i = 0; i < TEXTS; i++) {
            String text = text(1 + random.nextInt(60));
            SpecialTokens names = i % 2 == 0 ? SpecialTokens.TEXT : SpecialTokens.PARSE;
            int[] whole = join(tokenizer.before(), names.encode(tokenizer, text), tokenizer.afterDocument());
            List<Piece> pieces = pieces(tokenizer, text, 1 + random.nextInt(30));
            assertThat(tokens(tokenizer, pieces, names))
                    .as("seed %d, %s, <%s> cut to %s", seed, names, text, pieces)
                    .isEqualTo(whole);
            cut += pieces.size() - 1;
        }
        assertThat(cut).isGreaterThan(TEXTS);
    }

    private static int[] join(int[]... parts) {
        return Arrays.stream(parts).flatMapToInt(Arrays::stream).toArray();
    }

    /** A letter is a letter for Java and for the library, which may know another edition of Unicode. */
    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "llama3", "qwen2"})
    void everyLetterThatATextIsCutAfterIsOneForTheLibrary(String name) {
        Tokenizer tokenizer = tokenizer(name);
        StringBuilder wrong = new StringBuilder();
        for (char c = 0; c < Character.MIN_SURROGATE; c++) {
            // White space that a word of symbols may go on over; a space never.
            String text = "a" + c + "\n\n b";
            if (tokenizer.boundary(text, 1, 2) == 2 && (LONG || c % 7 == seed % 7)) {
                int[] parts = join(
                        tokenizer.encode(text.substring(0, 2)),
                        tokenizer.encode(tokenizer.continuation(text.substring(2))));
                if (!Arrays.equals(parts, tokenizer.encode(text))) {
                    wrong.append(String.format(" %04x", (int) c));
                }
            }
        }
        assertThat(wrong.toString()).isEmpty();
    }

    @Test
    void whatIsNotKnownToBeCuttableStaysWhole() {
        Tokenizer tokenizer = tokenizer("llama2");
        assertThat(pieces(tokenizer, "x".repeat(1000), 10)).hasSize(1);
        assertThat(tokenizer.boundary("a  b", 0, 4)).isZero();
        assertThat(tokenizer.boundary("a b", 0, 3)).isEqualTo(1);
        assertThat(tokenizer.boundary("a <s>", 0, 5)).isZero();
        assertThat(tokenizer.boundary("</s> b", 0, 6)).isZero();
    }

    @Test
    void aDocumentHasItsBeginningAndItsEndOnce() {
        Tokenizer tokenizer = tokenizer("llama2");
        String text = IntStream.range(0, 100).mapToObj(i -> "word" + i).collect(Collectors.joining(" "));
        List<Piece> pieces = pieces(tokenizer, text, 50);
        assertThat(pieces).hasSizeGreaterThan(5);
        int[] tokens = tokens(tokenizer, pieces, SpecialTokens.TEXT);
        assertThat(tokens[0]).isEqualTo(1);
        assertThat(tokens[tokens.length - 1]).isEqualTo(2);
        assertThat(tokens).hasSize(tokenizer.encode(text).length + 2);
    }
}
