package dev.whirlwind.cpu;

import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Format;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.blocks.DynamicBlocks;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The engine for CPUs: kernels in the JDK's Vector API on all cores. Memory is off-heap and lies still, so transfers cost
 * nothing. The same inputs give the same bits for any number of threads (but not for another vector width). For use by
 * one thread at a time.
 */
public final class CpuEngine implements Engine {
    private final Arena arena = Arena.ofShared();
    private final Workers workers;
    private final StoredWeights stored;
    private final List<MappedWeights> files = new ArrayList<>();
    private final CpuOps ops;
    private boolean closed;

    /** Memory of an engine, from an address on; below zero it is one of {@link StoredWeights}. */
    interface CpuMemory extends Buffer {
        CpuEngine engine();

        String name();

        long address();
    }

    private record Floats(CpuEngine engine, String name, MemorySegment segment, long address, long length)
            implements CpuMemory {}

    /** An engine on all cores. */
    public CpuEngine() {
        this(Runtime.getRuntime().availableProcessors());
    }

    /** An engine on so many threads, at least 1. */
    public CpuEngine(int threads) {
        if (threads < 1) {
            throw new UserException("threads: " + threads + " is not possible; use 1 or more");
        }
        workers = new Workers(threads);
        stored = new StoredWeights(workers);
        ops = new CpuOps(this, workers, stored, arena);
    }

    @Override
    public String name() {
        return "cpu";
    }

    @Override
    public String description() {
        int threads = workers.threads();
        return threads + (threads == 1 ? " thread, " : " threads, ") + 32 * Memory.LANES + "-bit vectors";
    }

    @Override
    public Precision precision() {
        return Precision.FP32;
    }

    @Override
    public Buffer allocate(String name, long length, long[] starts) {
        return allocate(name, length);
    }

    @Override
    public Buffer allocateActivations(String name, long length, long[] starts) {
        return allocateActivations(name, length);
    }

    @Override
    public Buffer allocateActivations(String name, long length) {
        return allocate(name, length);
    }

    @Override
    public Buffer allocate(String name, long length) {
        MemorySegment segment = memory(name, length);
        return new Floats(this, name, segment, segment.address(), length);
    }

    private MemorySegment memory(String name, long floats) {
        checkOpen();
        try {
            return Memory.allocate(arena, floats);
        } catch (OutOfMemoryError e) {
            throw new UserException("not enough memory for " + name + ": " + (floats >> 18)
                    + " MiB more are needed; use a smaller batch, sequence or model");
        }
    }

    @Override
    public boolean readsFiles() {
        return true;
    }

    @Override
    public Buffer allocateWeights(String name, List<Format.Span> spans, long[] starts) {
        List<StoredWeights.Part> parts =
                spans.stream().map(span -> part(name, span)).toList();
        long[] lengths = spans.stream().mapToLong(Format.Span::length).toArray();
        return stored.add(this, name, parts, lengths);
    }

    private StoredWeights.Part part(String name, Format.Span span) {
        if (span.file() != null) {
            return new Bfloat16(map(span), true);
        }
        // Vectors are loaded whole.
        long memory = memory(name, Math.ceilDiv(span.bytes(), (long) Float.BYTES) + Memory.LANES)
                .address();
        return switch (span.format()) {
            case FP32 -> new StoredFloats(memory);
            case BF16 -> new Bfloat16(memory, false);
            case INT8 -> new StoredBlocks(new Int8(memory, span.length()));
            case NF4 -> new StoredBlocks(new Nf4(memory, span.length()));
            case DYNAMIC8 -> moments(memory, span.length(), true);
            case DYNAMIC8_UNSIGNED -> moments(memory, span.length(), false);
        };
    }

    /** A byte for each number, then a float for each block. */
    private static StoredWeights.Part moments(long memory, long length, boolean signed) {
        return new StoredBlocks(new DynamicBlocks(Memory.ALL, memory, Memory.ALL, memory + length, length, signed));
    }

    /** The address of weights in a file, which is mapped once for all that are read in it. */
    private long map(Format.Span span) {
        MappedWeights file = files.stream()
                .filter(known -> known.path().equals(span.file().file()))
                .findFirst()
                .orElseGet(() -> {
                    files.add(MappedWeights.open(span.file().file(), arena));
                    return files.getLast();
                });
        return file.at(span.file().offset(), span.bytes());
    }

    @Override
    public void run(Program program, Inputs inputs, int layer) {
        checkOpen();
        files.forEach(MappedWeights::requireWhole);
        ops.begin(inputs, layer);
        program.run(ops);
    }

    @Override
    public void download(Buffer buffer, long offset, long length) {
        // The host view is the memory itself.
    }

    @Override
    public void upload(Buffer buffer, long offset, long length) {
        // The host view is the memory itself.
    }

    private void checkOpen() {
        if (closed) {
            throw new IllegalStateException("the engine is closed");
        }
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            workers.close();
            files.forEach(MappedWeights::close);
            arena.close();
        }
    }
}
