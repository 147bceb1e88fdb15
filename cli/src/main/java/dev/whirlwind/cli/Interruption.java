package dev.whirlwind.cli;

import java.util.concurrent.CompletableFuture;

/**
 * While it is open, SIGINT and SIGTERM do not end the process but ask the work to stop; the process ends when the command
 * has, with the command's own exit code.
 */
final class Interruption implements AutoCloseable {
    private static final CompletableFuture<Integer> EXIT_CODE = new CompletableFuture<>();

    private final Thread hook;

    /** @param stop asks the work to stop; it is called on another thread */
    Interruption(Runnable stop) {
        hook = new Thread(() -> {
            stop.run();
            // The main thread saves what there is to save and tells its exit code; only then may the process end.
            Runtime.getRuntime().halt(EXIT_CODE.join());
        });
        Runtime.getRuntime().addShutdownHook(hook);
    }

    /** The work is done; unless the process is about to end, signals do again what they did. */
    @Override
    public void close() {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // A signal has come, and the hook waits for the exit code.
            return;
        }
    }

    /** Ends the process. */
    static void exit(int code) {
        EXIT_CODE.complete(code);
        System.exit(code);
    }
}
