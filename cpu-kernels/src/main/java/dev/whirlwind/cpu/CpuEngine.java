package dev.whirlwind.cpu;

import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.UserException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The engine for CPUs: kernels in the JDK's Vector API on all cores. Memory is off-heap and lies still, so transfers cost
 * nothing. The same inputs give the same bits for any number of threads (but not for another vector width). For use by
 * one thread at a time.
 */
public final class CpuEngine implements Engine {
    private final Arena arena = Arena.ofShared();
    private final Workers workers;
    private final CpuOps ops;
    private boolean closed;

    /** Memory of this engine; {@code address} is that of the segment. */
    record CpuBuffer(CpuEngine engine, String name, MemorySegment segment, long address, long length)
            implements Buffer {}

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
        ops = new CpuOps(this, workers, arena);
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
    public Buffer allocateActivations(String name, long length) {
        return allocate(name, length);
    }

    @Override
    public Buffer allocate(String name, long length) {
        checkOpen();
        MemorySegment segment;
        try {
            segment = Memory.allocate(arena, length);
        } catch (OutOfMemoryError e) {
            throw new UserException("not enough memory for " + name + ": " + (length >> 18)
                    + " MiB more are needed; use a smaller batch, sequence or model");
        }
        return new CpuBuffer(this, name, segment, segment.address(), length);
    }

    @Override
    public void run(Program program, Inputs inputs, int layer) {
        checkOpen();
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
            arena.close();
        }
    }
}
