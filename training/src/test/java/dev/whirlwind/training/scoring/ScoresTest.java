package dev.whirlwind.training.scoring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Against sacreBLEU 2.6.0 itself, SQuAD's scripts and the formulas of rouge_score, on ordinary and odd texts: empty lines,
 * scripts of several kinds, emoji, combining marks, white space of all sorts, references of several lengths, random ones.
 */
class ScoresTest {
    private static final Offset<Double> EXACT = within(1e-9);

    record Case(String name, List<String> hypotheses, List<List<String>> references, JsonNode expected) {
        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Case> cases() throws IOException {
        try (InputStream in = ScoresTest.class.getResourceAsStream("/scoring/sacrebleu.json")) {
            List<Case> cases = new ArrayList<>();
            for (JsonNode one : JsonMapper.shared().readTree(in)) {
                List<List<String>> references = new ArrayList<>();
                one.get("references").forEach(texts -> references.add(strings(texts)));
                cases.add(new Case(one.get("name").asString(), strings(one.get("hypotheses")), references, one));
            }
            return cases.stream();
        }
    }

    private static List<String> strings(JsonNode array) {
        List<String> strings = new ArrayList<>();
        array.forEach(string -> strings.add(string.asString()));
        return strings;
    }

    private static void check(Case c, TextMetric metric, JsonNode expected) {
        Scores scores = Scores.of(metric, c.hypotheses(), c.references());
        assertThat(scores.signature()).isEqualTo(expected.get("signature").asString());
        assertThat(scores.score())
                .as(scores.signature())
                .isCloseTo(expected.get("score").asDouble(), EXACT);
        for (int i = 0; i < c.hypotheses().size(); i++) {
            assertThat(scores.sentences().get(i))
                    .as("%s, text %d", scores.signature(), i)
                    .isCloseTo(expected.get("sentences").get(i).asDouble(), EXACT);
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void bleuIsThatOfSacrebleu(Case c) {
        for (JsonNode expected : c.expected().get("bleu")) {
            JsonNode o = expected.get("options");
            String tokenizer = o.path("tokenize").asString("13a");
            String smoothing = o.path("smooth_method").asString("exp");
            Bleu bleu = new Bleu(
                    Arrays.stream(BleuTokenizer.values())
                            .filter(t -> t.code().equals(tokenizer))
                            .findFirst()
                            .orElseThrow(),
                    o.path("lowercase").asBoolean(false),
                    Arrays.stream(Bleu.Smoothing.values())
                            .filter(s -> s.toString().equals(smoothing))
                            .findFirst()
                            .orElseThrow(),
                    o.path("smooth_value").asDouble(Double.NaN),
                    o.path("max_ngram_order").asInt(4),
                    o.path("effective_order").asBoolean(false));
            check(c, bleu, expected);
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void chrfIsThatOfSacrebleu(Case c) {
        for (JsonNode expected : c.expected().get("chrf")) {
            JsonNode o = expected.get("options");
            Chrf chrf = new Chrf(
                    "chrf",
                    o.path("char_order").asInt(6),
                    o.path("word_order").asInt(0),
                    o.path("beta").asInt(2),
                    o.path("lowercase").asBoolean(false),
                    o.path("whitespace").asBoolean(false),
                    o.path("eps_smoothing").asBoolean(false));
            check(c, chrf, expected);
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void rougeAndSquadAreThoseOfTheirScripts(Case c) {
        List<TextMetric> metrics = new ArrayList<>(List.of(Rouge.values()));
        metrics.addAll(List.of(Squad.values()));
        for (TextMetric metric : metrics) {
            JsonNode expected = c.expected().path(metric.label());
            for (int i = 0; i < expected.size(); i++) {
                assertThat(Scores.of(metric, c.hypotheses(), c.references())
                                .sentences()
                                .get(i))
                        .as("%s, text %d", metric.label(), i)
                        .isCloseTo(expected.get(i).asDouble(), EXACT);
            }
        }
    }

    @Test
    void textsMayHaveDifferentNumbersOfReferences() {
        List<String> texts = List.of("the cat sat", "a dog ran home", "hello there");
        List<List<String>> references = List.of(
                List.of("the cat sat down"),
                List.of("a dog ran", "the dog ran home"),
                List.of("hello there", "hi there", "hello you"));
        Scores bleu = Scores.of(Bleu.standard(), texts, references);
        assertThat(bleu.score()).isCloseTo(75.24671737372864, EXACT);
        assertThat(bleu.signature()).isEqualTo("nrefs:var|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0");
        assertThat(Scores.of(Chrf.plusPlus(), texts, references).score()).isCloseTo(82.43386243386243, EXACT);
    }

    @ParameterizedTest
    @EnumSource(Squad.class)
    void aTextIsAsGoodAsItsBestReference(Squad metric) {
        assertThat(Scores.of(metric, List.of("the Broncos!"), List.of(List.of("Denver", "broncos")))
                        .score())
                .isEqualTo(1);
    }

    @Test
    void normalTextsOfSquad() {
        assertThat(Squad.normal("The  cat, an\u00A0A\tthe-atre's")).isEqualTo("cat theatres");
        assertThat(Squad.normal("théa a\u0301 the_cat aé")).isEqualTo("théa \u0301 thecat aé");
    }

    /** sacreBLEU's strips the line first, so that a point at its start has nothing before it. */
    @Test
    void whiteSpaceBeforeChineseText() {
        assertThat(PythonText.split(BleuTokenizer.ZH.apply("\u3000.5 元 "))).containsExactly(".5", "元");
        assertThat(PythonText.split(BleuTokenizer.T13A.apply("\u3000.5 元 "))).containsExactly(".", "5", "元");
    }
}
