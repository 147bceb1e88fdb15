package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Format;
import dev.whirlwind.model.Parameters;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.stream.Stream;

/**
 * Floats that must be saved for a run to go on exactly, as tensors that are named after the model's.
 *
 * @param prefix what comes before a tensor's name, such as "m."
 * @param tensors their places in the buffer
 */
public record State(String prefix, Engine engine, Buffer buffer, List<CheckpointTensor> tensors) {
    /** No machine has smaller ones. */
    private static final long PAGE = 4096;

    public State {
        tensors = List.copyOf(tensors);
    }

    /** A whole arena. */
    public static State of(String prefix, Engine engine, Parameters parameters) {
        List<CheckpointTensor> tensors = parameters.layout().checkpointTensors();
        long matrices = parameters.layout().decayedLength();
        if (matrices == 0 || parameters.buffer().format(0) == Format.FP32) {
            return new State(prefix, engine, parameters.buffer(), tensors);
        }
        // Of matrices in eight bits whole blocks, which are not those of tensors, go to the disk and back unchanged.
        CheckpointTensor whole = new CheckpointTensor("matrices", List.of(matrices), 0, false);
        Stream<CheckpointTensor> vectors = tensors.stream().filter(tensor -> tensor.offset() >= matrices);
        return new State(
                prefix,
                engine,
                parameters.buffer(),
                Stream.concat(Stream.of(whole), vectors).toList());
    }

    /** Makes what the engine computed visible in the buffer's host view. */
    public void download() {
        engine.download(buffer, 0, buffer.length());
    }

    /**
     * Takes the host's memory for all of it: where an engine computes elsewhere, that would else be taken when it is first
     * saved, perhaps after hours.
     */
    public void reserve() {
        if (buffer.format(0) != Format.FP32) {
            return; // Such numbers are in the host's memory.
        }
        MemorySegment segment = buffer.segment();
        for (long place = 0; place < segment.byteSize(); place += PAGE) {
            segment.set(ValueLayout.JAVA_BYTE, place, segment.get(ValueLayout.JAVA_BYTE, place));
        }
    }

    /** Sets it to zero. */
    void clear() {
        download();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment zeros = arena.allocate(PAGE);
            long page = PAGE / Float.BYTES;
            for (CheckpointTensor tensor : tensors) {
                for (long first = 0; first < tensor.size(); first += page) {
                    buffer.put(tensor.offset() + first, zeros, Math.min(page, tensor.size() - first));
                }
            }
        }
        upload();
    }

    /** Makes what the host wrote into the buffer visible to the engine. */
    public void upload() {
        engine.upload(buffer, 0, buffer.length());
    }
}
