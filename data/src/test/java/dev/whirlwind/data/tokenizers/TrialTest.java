package dev.whirlwind.data.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Files and texts over which the native library ends the process. */
class TrialTest {
    private static final String BPE = "{'type':'BPE','vocab':{'a':0,'b':1,'ab':2,'<unk>':3},'merges':[['a','b']],"
            + "'dropout':null,'unk_token':'<unk>'}";
    private static final String UNIGRAM = "{'type':'Unigram','unk_id':0,'vocab':[['<unk>',0.0],['a',-1.5],['b',-2.5]]}";

    @TempDir
    Path folder;

    private Tokenizer load(Map<String, String> parts) throws IOException {
        StringBuilder json = new StringBuilder("{'version':'1.0','truncation':null,'padding':null,'added_tokens':"
                + "[{'id':4,'content':'</s>','single_word':false,'lstrip':false,'rstrip':false,'normalized':false,"
                + "'special':true}]");
        for (String part : new String[] {"normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
            json.append(",'").append(part).append("':").append(parts.getOrDefault(part, "null"));
        }
        json.append(",'model':").append(parts.getOrDefault("model", BPE)).append('}');
        Files.writeString(folder.resolve("tokenizer.json"), json.toString().replace('\'', '"'));
        return Tokenizer.load(folder);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '`',
            value = {
                "normalizer; {'type':'Precompiled','precompiled_charsmap':0}; invalid type",
                "normalizer; {'type':'Precompiled','precompiled_charsmap':'AAAAAA=='}; index out of bounds",
                "decoder; {'type':'Strip','content':'a','start':99,'stop':99}; index out of bounds",
                "model; {'type':'BPE','vocab':{'a':0},'merges':[],'unk_token':'F32'}; Unk token `F32`",
            })
    void aFileIsRefusedInOneLine(String part, String json, String says) throws IOException {
        Map<String, String> parts =
                part.equals("normalizer") ? Map.of(part, json, "model", UNIGRAM) : Map.of(part, json);
        assertThatThrownBy(() -> load(parts))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("tokenizer.json", says, "download it again")
                .message()
                .doesNotContain("\n");
    }

    /** The regular expression gives up after ten million steps of back-tracking, which no short text needs. */
    @Test
    void aTextIsRefusedAndTheNextOneIsRead() throws IOException {
        Tokenizer tokenizer = load(Map.of(
                "pre_tokenizer",
                "{'type':'Split','pattern':{'Regex':'(a|b|ab)*c'},'behavior':'Isolated','invert':false}"));
        int[] ids = tokenizer.encode("abc");
        for (int i = 0; i < 2; i++) {
            assertThatThrownBy(() -> tokenizer.encode("ab".repeat(40) + "xc"))
                    .isInstanceOf(BadText.class)
                    .hasMessageContaining("retry-limit-in-match over");
            assertThat(tokenizer.encode("abc")).isEqualTo(ids);
        }
        assertThat(tokenizer.decode(new int[] {2, 4})).contains("ab", "</s>");
    }

    @Test
    void whatWentWellIsNotTriedAgain() throws IOException {
        load(Map.of());
        long start = System.nanoTime();
        byte[] fingerprint = TokenizerFiles.read(folder).fingerprint();
        // Would fail if it were read.
        Trial.require("no JSON", TokenizerJson.read(new byte[0]), fingerprint);
        assertThat(System.nanoTime() - start).isLessThan(5_000_000_000L);
    }

    /** As when many tokenizers are read one after another, of which nothing tells that they are done with. */
    @Test
    void aChildThatNobodyAsksEnds() throws IOException, InterruptedException {
        Tokenizer tokenizer = load(Map.of("pre_tokenizer", "{'type':'Punctuation','behavior':'Isolated'}"));
        int[] ids = tokenizer.encode("ab");
        assertThat(children()).isNotEmpty();
        Instant late = Instant.now().plus(ChildTokenizer.IDLE.multipliedBy(6));
        while (!children().isEmpty() && Instant.now().isBefore(late)) {
            Thread.sleep(100);
        }
        assertThat(children()).isEmpty();
        assertThat(tokenizer.encode("ab")).isEqualTo(ids);
    }

    private static Set<ProcessHandle> children() {
        return ProcessHandle.current().children().filter(ProcessHandle::isAlive).collect(Collectors.toSet());
    }
}
