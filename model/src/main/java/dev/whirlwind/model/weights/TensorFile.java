package dev.whirlwind.model.weights;

import dev.whirlwind.model.Format;
import dev.whirlwind.model.safetensors.DType;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.SequencedSet;

/** A file of named tensors, checked when it was opened, whose values are read as floats. */
public interface TensorFile extends AutoCloseable {
    Path path();

    /** The tensors' names, in the order of the file. */
    SequencedSet<String> names();

    /**
     * The type of a tensor's elements.
     *
     * @throws UserException if there is no tensor of this name
     */
    DType dtype(String name);

    /** A tensor's dimensions, outermost first; empty for a scalar. */
    List<Long> shape(String name);

    /**
     * Reads some elements, counted in row-major order, as floats. F16 and BF16 are widened exactly, F64 is rounded to
     * nearest.
     *
     * @param first the first element
     * @param count how many
     * @param floats native floats
     * @param offset where the first one goes, in floats
     * @throws UserException if there is no such tensor or its type is not F16, BF16, F32 or F64
     */
    void readFloats(String name, long first, long count, MemorySegment floats, long offset);

    /** Where in which file a tensor's elements lie as one range of bytes, little-endian; empty if they do not. */
    default Optional<Format.FilePart> part(String name) {
        return Optional.empty();
    }

    /** Number of elements. */
    default long elements(String name) {
        return shape(name).stream().reduce(1L, Math::multiplyExact);
    }

    /** Reads a whole tensor. */
    default void readFloats(String name, MemorySegment floats, long offset) {
        readFloats(name, 0, elements(name), floats, offset);
    }

    @Override
    void close();
}
