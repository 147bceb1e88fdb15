package dev.whirlwind.cli.terminal;

import jdk.jfr.FlightRecorder;

/** Does something whenever a signal comes while it is open. Nothing where the system has no such signal. */
public final class SignalReaction implements AutoCloseable {
    private final String signal;
    private final Object before;

    /**
     * Begins to listen.
     *
     * @param signal such as USR1
     * @param reaction returns at once; it is called on another thread
     */
    public SignalReaction(String signal, Runnable reaction) {
        this.signal = signal;
        before = Signals.handle(signal, () -> {
            if (isTheProfilers()) {
                close();
            } else {
                reaction.run();
            }
        });
    }

    /**
     * The JVM's flight recorder stops threads by SIGUSR2 to look at them, dozens of times a second. What a recording needs
     * is left to it, from the first such signal on.
     */
    private boolean isTheProfilers() {
        return signal.equals("USR2") && FlightRecorder.isInitialized();
    }

    @Override
    public void close() {
        Signals.restore(signal, before);
    }
}
