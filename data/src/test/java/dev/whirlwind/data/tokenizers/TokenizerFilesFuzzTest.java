package dev.whirlwind.data.tokenizers;

import static dev.whirlwind.model.fuzz.Fuzz.utf8;

import dev.whirlwind.model.fuzz.Fuzz;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The tokenizer's files; each new tokenizer.json is tried in a child process, so that few can be read in a second. */
class TokenizerFilesFuzzTest {
    private static final String SMALL = """
            {"version": "1.0", "added_tokens": [{"id": 4, "content": "<s>", "special": true, "single_word": false,
              "lstrip": false, "rstrip": false, "normalized": false}],
             "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Prepend", "prepend": "_"}]},
             "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\\\s+|[a-z]{1,2}"}, "behavior": "Isolated",
              "invert": false},
             "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
              {"Sequence": {"id": "A", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}},
              {"Sequence": {"id": "B", "type_id": 1}}],
              "special_tokens": {"<s>": {"id": "<s>", "ids": [4], "tokens": ["<s>"]}}},
             "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"},
              {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
             "model": {"type": "BPE", "dropout": null, "unk_token": "_", "fuse_unk": true, "byte_fallback": true,
              "vocab": {"_": 0, "a": 1, "b": 2, "ab": 3, "<s>": 4}, "merges": ["a b"]}}
            """;

    @TempDir
    Path folder;

    @BeforeEach
    void model() throws IOException {
        Files.writeString(folder.resolve("tokenizer.json"), SMALL);
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"eos_token\": \"<s>\", \"add_bos_token\": true}");
        Files.writeString(folder.resolve("config.json"), "{\"eos_token_id\": [4, 2], \"bos_token_id\": 4}");
        Files.writeString(folder.resolve("special_tokens_map.json"), "{\"eos_token\": {\"content\": \"<s>\"}}");
    }

    private static void load(Path file) {
        Tokenizer tokenizer = Tokenizer.load(file.getParent());
        tokenizer.decode(tokenizer.encodePrompt("ab cab"));
    }

    @Test
    void tokenizer() throws IOException {
        new Fuzz("tokenizer", folder.resolve("tokenizer.json"), TokenizerFilesFuzzTest::load, utf8(SMALL)).run();
    }

    @Test
    void whatLiesBesideIt() throws IOException {
        for (String name : new String[] {"tokenizer_config.json", "special_tokens_map.json", "config.json"}) {
            Path file = folder.resolve(name);
            byte[] whole = Files.readAllBytes(file);
            new Fuzz(name, file, TokenizerFilesFuzzTest::load, whole).run();

            Files.write(file, whole);
        }
    }

    @Test
    void sentencePiece() throws IOException {
        Files.delete(folder.resolve("tokenizer.json"));
        new Fuzz(
                        "tokenizer.model",
                        folder.resolve("tokenizer.model"),
                        TokenizerFilesFuzzTest::load,
                        Files.readAllBytes(Path.of("src/test/resources/sentencepiece/bpe/tokenizer.model")),
                        Files.readAllBytes(Path.of("src/test/resources/sentencepiece/unigram/tokenizer.model")))
                .run();
    }

    @Test
    void gpt2Files() throws IOException {
        Path gpt2 = Cases.TOKENIZERS.resolve("gpt2");
        Files.delete(folder.resolve("tokenizer.json"));
        for (String name : new String[] {"vocab.json", "merges.txt", "tokenizer_config.json"}) {
            Files.copy(gpt2.resolve(name), folder.resolve(name), StandardCopyOption.REPLACE_EXISTING);
        }
        for (String name : new String[] {"vocab.json", "merges.txt"}) {
            Path file = folder.resolve(name);
            byte[] whole = Files.readAllBytes(file);
            new Fuzz(name, file, TokenizerFilesFuzzTest::load, whole).run();
            Files.write(file, whole);
        }
    }
}
