package dev.whirlwind.cli.run;

import dev.whirlwind.cli.terminal.SignalReaction;
import dev.whirlwind.training.Request;
import java.io.PrintWriter;
import java.util.function.Consumer;

/** SIGUSR1 and SIGUSR2, which ask a run for something, and would end a process that does not expect them. */
final class RequestSignals implements AutoCloseable {
    private final SignalReaction checkpoint;
    private final SignalReaction evaluation;

    /** @param asked is called on another thread, and returns at once */
    RequestSignals(Consumer<Request> asked) {
        checkpoint = new SignalReaction("USR1", () -> asked.accept(Request.CHECKPOINT));
        evaluation = new SignalReaction("USR2", () -> asked.accept(Request.EVALUATION));
    }

    /** Before and after training. */
    static RequestSignals deaf(PrintWriter err) {
        return new RequestSignals(
                request -> err.println("no step is trained now: " + request.file() + " is not heard"));
    }

    @Override
    public void close() {
        evaluation.close();
        checkpoint.close();
    }
}
