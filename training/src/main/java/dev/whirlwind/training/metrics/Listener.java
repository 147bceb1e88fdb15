package dev.whirlwind.training.metrics;

/** Who watches a run, on the thread that trains. */
public interface Listener extends AutoCloseable {
    /** Something happened; it is already in {@code metrics.jsonl}. */
    void on(Event event);

    /** A plain sentence for people: what is being resumed, what was found damaged. */
    void note(String sentence);

    /** The run has ended. */
    @Override
    default void close() {}
}
