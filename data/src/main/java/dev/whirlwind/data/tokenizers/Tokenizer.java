package dev.whirlwind.data.tokenizers;

import dev.whirlwind.model.UserException;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/** Text to token ids and back. Implementations may be used by many threads at once. */
public interface Tokenizer {
    /**
     * The tokenizer of a folder that need not hold a model. Nothing is read from the network.
     *
     * @throws UserException when the files are missing or broken
     */
    static Tokenizer load(Path folder) {
        return load(folder, Integer.MAX_VALUE, note -> {});
    }

    /**
     * The tokenizer of a model folder, from its {@code tokenizer.json}, or from {@code tokenizer.model} (SentencePiece) or
     * {@code vocab.json} with {@code merges.txt}.
     *
     * @param vocabulary the model's: texts with ids beyond it are refused
     * @param notes told of what is odd about the files but does no harm
     * @throws UserException when the files are missing or broken, or belong to another model
     */
    static Tokenizer load(Path modelFolder, int vocabulary, Consumer<String> notes) {
        return TokenizerFiles.read(modelFolder).tokenizer(vocabulary, notes);
    }

    /** Whether a folder has a tokenizer's files. */
    static boolean isIn(Path folder) {
        return TokenizerFiles.isIn(folder);
    }

    /** Bytes of the files that a folder's tokenizer is made from; 0 where there are none. */
    static long fileSize(Path folder) {
        return TokenizerFiles.size(folder);
    }

    /**
     * The ids of a text, without the special tokens that a model expects around it. The names of special tokens inside
     * the text become their ids, as with every Hugging Face tokenizer.
     *
     * @throws BadText when there are none that the model knows
     */
    int[] encode(String text);

    /** The ids of a text as a model expects a prompt: with the special tokens (Llama's {@code <s>}) around it. */
    int[] encodePrompt(String text);

    /**
     * The same, but for special tokens' names, which are text like any other: a document that tells of {@code <s>} or
     * {@code <|endoftext|>} has neither.
     */
    default int[] encodeText(String text) {
        return encode(text);
    }

    /** What is to be encoded of a piece of a text that goes on from a {@link #boundary}. */
    default String continuation(String piece) {
        return piece;
    }

    /**
     * The last place above {@code from} and up to {@code limit} where a text may be cut without a change to its tokens,
     * which are those of what is before and of the {@link #continuation} of what comes after. 0 where no such place is known.
     */
    int boundary(CharSequence text, int from, int limit);

    /** The text of ids; special tokens are kept as their names, bytes that are not UTF-8 become U+FFFD. */
    String decode(int[] ids);

    /** One above the highest id. */
    int vocabularySize();

    /** What it is. */
    TokenizerDescription description();

    /** Which tokens end a text. */
    EndOfText endOfText();

    /** What the tokenizer itself puts before every text: Llama's {@code <s>}. */
    int[] before();

    /** What the tokenizer itself puts after every text. */
    int[] after();

    /**
     * What follows a document of a corpus: what the tokenizer itself puts after a text, or the end-of-text token. Neither
     * where the tokenizer puts that one before every text, so that it stands between documents already.
     */
    default int[] afterDocument() {
        int end = endOfText().id();
        boolean there = after().length > 0 || IntStream.of(before()).anyMatch(id -> id == end);
        return there || end < 0 ? after() : new int[] {end};
    }

    /** The token by which documents of a corpus can be told apart, or -1 where there is none. */
    default int endOfDocument() {
        int[] after = afterDocument();
        return after.length == 0 ? endOfText().id() : after[after.length - 1];
    }

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
            throw TokenizerFiles.misfit("the model's tokenizer", vocabularySize(), modelVocabulary);
        }
    }
}
