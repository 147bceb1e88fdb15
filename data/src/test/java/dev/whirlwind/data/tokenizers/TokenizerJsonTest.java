package dev.whirlwind.data.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TokenizerJsonTest {
    private static TokenizerJson read(String json) {
        return TokenizerJson.read(json.getBytes(StandardCharsets.UTF_8));
    }

    @ParameterizedTest
    @CsvSource(value = {"a, 0", "b, 1", "<end>, 2", "<more>, 3", "missing, -1", "vocab, -1"})
    void idsAreThoseOfTheModelAndTheAddedTokens(String token, long id) {
        TokenizerJson json = read("""
                {"version": "1.0", "x": {"model": {"vocab": {"no": 99}}, "added_tokens": [{"id": 98}]},
                 "added_tokens": [{"content": "<end>", "id": 2, "y": [{"id": 97}]}, {"id": 3, "content": "<more>"}],
                 "model": {"type": "BPE", "merges": [["a", "b"], "a b"], "vocab": {"a": 0, "b": 1}, "z": {"vocab": {"c": 96}}}}
                """);
        assertThat(json.ids()).hasSize(4);
        assertThat(json.id(token)).isEqualTo(id);
    }

    /** What the native library does with ids of added tokens that differ from what it would give them. */
    @Test
    void addedTokensGetTheIdsThatTheLibraryGivesThem() {
        TokenizerJson json = read("""
                {"added_tokens": [{"content": "a", "id": 7}, {"content": "x", "id": 90}, {"content": "x", "id": 91},
                                  {"content": "", "id": 92}, {"content": "y", "id": 3, "rstrip": true}],
                 "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "zz": 5}}}
                """);
        assertThat(json.ids()).isEqualTo(Map.of("a", 0L, "b", 1L, "zz", 5L, "x", 3L, "y", 4L));
        assertThat(json.added().getLast()).isEqualTo(new TokenizerJson.Added("y", 4, false, false, true, false));
        assertThat(json.name(5)).isEqualTo("zz");
        assertThat(json.name(6)).isEmpty();
    }

    @Test
    void unigramsIdsArePlacesInAList() {
        TokenizerJson json =
                read("{\"model\": {\"vocab\": [[\"<unk>\", 0.0], [\"a\", -1.5], [\"b\", -2]], \"unk_id\": 0}}");
        assertThat(json.ids()).isEqualTo(Map.of("<unk>", 0L, "a", 1L, "b", 2L));
        assertThat(json.model("unk_id").intValue()).isZero();
    }

    @Test
    void whatIsPutAroundATextIsKnown() {
        String template = """
                {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
                 "pair": [{"SpecialToken": {"id": "</s>"}}],
                 "special_tokens": {"<s>": {"id": "<s>", "ids": [300]}, "</s>": {"id": "</s>", "ids": [2]}}}
                """;
        assertThat(read("{\"post_processor\": " + template + "}").template()).isEqualTo(Map.of("<s>", 300L));
        assertThat(read("{\"post_processor\": {\"type\": \"Sequence\", \"processors\": [{\"type\": \"ByteLevel\"}, "
                                + template + "]}}")
                        .template())
                .isEqualTo(Map.of("<s>", 300L));
        assertThat(
                        read("{\"post_processor\": {\"type\": \"RobertaProcessing\", \"sep\": [\"</s>\", 2], \"cls\": [\"<s>\", 0]}}")
                                .template())
                .isEqualTo(Map.of("</s>", 2L, "<s>", 0L));
    }

    @Test
    void whatIsNoTokenizerHasNoIds() {
        for (String json : new String[] {"{}", "[]", "5", "null", "{\"model\": []}", "{\"model\": {\"vocab\": 3}}"}) {
            assertThat(read(json).ids()).isEmpty();
        }
    }
}
