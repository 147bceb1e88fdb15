package dev.whirlwind.model.pytorch;

import dev.whirlwind.model.UserException;
import dev.whirlwind.model.safetensors.Conversion;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.model.weights.Errors;
import dev.whirlwind.model.weights.MappedFile;
import dev.whirlwind.model.weights.TensorFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.stream.Collectors;

/**
 * A state dict that {@code torch.save} wrote, as pytorch_model.bin is, mapped into memory. Nothing that the file says is
 * run; see {@link Unpickler}. Several threads may read at once.
 */
public final class PyTorchFile implements TensorFile {
    /** Elements of a tensor that is not contiguous, gathered at a time. */
    private static final int PIECE = 1 << 16;

    private static final int NAMED = 5;

    private final MappedFile file;
    private final SequencedMap<String, StridedTensor> tensors = new LinkedHashMap<>();
    private final Map<String, MemorySegment> data;

    private PyTorchFile(MappedFile file) {
        this.file = file;
        Saved saved = Saved.read(file);
        data = saved.data();
        if (!(saved.value() instanceof Map<?, ?> dict)) {
            throw new UserException(path() + ": holds something other than a dict of tensors; save model.state_dict()");
        }
        dict.forEach((key, value) -> {
            if (!(value instanceof StridedTensor tensor)) {
                throw new UserException(path() + ": holds " + keys(dict) + ", where a dict of tensors has names of"
                        + " tensors only; load it with torch and save the model's state_dict() alone");
            }
            tensors.put(name(key), checked(name(key), tensor));
        });
    }

    /**
     * Maps a file and checks it.
     *
     * @throws UserException if it cannot be read, is damaged, or holds anything but named tensors
     */
    public static PyTorchFile open(Path path) {
        return MappedFile.open(path, PyTorchFile::new);
    }

    private static String keys(Map<?, ?> dict) {
        return dict.keySet().stream()
                        .limit(NAMED)
                        .map(key -> Errors.quote(key.toString()))
                        .collect(Collectors.joining(", "))
                + (dict.size() > NAMED ? ", ..." : "");
    }

    private String name(Object key) {
        String name = key.toString();
        if (name.startsWith("module.")) {
            throw new UserException(path() + ": its " + Errors.tensor(name) + " has the prefix 'module.' of"
                    + " DataParallel; load it with torch and save model.module.state_dict()");
        }
        return name;
    }

    private StridedTensor checked(String name, StridedTensor tensor) {
        String problem = tensor.problem();
        if (problem != null) {
            throw Errors.damaged(path(), Errors.tensor(name) + " " + problem);
        }
        // A view may repeat elements; without an end to that, a small file would hold tensors that are never read out.
        if (tensor.elements()
                > Math.max(tensor.storage().elements(), file.bytes().byteSize())) {
            throw Errors.damaged(path(), Errors.tensor(name) + " has more elements than the file has bytes");
        }
        return tensor;
    }

    @Override
    public Path path() {
        return file.path();
    }

    @Override
    public SequencedSet<String> names() {
        return Collections.unmodifiableSequencedMap(tensors).sequencedKeySet();
    }

    @Override
    public DType dtype(String name) {
        return tensor(name).storage().dtype();
    }

    @Override
    public List<Long> shape(String name) {
        return tensor(name).shape();
    }

    private StridedTensor tensor(String name) {
        StridedTensor tensor = tensors.get(name);
        if (tensor == null) {
            throw Errors.absent(path(), name);
        }
        return tensor;
    }

    @Override
    public void readFloats(String name, long first, long count, MemorySegment floats, long offset) {
        StridedTensor tensor = tensor(name);
        Objects.checkFromIndexSize(first, count, tensor.elements());
        DType dtype = dtype(name);
        if (!dtype.convertible()) {
            throw Errors.notFloats(path(), name, dtype.name());
        }
        if (count == 0) {
            // An empty view may begin anywhere, also beyond its storage.
            return;
        }
        MemorySegment storage = data.get(tensor.storage().key());
        try {
            if (tensor.contiguous()) {
                Conversion.widen(dtype, storage, tensor.offset() + first, floats, offset, count);
            } else {
                gather(tensor, storage, first, count, floats, offset);
            }
        } catch (InternalError e) { // what the JVM makes of a mapped page that cannot be read
            throw Errors.cut(path(), name, e);
        }
    }

    private static void gather(
            StridedTensor tensor, MemorySegment storage, long first, long count, MemorySegment floats, long offset) {
        DType dtype = tensor.storage().dtype();
        int width = dtype.bits() / Byte.SIZE;
        StridedTensor.Cursor cursor = tensor.at(first);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment piece = arena.allocate(Math.min(PIECE, count) * width, Long.BYTES);
            for (long start = 0; start < count; start += PIECE) {
                long length = Math.min(PIECE, count - start);
                for (long i = 0; i < length; i++) {
                    copy(storage, cursor.next(), piece, i, width);
                }
                Conversion.widen(dtype, piece, 0, floats, offset + start, length);
            }
        }
    }

    /** One element of 2, 4 or 8 bytes. */
    private static void copy(MemorySegment from, long at, MemorySegment to, long index, int width) {
        switch (width) {
            case Short.BYTES ->
                to.set(ValueLayout.JAVA_SHORT, index * width, from.get(ValueLayout.JAVA_SHORT_UNALIGNED, at * width));
            case Integer.BYTES ->
                to.set(ValueLayout.JAVA_INT, index * width, from.get(ValueLayout.JAVA_INT_UNALIGNED, at * width));
            default ->
                to.set(ValueLayout.JAVA_LONG, index * width, from.get(ValueLayout.JAVA_LONG_UNALIGNED, at * width));
        }
    }

    @Override
    public void close() {
        file.close();
    }
}
