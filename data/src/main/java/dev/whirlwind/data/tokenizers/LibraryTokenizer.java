package dev.whirlwind.data.tokenizers;

import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import dev.whirlwind.model.UserException;
import java.util.stream.LongStream;

/**
 * Hugging Face's Rust library in this process, through DJL's binding. The native calls are used directly because DJL's
 * wrapper applies further options from tokenizer_config.json, fetches seven arrays per text, and reports its use over the
 * network. The library ships inside the jar and is unpacked once into {@code ~/.djl.ai/tokenizers} (or below
 * {@code DJL_CACHE_DIR}).
 *
 * <p>Where the library is not ready for an error it aborts the process: see {@link Trial}.
 */
final class LibraryTokenizer implements NativeTokenizer {
    static {
        // Before DJL's first class loads: no telemetry, and no download of a CUDA build where a GPU is found.
        System.setProperty("OPT_OUT_TRACKING", "true");
        System.setProperty("ai.djl.offline", "true");
    }

    /** Native memory of the tokenizer, which lives as long as the process: a run loads one. */
    private final long handle;

    /** @throws Failure when this is not a tokenizer that the library reads */
    LibraryTokenizer(String json) {
        try {
            LibUtils.checkStatus();
        } catch (RuntimeException | LinkageError e) {
            throw new UserException(
                    "the native library that reads tokenizer.json does not load on "
                            + System.getProperty("os.name") + " " + System.getProperty("os.arch") + ": "
                            + e.getMessage()
                            + " (it is unpacked below ~/.djl.ai; DJL_CACHE_DIR names another folder)",
                    e);
        }
        try {
            handle = TokenizersLibrary.LIB.createTokenizerFromString(json);
            TokenizersLibrary.LIB.disableTruncation(handle);
            TokenizersLibrary.LIB.disablePadding(handle);
        } catch (RuntimeException e) {
            throw failure(e);
        }
    }

    @Override
    public int[] encode(String text, boolean around) {
        try {
            long encoding = TokenizersLibrary.LIB.encode(handle, text, around);
            try {
                return LongStream.of(TokenizersLibrary.LIB.getTokenIds(encoding))
                        .mapToInt(Math::toIntExact)
                        .toArray();
            } finally {
                TokenizersLibrary.LIB.deleteEncoding(encoding);
            }
        } catch (ArithmeticException e) {
            throw new Failure("it makes ids of 2147483648 and more");
        } catch (RuntimeException e) {
            throw failure(e);
        }
    }

    @Override
    public String decode(int[] ids) {
        long[] wide = new long[ids.length];
        for (int i = 0; i < ids.length; i++) {
            wide[i] = ids[i];
        }
        try {
            return TokenizersLibrary.LIB.decode(handle, wide, false);
        } catch (RuntimeException e) {
            throw failure(e);
        }
    }

    private static Failure failure(RuntimeException e) {
        return new Failure(Text.firstLine(e.getMessage()));
    }
}
