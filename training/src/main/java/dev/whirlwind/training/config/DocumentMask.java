package dev.whirlwind.training.config;

import dev.whirlwind.data.tokenizers.EndOfText;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.UserException;

/**
 * Whether documents of a training sequence are read apart: attention does not reach from one into another, and positions start
 * anew. It helps models that see many short texts at once (arXiv 2402.13991), and costs nothing, as nothing is computed between
 * documents.
 */
public enum DocumentMask {
    /** With rotary positions, where documents can be told apart. */
    AUTO,
    ON,
    OFF;

    /**
     * Whether to.
     *
     * @param taught whether a teacher's tokens were kept, which saw sequences whole
     * @throws UserException if it was asked for and cannot be
     */
    public boolean applies(ModelConfig model, EndOfText end, boolean taught) {
        if (this == ON && end.id() < 0) {
            throw new UserException("document_mask is on, but the tokenizer names no token that ends documents;"
                    + " leave it out, or name one in tokenizer_config.json");
        }
        if (this == ON && taught) {
            throw new UserException(
                    "document_mask is on, but what was kept of the teacher is of sequences that it saw whole;"
                            + " leave document_mask out, or give the teacher itself");
        }
        return this == ON || (this == AUTO && model.rope() != null && end.id() >= 0 && !taught);
    }
}
