package dev.whirlwind.cli;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemException;
import java.nio.file.InvalidPathException;

/** What the JDK throws from deep within, in words for people, where no one closer to the cause has found any. */
final class Failures {
    private static final String WHERE = "; --verbose shows where";

    private Failures() {}

    /** Null for what must be a fault of the program. */
    static UserException known(Throwable e) {
        return switch (e) {
            case UserException known -> known;
            case InvalidPathException path ->
                new UsageException(
                        "no file can be called \"" + Reason.cited(path.getInput()) + "\" (" + path.getReason() + ")",
                        e);
            case UncheckedIOException io -> {
                String file =
                        io.getCause() instanceof FileSystemException f && f.getFile() != null ? f.getFile() : "a file";
                yield new UserException(file + ": cannot be read (" + Reason.of(io.getCause()) + ")", e);
            }
            case OutOfMemoryError memory -> new UserException(memory(memory), e);
            case StackOverflowError _ ->
                new UserException("something that was read is nested too deeply to be understood" + WHERE, e);
            // What the JVM makes of a mapped page that cannot be read.
            case InternalError internal
            when String.valueOf(internal.getMessage()).contains("unsafe memory access") ->
                new UserException(
                        "a file that was in use was cut short, or its disk fails: check the model's and the texts' files"
                                + WHERE,
                        e);
            default -> null;
        };
    }

    /** Weights and activations are not on Java's heap: there only texts, tables and their like can be too large. */
    private static String memory(OutOfMemoryError e) {
        String message = String.valueOf(e.getMessage());
        boolean heap = message.contains("heap") || message.contains("array size") || message.contains("overhead");
        return heap
                ? "a file or text is too large to be held in Java's memory of "
                        + (Runtime.getRuntime().maxMemory() >> 20)
                        + " MiB (" + message + "); JAVA_TOOL_OPTIONS=-Xmx8g gives it 8 GiB" + WHERE
                : "the machine has too little memory left (" + message + ")" + WHERE;
    }
}
