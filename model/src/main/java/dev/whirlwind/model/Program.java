package dev.whirlwind.model;

/**
 * A straight-line sequence of operations. It must issue the same operations with the same tensors and sizes each time:
 * an engine may run it once to record it and replay the recording. What varies travels in {@link Inputs}.
 */
@FunctionalInterface
public interface Program {
    void run(Ops ops);
}
