package dev.whirlwind.data.tokenizers;

import dev.whirlwind.model.UserException;

/** A text that a tokenizer cannot read, or of which it makes tokens that the model does not know. The message says why. */
public final class BadText extends UserException {
    private static final long serialVersionUID = 1;

    BadText(String message) {
        super(message);
    }

    BadText(String message, Throwable cause) {
        super(message, cause);
    }
}
