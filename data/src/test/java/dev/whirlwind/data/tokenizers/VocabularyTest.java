package dev.whirlwind.data.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class VocabularyTest {
    private static Vocabulary read(String json, String wanted) {
        return Vocabulary.read(json.getBytes(StandardCharsets.UTF_8), wanted);
    }

    @ParameterizedTest
    @CsvSource(
            nullValues = "null",
            value = {"a, 4", "b, 7", "<end>, 9", "<more>, 8", "missing, -1", "null, -1", "vocab, -1"})
    void idsAreThoseOfTheModelAndTheAddedTokens(String wanted, int id) {
        Vocabulary vocabulary = read("""
                {"version": "1.0", "x": {"model": {"vocab": {"no": 99}}, "added_tokens": [{"id": 98}]},
                 "added_tokens": [{"content": "<end>", "id": 9, "y": [{"id": 97}]}, {"id": 8, "content": "<more>"}],
                 "model": {"type": "BPE", "merges": [["a", "b"], "a b"], "vocab": {"a": 4, "b": 7}, "z": {"vocab": {"c": 96}}}}
                """, wanted);
        assertThat(vocabulary.size()).isEqualTo(10);
        assertThat(vocabulary.wantedId()).isEqualTo(id);
    }

    @Test
    void unigramsIdsArePlacesInAList() {
        Vocabulary vocabulary =
                read("{\"model\": {\"vocab\": [[\"<unk>\", 0.0], [\"a\", -1.5], [\"b\", -2]], \"unk_id\": 0}}", "b");
        assertThat(vocabulary.size()).isEqualTo(3);
        assertThat(vocabulary.wantedId()).isEqualTo(2);
    }

    @Test
    void whatIsNoTokenizerHasNoIds() {
        for (String json : new String[] {"{}", "[]", "5", "null", "{\"model\": []}", "{\"model\": {\"vocab\": 3}}"}) {
            assertThat(read(json, "a").size()).isZero();
        }
    }
}
