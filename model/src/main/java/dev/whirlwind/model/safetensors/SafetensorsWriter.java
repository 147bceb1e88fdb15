package dev.whirlwind.model.safetensors;

import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.weights.Errors;
import dev.whirlwind.model.weights.WeightFiles;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import tools.jackson.databind.json.JsonMapper;

/**
 * Writes tensors of floats as safetensors files, in the byte order and with the padding of the format's own library:
 * the same tensors give the same bytes as Python's {@code save_file}. Values stream through one small buffer. A file
 * is synced to the disk before a method returns, and removed if it cannot be finished; that a name appears only when
 * its content is whole is the caller's work.
 */
public final class SafetensorsWriter {
    /** What Hugging Face writes, and asks for when it loads. */
    public static final Map<String, String> PYTORCH = Map.of("format", "pt");

    private static final JsonMapper JSON = new JsonMapper();
    private static final int CHUNK = 1 << 18;

    private SafetensorsWriter() {}

    /**
     * A tensor to write.
     *
     * @param dtype what it becomes in the file: F16 and BF16 are rounded to nearest, ties to even; F32 keeps every
     *     bit; F64 is exact
     * @param shape its dimensions, outermost first; empty for a scalar
     */
    public record Entry(String name, DType dtype, List<Long> shape, FloatSource values) {
        public Entry {
            shape = List.copyOf(shape);
            if (!dtype.convertible()) {
                throw new IllegalArgumentException(name + ": cannot be written from floats as " + dtype);
            }
            if (name.equals(Header.METADATA) || shape.stream().anyMatch(dimension -> dimension < 0)) {
                throw new IllegalArgumentException("not a tensor: " + name + " " + shape);
            }
        }

        /** Its size in the file. */
        public long bytes() {
            return Math.multiplyExact(TensorInfo.elements(shape), (long) dtype.bits() / 8);
        }
    }

    /**
     * Writes one file, wider types first and then by name. What the path named before is replaced, not overwritten:
     * a reader that has the old file open keeps it.
     *
     * @throws UserException if the file cannot be written, for instance because the disk is full
     */
    public static void write(Path file, List<Entry> entries, Map<String, String> metadata) {
        requireDistinct(entries);
        List<Entry> sorted = entries.stream()
                .sorted(Comparator.comparing(Entry::dtype).reversed().thenComparing(Entry::name))
                .toList();
        byte[] header = header(sorted, metadata);
        store(file, channel -> {
            Storage.writeFully(channel, ByteBuffer.wrap(header));
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment floats = arena.allocate((long) CHUNK * Float.BYTES, Long.BYTES);
                MemorySegment elements = arena.allocate((long) CHUNK * Double.BYTES, Long.BYTES);
                for (Entry entry : sorted) {
                    long total = TensorInfo.elements(entry.shape());
                    for (long first = 0; first < total; first += CHUNK) {
                        int count = (int) Math.min(CHUNK, total - first);
                        entry.values().read(first, count, floats);
                        Conversion.narrow(floats, entry.dtype(), elements, count);
                        long bytes = (long) count * entry.dtype().bits() / 8;
                        Storage.writeFully(channel, elements.asSlice(0, bytes).asByteBuffer());
                    }
                }
            }
        });
    }

    /**
     * Writes a model: {@code model.safetensors} if all fits into one file, else shards and their index, filled in the
     * given order as Hugging Face fills them.
     *
     * @param largest most bytes of tensors per file; a larger tensor gets a file of its own
     * @return the files written, the index last
     * @throws UserException if a file cannot be written
     */
    public static List<Path> writeModel(Path folder, List<Entry> entries, Map<String, String> metadata, long largest) {
        requireDistinct(entries);
        List<List<Entry>> shards = split(entries, largest);
        if (shards.size() <= 1) {
            Path single = folder.resolve(WeightFiles.SINGLE);
            write(single, entries, metadata);
            return List.of(single);
        }
        List<Path> written = new ArrayList<>();
        Map<String, String> weightMap = new TreeMap<>();
        for (int i = 0; i < shards.size(); i++) {
            String name = "model-%05d-of-%05d.safetensors".formatted(i + 1, shards.size());
            write(folder.resolve(name), shards.get(i), metadata);
            written.add(folder.resolve(name));
            shards.get(i).forEach(entry -> weightMap.put(entry.name(), name));
        }
        long total = entries.stream().mapToLong(Entry::bytes).sum();
        // Sorted, as Map.of alone has another order in every process.
        byte[] index = JSON.writerWithDefaultPrettyPrinter()
                .writeValueAsBytes(
                        new TreeMap<>(Map.of("metadata", Map.of("total_size", total), "weight_map", weightMap)));
        Path path = folder.resolve(WeightFiles.INDEX);
        store(path, channel -> Storage.writeFully(channel, ByteBuffer.wrap(index)));
        written.add(path);
        return written;
    }

    /** As Hugging Face's split: greedy in the given order, an oversized tensor alone and before the shard being filled. */
    private static List<List<Entry>> split(List<Entry> entries, long largest) {
        List<List<Entry>> shards = new ArrayList<>();
        List<Entry> filling = new ArrayList<>();
        long filled = 0;
        for (Entry entry : entries) {
            if (entry.bytes() > largest) {
                shards.add(List.of(entry));
                continue;
            }
            if (filled + entry.bytes() > largest) {
                shards.add(filling);
                filling = new ArrayList<>();
                filled = 0;
            }
            filling.add(entry);
            filled += entry.bytes();
        }
        if (!filling.isEmpty()) {
            shards.add(filling);
        }
        return shards;
    }

    /** The length, the JSON, and the spaces that make the data begin at a multiple of 8. */
    private static byte[] header(List<Entry> entries, Map<String, String> metadata) {
        Map<String, Object> json = new LinkedHashMap<>();
        if (!metadata.isEmpty()) {
            json.put(Header.METADATA, metadata);
        }
        long begin = 0;
        for (Entry entry : entries) {
            long end = Math.addExact(begin, entry.bytes());
            Map<String, Object> description = new LinkedHashMap<>();
            description.put("dtype", entry.dtype().name());
            description.put("shape", entry.shape());
            description.put("data_offsets", List.of(begin, end));
            json.put(entry.name(), description);
            begin = end;
        }
        byte[] text = JSON.writeValueAsBytes(json);
        int padded = Math.ceilDiv(text.length, Long.BYTES) * Long.BYTES;
        if (padded > Header.LARGEST) {
            throw new IllegalArgumentException("a header of " + padded + " bytes is too large for any reader");
        }
        byte[] header = new byte[Long.BYTES + padded];
        ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN).putLong(padded).put(text);
        Arrays.fill(header, Long.BYTES + text.length, header.length, (byte) ' ');
        return header;
    }

    private static void requireDistinct(List<Entry> entries) {
        Set<String> names = new HashSet<>();
        for (Entry entry : entries) {
            if (!names.add(entry.name())) {
                throw new IllegalArgumentException("two tensors named " + entry.name());
            }
        }
    }

    private static void store(Path file, Storage.Content content) {
        try {
            Storage.write(file, content);
        } catch (IOException e) {
            throw Errors.unwritable(file, e);
        }
    }
}
