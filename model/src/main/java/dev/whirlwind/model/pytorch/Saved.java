package dev.whirlwind.model.pytorch;

import dev.whirlwind.model.UserException;
import dev.whirlwind.model.weights.Errors;
import dev.whirlwind.model.weights.MappedFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * What {@code torch.save} wrote: one value, and the storages that its tensors are views of.
 *
 * @param data the storages' elements by key, little-endian
 */
record Saved(Object value, Map<String, MemorySegment> data) {
    private static final ValueLayout.OfLong COUNT = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Begins files from before torch 1.6; of torch/serialization.py, MAGIC_NUMBER and PROTOCOL_VERSION. */
    private static final BigInteger MAGIC = new BigInteger("1950a86a20f9469cfc6c", 16);

    private static final long PROTOCOL = 1001;

    static Saved read(MappedFile file) {
        return Archive.is(file.bytes()) ? zip(file) : legacy(file);
    }

    /** Entries NAME/data.pkl, NAME/byteorder and NAME/data/KEY for each storage. */
    private static Saved zip(MappedFile file) {
        SequencedMap<String, MemorySegment> entries = Archive.entries(file);
        String folder = entries.isEmpty() ? "" : entries.firstEntry().getKey().replaceFirst("/.*", "/");
        MemorySegment order = entries.get(folder + "byteorder");
        if (order != null && order.mismatch(MemorySegment.ofArray("little".getBytes(StandardCharsets.US_ASCII))) >= 0) {
            throw bigEndian(file);
        }
        MemorySegment pickle = entries.get(folder + "data.pkl");
        if (pickle == null) {
            throw Errors.damaged(file.path(), "is a zip archive without a data.pkl, not one of torch.save");
        }
        Unpickler unpickler = new Unpickler(file.path(), pickle);
        Object value = unpickler.read();
        Map<String, MemorySegment> data = new HashMap<>();
        for (Storage storage : unpickler.storages()) {
            MemorySegment elements = entries.get(folder + "data/" + storage.key());
            if (elements == null) {
                throw Errors.damaged(file.path(), "has no storage " + Errors.quote(storage.key()));
            }
            data.put(storage.key(), cut(file, storage, elements, 0));
        }
        return new Saved(value, data);
    }

    /** Five pickles: magic number, protocol, system, value, keys of the storages; then these, each after its count. */
    private static Saved legacy(MappedFile file) {
        MemorySegment bytes = file.bytes();
        Unpickler unpickler = new Unpickler(file.path(), bytes);
        if (!MAGIC.equals(unpickler.read()) || !Long.valueOf(PROTOCOL).equals(unpickler.read())) {
            throw Errors.damaged(file.path(), "is not a file of torch.save");
        }
        if (unpickler.read() instanceof Map<?, ?> system && Boolean.FALSE.equals(system.get("little_endian"))) {
            throw bigEndian(file);
        }
        Object value = unpickler.read();
        Object keys = unpickler.read();
        long position = unpickler.position();
        Map<String, Storage> storages = new HashMap<>();
        unpickler.storages().forEach(storage -> storages.put(storage.key(), storage));
        Map<String, MemorySegment> data = new HashMap<>();
        for (Object key : keys instanceof List<?> list ? list : List.of()) {
            Storage storage = key instanceof String ? storages.get(key) : null;
            if (storage == null
                    || position > bytes.byteSize() - Long.BYTES
                    || bytes.get(COUNT, position) != storage.elements()) {
                throw Errors.damaged(file.path(), "has other storages than its tensors need");
            }
            MemorySegment elements = cut(file, storage, bytes, position + Long.BYTES);
            data.put(storage.key(), elements);
            position += Long.BYTES + elements.byteSize();
        }
        if (data.size() < storages.size()) {
            throw Errors.damaged(file.path(), "has fewer storages than its tensors need");
        }
        return new Saved(value, data);
    }

    private static MemorySegment cut(MappedFile file, Storage storage, MemorySegment bytes, long from) {
        int width = storage.dtype().bits() / Byte.SIZE;
        if (storage.elements() > (bytes.byteSize() - from) / width) {
            throw Errors.damaged(
                    file.path(),
                    "its storage " + Errors.quote(storage.key()) + " should have " + storage.elements()
                            + " elements, but ends before");
        }
        return bytes.asSlice(from, storage.elements() * width);
    }

    private static UserException bigEndian(MappedFile file) {
        return new UserException(file.path()
                + ": was saved on a big-endian machine; load it with torch and save it again on a little-endian one");
    }
}
