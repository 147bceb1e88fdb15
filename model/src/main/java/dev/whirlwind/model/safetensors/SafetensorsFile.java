package dev.whirlwind.model.safetensors;

import dev.whirlwind.model.Format;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.weights.Errors;
import dev.whirlwind.model.weights.MappedFile;
import dev.whirlwind.model.weights.TensorFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SequencedSet;

/**
 * A safetensors file, mapped into memory and checked completely before anything is read from it. Several threads may
 * read at once. The mapping, and every segment that {@link #data} gave, ends with {@link #close}.
 */
public final class SafetensorsFile implements TensorFile {
    private static final ValueLayout.OfLong LENGTH = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Elements that are read before their pages are given back, which otherwise count as this process's memory. */
    private static final long PIECE = 4 << 20;

    private final Path path;
    private final MappedFile mapped;
    private final MemorySegment data;
    private final Map<String, String> metadata;
    private final SequencedMap<String, TensorInfo> tensors;

    private SafetensorsFile(MappedFile mapped) {
        this.mapped = mapped;
        path = mapped.path();
        MemorySegment file = mapped.bytes();
        long size = file.byteSize();
        if (size < Long.BYTES) {
            throw Errors.damaged(path, "it has only " + size + " bytes, too few for a safetensors file");
        }
        long length = file.get(LENGTH, 0);
        if (length <= 0 || length > Header.LARGEST) {
            throw Errors.damaged(
                    path,
                    "it claims a header of " + Long.toUnsignedString(length) + " bytes, where 1 to " + Header.LARGEST
                            + " are possible");
        }
        if (length > size - Long.BYTES) {
            throw Errors.damaged(
                    path, "its header of " + length + " bytes goes beyond the file's end at " + size + " bytes");
        }
        data = file.asSlice(Long.BYTES + length);
        Header header = Header.parse(path, file.asSlice(Long.BYTES, length).asByteBuffer(), data.byteSize());
        metadata = header.metadata();
        SequencedMap<String, TensorInfo> byName = new LinkedHashMap<>();
        header.tensors().forEach(tensor -> byName.put(tensor.name(), tensor));
        tensors = Collections.unmodifiableSequencedMap(byName);
    }

    /**
     * Maps a file and checks it.
     *
     * @throws UserException if it cannot be read or is not a valid safetensors file
     */
    public static SafetensorsFile open(Path path) {
        return MappedFile.open(path, SafetensorsFile::new);
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public SequencedSet<String> names() {
        return tensors.sequencedKeySet();
    }

    @Override
    public DType dtype(String name) {
        return tensor(name).dtype();
    }

    @Override
    public List<Long> shape(String name) {
        return tensor(name).shape();
    }

    /** The header's {@code __metadata__}; empty if it has none. */
    public Map<String, String> metadata() {
        return metadata;
    }

    /** The tensors by name, in the order of their bytes. */
    public SequencedMap<String, TensorInfo> tensors() {
        return tensors;
    }

    /**
     * What the header says about a tensor.
     *
     * @throws UserException if there is none of this name
     */
    public TensorInfo tensor(String name) {
        TensorInfo tensor = tensors.get(name);
        if (tensor == null) {
            throw Errors.absent(path, name);
        }
        return tensor;
    }

    /** A tensor's bytes as they lie in the file: row-major, little-endian, not necessarily aligned, read-only. */
    public MemorySegment data(String name) {
        TensorInfo tensor = tensor(name);
        return data.asSlice(tensor.begin(), tensor.end() - tensor.begin());
    }

    @Override
    public Optional<Format.FilePart> part(String name) {
        long start = mapped.bytes().byteSize() - data.byteSize();
        return Optional.of(new Format.FilePart(path, start + tensor(name).begin()));
    }

    @Override
    public void readFloats(String name, long first, long count, MemorySegment floats, long offset) {
        TensorInfo tensor = tensor(name);
        Objects.checkFromIndexSize(first, count, tensor.elements());
        if (!tensor.dtype().convertible()) {
            throw Errors.notFloats(path, name, tensor.dtype().name());
        }
        try {
            MemorySegment elements = data(name);
            int width = tensor.dtype().bits() / 8;
            for (long done = 0; done < count; done += PIECE) {
                long length = Math.min(PIECE, count - done);
                Conversion.widen(tensor.dtype(), elements, first + done, floats, offset + done, length);
                elements.asSlice((first + done) * width, length * width).unload();
            }
        } catch (InternalError e) { // what the JVM makes of a mapped page that cannot be read
            throw Errors.cut(path, name, e);
        }
    }

    @Override
    public void close() {
        mapped.close();
    }
}
