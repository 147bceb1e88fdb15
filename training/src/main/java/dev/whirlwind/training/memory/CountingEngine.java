package dev.whirlwind.training.memory;

import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.WeightFormat;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** Gives no memory and computes nothing, but knows how much memory it was asked for. */
final class CountingEngine implements Engine {
    private long bytes;

    /** Floats that are not there. */
    private record Nothing(long length) implements Buffer {
        @Override
        public MemorySegment segment() {
            throw new IllegalStateException("memory that is only counted was used");
        }
    }

    /** All that it was asked for. */
    long bytes() {
        return bytes;
    }

    private void count(long elements) {
        bytes = Math.addExact(bytes, Math.multiplyExact(elements, Float.BYTES));
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
    public boolean readsFiles() {
        return false;
    }

    @Override
    public Buffer allocateWeights(String name, List<WeightFormat.Span> spans) {
        spans.forEach(span -> bytes = Math.addExact(bytes, span.bytes()));
        return new Nothing(spans.stream().mapToLong(WeightFormat.Span::length).sum());
    }

    @Override
    public Buffer allocate(String name, long length) {
        count(length);
        return new Nothing(length);
    }

    /** Tokens and targets. */
    @Override
    public Inputs inputs(int places) {
        count(2L * places);
        return new Inputs(0);
    }

    @Override
    public String name() {
        return "counting";
    }

    @Override
    public String description() {
        return "no memory";
    }

    @Override
    public void run(Program program, Inputs inputs, int layer) {}

    @Override
    public void download(Buffer buffer, long offset, long length) {}

    @Override
    public void upload(Buffer buffer, long offset, long length) {}

    @Override
    public void close() {}
}
