package dev.whirlwind.tornado;

import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import dev.whirlwind.model.UserException;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/** Records each program once as kernel calls and replays them. */
abstract class KernelEngine implements Engine {
    private final IdentityHashMap<Program, List<Stage>> recordings = new IdentityHashMap<>();
    private final Map<String, Memory> scratch = new HashMap<>();
    private final HostMemory host = new HostMemory();
    private int kernels;

    @Override
    public final void run(Program program, Inputs inputs, int layer) {
        List<Stage> stages = recordings.get(program);
        if (stages == null) {
            Recorder recorder = recorder();
            program.run(recorder);
            stages = recorder.stages();
            recordings.put(program, stages);
            kernels += stages.stream().mapToInt(stage -> stage.calls().size()).sum();
        }
        for (Stage stage : stages) {
            for (int repeat = 0; repeat < stage.repeats(); repeat++) {
                stage.fill(inputs, layer, repeat);
                run(stage);
            }
        }
    }

    /** Translates one program. */
    Recorder recorder() {
        return new Recorder(this);
    }

    /** How many kernels all programs have that were recorded so far. */
    final int kernels() {
        return kernels;
    }

    /** Runs the calls of a stage whose cursor is filled. */
    abstract void run(Stage stage);

    @Override
    public Buffer allocate(String name, long length) {
        // Kernels index floats by int.
        if (length > Integer.MAX_VALUE - 1024) {
            throw new UserException("the engine '" + name() + "' holds at most 2147482623 floats in one buffer, but "
                    + name + " needs " + length + "; use --engine cpu or a smaller model or batch");
        }
        return new Memory(name, host.floats(name, (int) length));
    }

    /** Frees the host's memory. */
    final void freeHost() {
        host.close();
    }

    /** Memory that one call leaves to the next of the same program, shared by all programs. */
    final Tensor scratch(String name, long length) {
        Memory memory = scratch.get(name);
        if (memory == null || memory.length() < length) {
            memory = (Memory) allocate("scratch for " + name, length);
            scratch.put(name, memory);
        }
        return new Tensor(memory, 0, 0);
    }
}
