package dev.whirlwind.data.tokenizers;

import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import dev.whirlwind.model.UserException;
import java.nio.file.Path;
import java.util.stream.LongStream;

/**
 * A tokenizer.json, run by Hugging Face's own Rust library through DJL's binding. The native calls are used directly
 * because DJL's wrapper applies further options from tokenizer_config.json, fetches seven arrays per text, and reports
 * its use over the network. The library ships inside the jar and is unpacked once into {@code ~/.djl.ai/tokenizers}
 * (or below {@code DJL_CACHE_DIR}).
 */
final class HuggingFaceTokenizer implements Tokenizer {
    static {
        // Before DJL's first class loads: no telemetry, and no download of a CUDA build where a GPU is found.
        System.setProperty("OPT_OUT_TRACKING", "true");
        System.setProperty("ai.djl.offline", "true");
    }

    private final TokenizerFiles files;
    private final byte[] fingerprint;
    private final int vocabularySize;
    private final int endOfText;

    /** Native memory of the tokenizer, which lives as long as the process: a run loads one. */
    private final long handle;

    HuggingFaceTokenizer(TokenizerFiles files) {
        this.files = files;
        fingerprint = files.fingerprint();
        Vocabulary vocabulary = files.vocabulary();
        vocabularySize = vocabulary.size();
        endOfText = vocabulary.wantedId() >= 0 ? vocabulary.wantedId() : files.endOfTextOfModel();
        if (endOfText >= vocabularySize) {
            throw new UserException(files.path() + " has no token for the end-of-text id " + endOfText
                    + " (eos_token_id): the tokenizer and config.json belong to different models");
        }
        handle = create(files.path(), files.text());
    }

    private static long create(Path file, String json) {
        try {
            LibUtils.checkStatus();
        } catch (RuntimeException | LinkageError e) {
            throw new UserException(
                    "the native library that reads " + file + " does not load on "
                            + System.getProperty("os.name") + " " + System.getProperty("os.arch") + ": "
                            + e.getMessage()
                            + " (it is unpacked below ~/.djl.ai; DJL_CACHE_DIR names another folder)",
                    e);
        }
        try {
            long handle = TokenizersLibrary.LIB.createTokenizerFromString(json);
            TokenizersLibrary.LIB.disableTruncation(handle);
            TokenizersLibrary.LIB.disablePadding(handle);
            return handle;
        } catch (RuntimeException e) {
            throw new UserException(
                    file + " is not a tokenizer that Hugging Face tokenizers " + "reads: "
                            + String.valueOf(e.getMessage()).lines().findFirst().orElse(""),
                    e);
        }
    }

    @Override
    public int[] encode(String text) {
        return encode(text, false);
    }

    @Override
    public int[] encodePrompt(String text) {
        return encode(text, true);
    }

    private int[] encode(String text, boolean specialTokens) {
        long encoding = TokenizersLibrary.LIB.encode(handle, Text.wellFormed(text), specialTokens);
        try {
            return LongStream.of(TokenizersLibrary.LIB.getTokenIds(encoding))
                    .mapToInt(Math::toIntExact)
                    .toArray();
        } finally {
            TokenizersLibrary.LIB.deleteEncoding(encoding);
        }
    }

    @Override
    public String decode(int[] ids) {
        long[] wide = new long[ids.length];
        for (int i = 0; i < ids.length; i++) {
            wide[i] = ids[i];
        }
        return TokenizersLibrary.LIB.decode(handle, wide, false);
    }

    @Override
    public int vocabularySize() {
        return vocabularySize;
    }

    @Override
    public int endOfText() {
        return endOfText;
    }

    @Override
    public int[] byteLengths() {
        return TokenLengths.read(files.text(), vocabularySize);
    }

    @Override
    public byte[] fingerprint() {
        return fingerprint.clone();
    }

    @Override
    public void save(Path folder) {
        files.save(folder);
    }
}
