package dev.whirlwind.data.tokenizers;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/**
 * Tokens are the bytes of UTF-8, ids their values: 256 ids and no file to read. Byte 0xFF never occurs in UTF-8, so its
 * id, 255, is the end-of-text token, named {@code <|endoftext|>}.
 *
 * <p>Saved, it is a BPE tokenizer without merges whose vocabulary spells bytes in GPT-2's alphabet, and Hugging Face's
 * tokenizers does with that file exactly what this class does.
 */
public final class ByteTokenizer implements Tokenizer {
    /** The end-of-text id; models for this tokenizer carry it as {@code eos_token_id}. */
    public static final int END_OF_TEXT = 0xFF;

    private static final int VOCABULARY = 256;
    private static final int INVALID = 0xFF;
    private static final String END_OF_TEXT_NAME = "<|endoftext|>";
    private static final byte[] END_OF_TEXT_BYTES = END_OF_TEXT_NAME.getBytes(StandardCharsets.US_ASCII);
    private static final byte[] TOKENIZER_JSON = json();
    private static final byte[] FINGERPRINT = TokenizerFiles.fingerprint(TOKENIZER_JSON);

    private final EndOfText endOfText;

    public ByteTokenizer() {
        this(new EndOfText(END_OF_TEXT, END_OF_TEXT_NAME, "the byte tokenizer", Set.of(END_OF_TEXT), List.of()));
    }

    ByteTokenizer(EndOfText endOfText) {
        this.endOfText = endOfText;
    }

    @Override
    public int[] encode(String text) {
        byte[] bytes = Text.wellFormed(text).getBytes(StandardCharsets.UTF_8);
        int[] ids = new int[bytes.length];
        int n = 0;
        for (int i = 0; i < bytes.length; n++) {
            if (bytes[i] == END_OF_TEXT_BYTES[0] && startsWithEndOfText(bytes, i)) {
                ids[n] = END_OF_TEXT;
                i += END_OF_TEXT_BYTES.length;
            } else {
                ids[n] = bytes[i] & 0xFF;
                i++;
            }
        }
        return Arrays.copyOf(ids, n);
    }

    @Override
    public int[] encodeText(String text) {
        byte[] bytes = Text.wellFormed(text).getBytes(StandardCharsets.UTF_8);
        int[] ids = new int[bytes.length];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = bytes[i] & 0xFF;
        }
        return ids;
    }

    private static boolean startsWithEndOfText(byte[] bytes, int from) {
        int to = from + END_OF_TEXT_BYTES.length;
        return to <= bytes.length && Arrays.equals(bytes, from, to, END_OF_TEXT_BYTES, 0, END_OF_TEXT_BYTES.length);
    }

    @Override
    public int[] encodePrompt(String text) {
        return encode(text);
    }

    @Override
    public String decode(int[] ids) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(ids.length);
        for (int i = 0; i < ids.length; i++) {
            if (ids[i] == END_OF_TEXT) {
                bytes.writeBytes(END_OF_TEXT_BYTES);
            } else {
                bytes.write(beginsSurrogate(ids, i) ? INVALID : ids[i]);
            }
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }

    /** The JDK makes one replacement character of a surrogate in UTF-8 (ED A0..BF xx), Rust and Python make three. */
    private static boolean beginsSurrogate(int[] ids, int i) {
        return ids[i] == 0xED && i + 1 < ids.length && ids[i + 1] >= 0xA0 && ids[i + 1] <= 0xBF;
    }

    @Override
    public int vocabularySize() {
        return VOCABULARY;
    }

    @Override
    public TokenizerDescription description() {
        return new TokenizerDescription(
                "bytes", -1, List.of(new TokenizerDescription.Special(END_OF_TEXT_NAME, END_OF_TEXT)));
    }

    @Override
    public EndOfText endOfText() {
        return endOfText;
    }

    @Override
    public int[] before() {
        return new int[0];
    }

    @Override
    public int[] after() {
        return new int[0];
    }

    /** Anywhere but in the end-of-text token's name, and amid a surrogate pair. */
    @Override
    public int boundary(CharSequence text, int from, int limit) {
        for (int i = Math.min(limit, text.length() - 1); i > from; i--) {
            char before = text.charAt(i - 1);
            if (!Character.isHighSurrogate(before) && END_OF_TEXT_NAME.indexOf(before) < 0) {
                return i;
            }
        }
        return 0;
    }

    @Override
    public int[] byteLengths() {
        int[] lengths = new int[VOCABULARY];
        Arrays.fill(lengths, 0, END_OF_TEXT, 1);
        return lengths;
    }

    @Override
    public byte[] fingerprint() {
        return FINGERPRINT.clone();
    }

    @Override
    public void save(Path folder) {
        TokenizerFiles.write(folder.resolve(TokenizerFiles.TOKENIZER), TOKENIZER_JSON);
        TokenizerFiles.write(folder.resolve("tokenizer_config.json"), """
                {
                  "tokenizer_class": "PreTrainedTokenizerFast",
                  "eos_token": "<|endoftext|>",
                  "clean_up_tokenization_spaces": false
                }
                """.getBytes(StandardCharsets.UTF_8));
        TokenizerFiles.write(folder.resolve("special_tokens_map.json"), """
                {
                  "eos_token": "<|endoftext|>"
                }
                """.getBytes(StandardCharsets.UTF_8));
    }

    static byte[] tokenizerJson() {
        return TOKENIZER_JSON.clone();
    }

    private static byte[] json() {
        StringBuilder vocabulary = new StringBuilder();
        int beyond = 0x100;
        for (int id = 0; id < END_OF_TEXT; id++) {
            // GPT-2's alphabet: printable Latin-1 stands for itself, the other bytes for U+0100 onwards in turn.
            boolean printable = (id >= '!' && id <= '~') || (id >= 0xA1 && id != 0xAD);
            int character = printable ? id : beyond++;
            vocabulary.append(String.format("      \"\\u%04x\": %d,\n", character, id));
        }
        return """
                {
                  "version": "1.0",
                  "truncation": null,
                  "padding": null,
                  "added_tokens": [
                    {
                      "id": 255,
                      "content": "<|endoftext|>",
                      "single_word": false,
                      "lstrip": false,
                      "rstrip": false,
                      "normalized": false,
                      "special": true
                    }
                  ],
                  "normalizer": null,
                  "pre_tokenizer": {
                    "type": "ByteLevel",
                    "add_prefix_space": false,
                    "trim_offsets": false,
                    "use_regex": false
                  },
                  "post_processor": null,
                  "decoder": {
                    "type": "ByteLevel",
                    "add_prefix_space": false,
                    "trim_offsets": false,
                    "use_regex": false
                  },
                  "model": {
                    "type": "BPE",
                    "dropout": null,
                    "unk_token": null,
                    "continuing_subword_prefix": null,
                    "end_of_word_suffix": null,
                    "fuse_unk": false,
                    "byte_fallback": false,
                    "ignore_merges": false,
                    "vocab": {
                VOCABULARY      "<|endoftext|>": 255
                    },
                    "merges": []
                  }
                }
                """.replace("VOCABULARY", vocabulary).getBytes(StandardCharsets.UTF_8);
    }
}
