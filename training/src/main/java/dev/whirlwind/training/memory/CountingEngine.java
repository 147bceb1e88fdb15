package dev.whirlwind.training.memory;

import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Format;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Program;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** Gives no memory and computes nothing, but knows how much memory it was asked for, and for what. */
final class CountingEngine implements Engine {
    private final Precision precision;
    private MemoryUse use = MemoryUse.NONE;
    private Purpose purpose = Purpose.WEIGHTS;

    CountingEngine(Precision precision) {
        this.precision = precision;
    }

    /** Floats that are not there. */
    private record Nothing(long length) implements Buffer {
        @Override
        public MemorySegment segment() {
            throw new IllegalStateException("memory that is only counted was used");
        }
    }

    /** What it will be asked for from now on is for this. */
    CountingEngine now(Purpose next) {
        purpose = next;
        return this;
    }

    /** All that it was asked for. */
    MemoryUse use() {
        return use;
    }

    private void count(Purpose of, long elements, int bytes) {
        use = use.plus(MemoryUse.of(of, Math.multiplyExact(elements, bytes)));
    }

    /** A pass's buffers are not all activations. */
    private Purpose purpose(String name) {
        if (purpose != Purpose.ACTIVATIONS) {
            return purpose;
        }
        boolean scratch = name.startsWith("d.") || name.startsWith("adapters.") || name.equals("branch");
        return name.equals("gradients") ? Purpose.GRADIENTS : scratch ? Purpose.SCRATCH : purpose;
    }

    @Override
    public Precision precision() {
        return precision;
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
        count(purpose(name), length, precision.isHalf() ? Short.BYTES : Float.BYTES);
        return new Nothing(length);
    }

    @Override
    public boolean readsFiles() {
        return false;
    }

    @Override
    public Buffer allocateWeights(String name, List<Format.Span> spans, long[] starts) {
        spans.forEach(span -> count(purpose, span.bytes(), 1));
        return new Nothing(spans.stream().mapToLong(Format.Span::length).sum());
    }

    @Override
    public Buffer allocate(String name, long length) {
        count(purpose(name), length, Float.BYTES);
        return new Nothing(length);
    }

    /** Tokens and targets, starts and ends of documents. */
    @Override
    public Inputs inputs(int places) {
        count(purpose, 4L * places, Integer.BYTES);
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
