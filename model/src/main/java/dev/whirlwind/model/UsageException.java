package dev.whirlwind.model;

/** Wrong usage: an option or its value cannot be, whatever the files hold that it is used on. The exit code is 2. */
public final class UsageException extends UserException {
    private static final long serialVersionUID = 1;

    public UsageException(String message) {
        super(message);
    }

    public UsageException(String message, Throwable cause) {
        super(message, cause);
    }
}
