package dev.whirlwind.data.tokenizers;

/**
 * Hugging Face's Rust library over one tokenizer.json, in this process or in another. Whatever it cannot do is thrown as a
 * {@link Failure}.
 */
interface NativeTokenizer {
    /** The ids of a text; {@code around} with what the post-processor puts around it. */
    int[] encode(String text, boolean around);

    /** The text of ids, special tokens as their names. */
    String decode(int[] ids);

    /** The library failed; the message says why in one line, without naming the file. */
    final class Failure extends RuntimeException {
        private static final long serialVersionUID = 1;

        Failure(String message) {
            super(message);
        }
    }
}
