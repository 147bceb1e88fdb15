package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Parameters;
import java.util.List;

/**
 * Floats that must be saved for a run to go on exactly, as tensors that are named after the model's.
 *
 * @param prefix what comes before a tensor's name, such as "m."
 * @param tensors their places in the buffer
 */
public record State(String prefix, Engine engine, Buffer buffer, List<CheckpointTensor> tensors) {
    public State {
        tensors = List.copyOf(tensors);
    }

    /** A whole arena. */
    public static State of(String prefix, Engine engine, Parameters parameters) {
        return new State(
                prefix, engine, parameters.buffer(), parameters.layout().checkpointTensors());
    }

    /** Makes what the engine computed visible in the buffer's host view. */
    public void download() {
        engine.download(buffer, 0, buffer.length());
    }

    /** Makes what the host wrote into the buffer visible to the engine. */
    public void upload() {
        engine.upload(buffer, 0, buffer.length());
    }
}
