package dev.whirlwind.data.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ByteTokenizerTest {
    private final ByteTokenizer tokenizer = new ByteTokenizer();

    @TempDir
    Path folder;

    @Test
    void idsAreTheBytesOfUtf8() {
        String text = "aé€😀\u0000\n";
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        int[] ids = tokenizer.encode(text);
        assertThat(ids).hasSize(bytes.length);
        for (int i = 0; i < ids.length; i++) {
            assertThat(ids[i]).isEqualTo(bytes[i] & 0xFF);
        }
        assertThat(tokenizer.decode(ids)).isEqualTo(text);
        assertThat(tokenizer.vocabularySize()).isEqualTo(256);
        assertThat(tokenizer.endOfText().id()).isEqualTo(255);
    }

    @Test
    void theEndOfTextTokenHasTheUsualName() {
        assertThat(tokenizer.encode("a<|endoftext|>b<|endoftext"))
                .startsWith('a', 255, 'b', '<', '|')
                .hasSize(3 + "<|endoftext".length());
        assertThat(tokenizer.encodeText("a<|endoftext|>b")).hasSize(15).doesNotContain(255);
        assertThat(tokenizer.decode(new int[] {'a', 255, 'b'})).isEqualTo("a<|endoftext|>b");
    }

    /** The saved file, read by the library that Hugging Face's Python package wraps, does the same. */
    @Test
    void theSavedFileBehavesTheSame() {
        tokenizer.save(folder);
        TokenizerFiles files = TokenizerFiles.read(folder);
        Tokenizer saved = new HuggingFaceTokenizer(files, 256, note -> {});
        assertThat(saved.vocabularySize()).isEqualTo(256);
        assertThat(saved.endOfText().id()).isEqualTo(255);
        assertThat(saved.fingerprint()).isEqualTo(tokenizer.fingerprint());

        List<String> texts = new ArrayList<>(List.of("\uD800", "x\uDC00y", "<|endoftext|", "|<|endoftext|>>"));
        for (String name : new String[] {"gpt2", "llama2"}) {
            Cases.of(Cases.TOKENIZERS.resolve(name)).forEach(c -> texts.add(c.text()));
        }
        for (String text : texts) {
            int[] ids = tokenizer.encode(text);
            assertThat(saved.encode(text)).as("ids of <%s>", text).isEqualTo(ids);
            assertThat(saved.encodePrompt(text)).as("prompt <%s>", text).isEqualTo(tokenizer.encodePrompt(text));
            assertThat(saved.decode(ids)).as("text of <%s>", text).isEqualTo(tokenizer.decode(ids));
            assertThat(tokenizer.decode(ids)).isEqualTo(Text.wellFormed(text));
        }
    }

    /** An untrained model emits bytes that are not UTF-8; both put the same replacement characters. */
    @Test
    void randomBytesDecodeTheSame() {
        tokenizer.save(folder);
        Tokenizer saved = new HuggingFaceTokenizer(TokenizerFiles.read(folder), 256, note -> {});
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int i = 0; i < 500; i++) {
            int[] ids = random.ints(random.nextInt(40), random.nextBoolean() ? 0 : 0xC0, 256)
                    .toArray();
            assertThat(tokenizer.decode(ids)).as("seed %d", seed).isEqualTo(saved.decode(ids));
        }
    }

    @Test
    void aFolderThatItSavedLoadsWithoutTheNativeLibrary() throws Exception {
        tokenizer.save(folder);
        assertThat(Tokenizer.load(folder)).isInstanceOf(ByteTokenizer.class);
        Files.writeString(folder.resolve("tokenizer.json"), " ", java.nio.file.StandardOpenOption.APPEND);
        assertThat(Tokenizer.load(folder)).isInstanceOf(HuggingFaceTokenizer.class);
    }
}
