package dev.whirlwind.tornado;

import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.WeightFormat;
import dev.whirlwind.tornado.kernels.Half;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Records each program once as kernel calls and replays them. */
abstract class KernelEngine implements Engine {
    private final IdentityHashMap<Program, Recording> recordings = new IdentityHashMap<>();
    private final Map<String, Memory> scratch = new HashMap<>();
    private final Map<String, HalfMemory> scratchHalves = new HashMap<>();
    private final HostMemory host = new HostMemory();
    private final Precision precision;

    /** Copies in 16 bits by the floats that they follow. */
    private final IdentityHashMap<Memory, Copy> copies = new IdentityHashMap<>();

    /** Floats that have changed since they were copied. */
    private final Set<Memory> changed = Collections.newSetFromMap(new IdentityHashMap<>());

    private Tensor halfTable;
    private int kernels;

    /** What a program is replayed as, of which floats it reads the copies, and which it changes. */
    private record Recording(List<Stage> stages, Set<Memory> copied, Set<Memory> written) {}

    /** And how it is made anew. */
    private record Copy(HalfMemory memory, List<Stage> renew) {}

    KernelEngine(Precision precision) {
        this.precision = precision;
    }

    @Override
    public final Precision precision() {
        return precision;
    }

    /** Bits of the exponent of a number that takes 16. */
    final int exponentBits() {
        return precision == Precision.FP16 ? Half.FP16_EXPONENT : Half.BF16_EXPONENT;
    }

    @Override
    public final void run(Program program, Inputs inputs, int layer) {
        Recording recording = recordings.get(program);
        if (recording == null) {
            recording = record(program);
            recordings.put(program, recording);
        }
        for (Memory floats : recording.copied()) {
            if (changed.remove(floats)) {
                run(copies.get(floats).renew(), inputs, 0);
            }
        }
        run(recording.stages(), inputs, layer);
        recording.written().forEach(this::changed);
    }

    private Recording record(Program program) {
        Recorder recorder = recorder();
        if (!precision.isHalf()) {
            program.run(recorder);
            return new Recording(stagesOf(recorder), Set.of(), Set.of());
        }
        MixedPrecision mixed = new MixedPrecision(this, recorder);
        program.run(mixed);
        return new Recording(stagesOf(recorder), mixed.copied(), mixed.written());
    }

    private List<Stage> stagesOf(Recorder recorder) {
        List<Stage> stages = recorder.stages();
        kernels += stages.stream().mapToInt(stage -> stage.calls().size()).sum();
        return stages;
    }

    private void run(List<Stage> stages, Inputs inputs, int layer) {
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
        requireIndices(name, length);
        return new Memory(name, host.floats(name, (int) length));
    }

    /** Kernels index by int. */
    private void requireIndices(String name, long length) {
        if (length > Integer.MAX_VALUE - 1024) {
            throw new UserException("the engine '" + name() + "' holds at most 2147482623 floats in one buffer, but "
                    + name + " needs " + length + "; use --engine cpu or a smaller model or batch");
        }
    }

    @Override
    public boolean readsFiles() {
        return false;
    }

    @Override
    public Buffer allocateWeights(String name, List<WeightFormat.Span> spans) {
        throw new UserException(
                "the engine '" + name() + "' keeps weights as floats; use --engine cpu or --weights fp32");
    }

    @Override
    public Buffer allocateActivations(String name, long length) {
        return precision.isHalf() ? allocateHalves(name, length) : allocate(name, length);
    }

    HalfMemory allocateHalves(String name, long length) {
        requireIndices(name, length);
        return new HalfMemory(name, host.ints(name, (int) ((length + 1) / 2)), length);
    }

    /** The copy of a tensor that takes 16 bits a number, made anew when a program reads it after a change. */
    final Tensor halves(Tensor floats) {
        Copy copy = copies.computeIfAbsent((Memory) floats.buffer(), this::copy);
        return new Tensor(copy.memory(), floats.offset(), floats.stride());
    }

    private Copy copy(Memory floats) {
        HalfMemory memory = allocateHalves(floats.name() + " in 16 bits", floats.length());
        Recorder recorder = recorder();
        recorder.narrow(new Tensor(floats, 0, 0), new Tensor(memory, 0, 0), floats.length(), false);
        changed.add(floats);
        return new Copy(memory, stagesOf(recorder));
    }

    /** The host or a program has changed floats that may have a copy. */
    final void changed(Buffer floats) {
        if (copies.containsKey(floats)) {
            changed.add((Memory) floats);
        }
    }

    /** The table by which kernels convert numbers of 16 bits. */
    final Tensor halfTable() {
        if (halfTable == null) {
            float[] table = Half.table(exponentBits());
            halfTable = new Tensor(allocate("table of powers of two", table.length), 0, 0);
            MemorySegment.copy(table, 0, halfTable.buffer().segment(), ValueLayout.JAVA_FLOAT, 0, table.length);
        }
        return halfTable;
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

    /** The same of numbers that take 16 bits. */
    final Tensor scratchHalves(String name, long length) {
        HalfMemory memory = scratchHalves.get(name);
        if (memory == null || memory.length() < length) {
            memory = allocateHalves("scratch for " + name + " in 16 bits", length);
            scratchHalves.put(name, memory);
        }
        return new Tensor(memory, 0, 0);
    }
}
