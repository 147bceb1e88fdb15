package dev.whirlwind.model;

import java.lang.foreign.MemorySegment;
import java.util.List;

/** Memory and arithmetic of one device. An engine knows no model; a model knows no engine. */
public interface Engine extends AutoCloseable {
    /** The name on the command line: {@code cpu}, {@code loops}, {@code tornado}. */
    String name();

    /** The device in words, for people: threads and vector width, or the GPU's name. */
    String description();

    /** What {@link #allocateActivations} keeps of a float. */
    Precision precision();

    /** New memory of {@code length} floats, all zero; it lives until the engine is closed. */
    Buffer allocate(String name, long length);

    /** Whether weights can be read where they lie in files. */
    boolean readsFiles();

    /** The same for weights, some of which may be kept with fewer bits. */
    Buffer allocateWeights(String name, List<Format.Span> spans, long[] starts);

    /**
     * The same for what passes leave to be read by later ones. An engine of mixed precision keeps 16 bits of each float, and
     * the host cannot see them.
     */
    Buffer allocateActivations(String name, long length);

    /**
     * The same for several slices, each of which operations treat by itself, or else elements: an engine may divide between
     * them what is too large for one array.
     *
     * @param starts where slices begin, ascending
     */
    Buffer allocate(String name, long length, long[] starts);

    /** The same for activations. */
    Buffer allocateActivations(String name, long length, long[] starts);

    /** What programs are told at each run, with room for so many tokens; the host's memory, on any device. */
    default Inputs inputs(int places) {
        return new Inputs(places);
    }

    /** Runs a program for one layer. Programs are told apart by identity, so keep them. */
    void run(Program program, Inputs inputs, int layer);

    /** Makes what programs wrote to a range of floats visible in the buffer's host view. */
    void download(Buffer buffer, long offset, long length);

    /** The host view of the first {@code length} floats of a tensor that layers share, as programs left them. */
    default MemorySegment host(Tensor tensor, long length) {
        download(tensor.buffer(), tensor.offset(), length);
        return tensor.buffer().segment().asSlice(4 * tensor.offset(), 4 * length);
    }

    /** Makes the host's changes to a range of floats visible to programs. */
    void upload(Buffer buffer, long offset, long length);

    /** Frees all its memory. */
    @Override
    void close();
}
