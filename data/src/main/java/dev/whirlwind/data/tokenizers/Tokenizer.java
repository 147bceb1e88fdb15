package dev.whirlwind.data.tokenizers;

import dev.whirlwind.model.UserException;
import java.nio.file.Path;

/** Text to token ids and back. Implementations may be used by many threads at once. */
public interface Tokenizer {
    /**
     * The tokenizer of a model folder, from its {@code tokenizer.json}. Nothing is read from the network.
     *
     * @throws UserException when the file is missing or broken
     */
    static Tokenizer load(Path modelFolder) {
        return TokenizerFiles.read(modelFolder).tokenizer();
    }

    /**
     * The ids of a text, without the special tokens that a model expects around it. The names of special tokens inside
     * the text become their ids, as with every Hugging Face tokenizer.
     */
    int[] encode(String text);

    /** The ids of a text as a model expects a prompt: with the special tokens (Llama's {@code <s>}) around it. */
    int[] encodePrompt(String text);

    /** The text of ids; special tokens are kept as their names, bytes that are not UTF-8 become U+FFFD. */
    String decode(int[] ids);

    /** One above the highest id. Models may have more (padded) but never fewer. */
    int vocabularySize();

    /** The id that ends a document, or -1 when the tokenizer's files name none. */
    int endOfText();

    /**
     * Bytes of UTF-8 text that each id stands for inside a text; 0 for special tokens, which stand for none. With a
     * tokenizer that keeps a text as it is, those of the text's ids add up to its length, but for a space that the
     * tokenizer itself may put before it.
     */
    int[] byteLengths();

    /** SHA-256 (32 bytes) of tokenizer.json: token shards carry it, so that no model trains on another's tokens. */
    byte[] fingerprint();

    /**
     * Writes the tokenizer's files (tokenizer.json and what lay beside it) into an existing folder, so that Hugging
     * Face's {@code AutoTokenizer} loads them from there.
     */
    void save(Path folder);

    /** Throws a {@link UserException} when this tokenizer has ids that a model of this vocabulary does not know. */
    default void requireFits(int modelVocabulary) {
        if (vocabularySize() > modelVocabulary) {
            throw new UserException("the tokenizer has " + vocabularySize() + " ids but the model's vocabulary is "
                    + modelVocabulary + ": tokenizer.json and config.json (vocab_size) belong to different models");
        }
    }
}
