package dev.whirlwind.data.tokenizers.training;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.data.tokenizers.Cases;
import dev.whirlwind.data.tokenizers.NewTokenizer;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.data.tokenizers.Words;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.JsonNode;

/** The cases are what Hugging Face's tokenizers 0.23 learnt from the same text, which has many scripts and ties. */
class BpeTrainerTest {
    private static final Path CASES = Path.of("src/test/resources/training");

    /** The second is a token that text makes, too. */
    private static final List<String> SPECIAL = List.of("<|endoftext|>", "aa");

    @TempDir
    Path folder;

    private static String text() throws IOException {
        return Files.readString(CASES.resolve("text.txt"));
    }

    private static BpeTrainer.Options options(Words words, int vocabulary) {
        return new BpeTrainer.Options(words, vocabulary, words == Words.LLAMA3 ? 0 : 2, SPECIAL, Long.MAX_VALUE);
    }

    /** Documents that come in pieces. */
    private static Corpus corpus(List<List<String>> documents) {
        return new Corpus() {
            @Override
            public void read(Sink sink) {
                for (List<String> pieces : documents) {
                    for (int i = 0; i < pieces.size(); i++) {
                        sink.text("document", pieces.get(i), i == pieces.size() - 1);
                    }
                }
            }

            @Override
            public String name() {
                return "texts";
            }
        };
    }

    private static BpeTrainer.Result train(BpeTrainer.Options options, List<List<String>> documents) {
        return BpeTrainer.train(corpus(documents), options, _ -> {});
    }

    @ParameterizedTest
    @EnumSource(Words.class)
    void learnsTheMergesOfHuggingFacesTrainer(Words words) throws IOException {
        JsonNode expected = Cases.json(CASES.resolve(words.name().toLowerCase(Locale.ROOT) + ".json"));
        int size = expected.path("vocab").size();
        BpeTrainer.Result result = train(options(words, size), List.of(List.of(text())));
        NewTokenizer learnt = result.tokenizer();
        assertThat(learnt.merges())
                .extracting(merge -> merge.left() + " " + merge.right())
                .isEqualTo(strings(expected.path("merges")));
        assertThat(learnt.vocabulary()).isEqualTo(strings(expected.path("vocab")));

        learnt.save(folder);
        Tokenizer saved = Tokenizer.load(folder);
        assertThat(saved.vocabularySize()).isEqualTo(size);
        assertThat(saved.endOfText().token()).isEqualTo("<|endoftext|>");
        assertThat(saved.encode(text()).length)
                .isEqualTo(expected.path("length").intValue());
        assertThat(saved.decode(saved.encode(text()))).isEqualTo(text());
    }

    private static List<String> strings(JsonNode array) {
        return array.valueStream().map(JsonNode::stringValue).toList();
    }

    @ParameterizedTest
    @EnumSource(Words.class)
    void countsWhatTheTokenizerThenMakes(Words words) throws IOException {
        // No token of the text is special here, so that it has as many tokens as were counted.
        BpeTrainer.Options options = new BpeTrainer.Options(words, 800, 2, List.of("<|endoftext|>"), Long.MAX_VALUE);
        BpeTrainer.Result result = train(options, List.of(List.of(text())));
        result.tokenizer().save(folder);
        assertThat(result.tokens()).isEqualTo(Tokenizer.load(folder).encode(text()).length);
        assertThat(result.bytes()).isEqualTo(text().getBytes(StandardCharsets.UTF_8).length);
    }

    @ParameterizedTest
    @EnumSource(Words.class)
    void piecesChangeNothing(Words words) throws IOException {
        String text = text();
        NewTokenizer whole = train(options(words, 800), List.of(List.of(text))).tokenizer();
        for (int seed = 0; seed < 5; seed++) {
            Random random = new Random(seed);
            int longest = 1 + random.nextInt(40);
            List<String> pieces = new ArrayList<>();
            for (int from = 0; from < text.length(); ) {
                int to = Math.min(text.length(), from + 1 + random.nextInt(longest));
                to += to < text.length() && Character.isLowSurrogate(text.charAt(to)) ? 1 : 0;
                pieces.add(text.substring(from, to));
                from = to;
            }
            assertThat(train(options(words, 800), List.of(pieces)).tokenizer())
                    .as("seed %d", seed)
                    .isEqualTo(whole);
        }
    }

    @Test
    void noWordGoesOverTheEndOfADocument() {
        List<List<String>> documents = List.of(List.of("aaa b"), List.of("bcc"), List.of("b"), List.of("bcc"));
        NewTokenizer tokenizer = train(new BpeTrainer.Options(Words.GPT2, 300, 2, List.of(), Long.MAX_VALUE), documents)
                .tokenizer();
        assertThat(tokenizer.merges())
                .containsExactly(
                        new NewTokenizer.Merge("a", "a"),
                        new NewTokenizer.Merge("b", "c"),
                        new NewTokenizer.Merge("bc", "c"));
    }

    @Test
    void noDocumentIsReadBeyondTheLimit() {
        List<List<String>> documents = List.of(List.of("abab", "abab"), List.of("cdcd"), List.of("efef"));
        BpeTrainer.Result result = train(new BpeTrainer.Options(Words.GPT2, 300, 0, List.of(), 9), documents);
        assertThat(result.bytes()).isEqualTo(12);
        assertThat(result.tokenizer().vocabulary()).contains("abab", "cdcd").doesNotContain("ef");
    }

    @Test
    void rareWordsAreForgottenWhereThereAreTooMany() {
        WordCounts counts = new WordCounts(1000, 1 << 20);
        for (int i = 0; i < 20_000; i++) {
            byte[] rare = Integer.toString(i).getBytes(StandardCharsets.US_ASCII);
            counts.add(rare, 0, rare.length);
            byte[] often = ("word" + i % 100).getBytes(StandardCharsets.US_ASCII);
            counts.add(often, 0, often.length);
        }
        long kept = 0;
        int found = 0;
        for (int word = 0; word < counts.size(); word++) {
            kept += counts.count(word);
            String text = new String(counts.word(word), StandardCharsets.US_ASCII);
            if (text.startsWith("word")) {
                found++;
                assertThat(counts.count(word)).as(text).isEqualTo(200);
            }
        }
        assertThat(found).isEqualTo(100);
        assertThat(counts.size()).isLessThanOrEqualTo(1000);
        assertThat(kept + counts.forgotten()).isEqualTo(40_000);
    }
}
