package dev.whirlwind.model;

/** Something the user can mend. The message is one line that names the file or option, the place, and the remedy. */
public class UserException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public UserException(String message) {
        super(message);
    }

    public UserException(String message, Throwable cause) {
        super(message, cause);
    }
}
