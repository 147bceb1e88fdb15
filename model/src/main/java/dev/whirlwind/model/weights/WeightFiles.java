package dev.whirlwind.model.weights;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.WholeFile;
import dev.whirlwind.model.pytorch.PyTorchFile;
import dev.whirlwind.model.safetensors.SafetensorsFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A model folder's weights as one collection of named tensors. As in Hugging Face's loader the first of these that is
 * there counts: one safetensors file, the shards that its index names, one file of PyTorch's, its shards. An index says
 * which files there are; which tensors there are is what the files hold.
 */
public final class WeightFiles implements AutoCloseable {
    /** The name of a model's one file of weights. */
    public static final String SINGLE = "model.safetensors";

    /** The name of the file that maps tensors to shards. */
    public static final String INDEX = "model.safetensors.index.json";

    private static final String BIN = "pytorch_model.bin";
    private static final String BIN_INDEX = "pytorch_model.bin.index.json";

    /** One of these is in every folder that has weights. */
    public static final List<String> NAMES = List.of(SINGLE, INDEX, BIN, BIN_INDEX);

    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    /** Floats of two tensors that are compared at a time. */
    private static final int CHUNK = 1 << 16;

    private interface Format {
        TensorFile open(Path path);
    }

    private final Path folder;
    private final List<TensorFile> files = new ArrayList<>();
    private final SequencedMap<String, TensorFile> holders = new LinkedHashMap<>();

    /** What the index says, for errors. */
    private Map<String, String> listed = Map.of();

    private WeightFiles(Path folder) {
        this.folder = folder;
    }

    /**
     * Opens all files of a model and checks them and their index.
     *
     * @throws UserException if the folder has no weights, or any of its files is missing or wrong
     */
    public static WeightFiles open(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new UserException(folder + ": no such model folder; give a folder with config.json and " + SINGLE);
        }
        WeightFiles model = new WeightFiles(folder);
        boolean open = false;
        try {
            model.open();
            open = true;
            return model;
        } finally {
            if (!open) {
                model.close();
            }
        }
    }

    private void open() {
        if (has(SINGLE)) {
            add(SINGLE, SafetensorsFile::open);
        } else if (has(INDEX)) {
            addShards(INDEX, ".safetensors", SafetensorsFile::open);
        } else if (has(BIN)) {
            add(BIN, PyTorchFile::open);
        } else if (has(BIN_INDEX)) {
            addShards(BIN_INDEX, ".bin", PyTorchFile::open);
        } else {
            throw new UserException(folder + ": has neither " + SINGLE + " nor " + INDEX + ", " + BIN + " or "
                    + BIN_INDEX + "; check the folder, or download the model's weights again");
        }
    }

    /** A link to a file that is gone is there, too: whoever put it there meant it to be read. */
    private boolean has(String name) {
        return Files.exists(folder.resolve(name), LinkOption.NOFOLLOW_LINKS);
    }

    private void add(String name, Format format) {
        TensorFile file = format.open(folder.resolve(name));
        files.add(file);
        for (String tensor : file.names()) {
            TensorFile other = holders.putIfAbsent(tensor, file);
            if (other != null && !same(other, tensor, file, tensor)) {
                throw Errors.damaged(
                        file.path(),
                        Errors.tensor(tensor) + " is also in " + other.path().getFileName() + ", with other values");
            }
        }
    }

    private void addShards(String index, String ending, Format format) {
        listed = weightMap(folder.resolve(index), ending);
        for (String shard : new TreeSet<>(listed.values())) {
            if (!has(shard)) {
                throw new UserException(folder.resolve(index) + ": names the shard " + Errors.quote(shard)
                        + ", which is not in the folder; download it");
            }
            add(shard, format);
        }
    }

    /** Tensor to shard, both checked: a shard is a plain file name, so that no index can reach out of its folder. */
    private static Map<String, String> weightMap(Path index, String ending) {
        JsonNode map;
        try {
            map = JSON.readTree(WholeFile.read(index, WholeFile.TABLE)).path("weight_map");
        } catch (IOException e) {
            throw Errors.unreadable(index, e);
        } catch (JacksonException e) {
            throw Errors.damaged(index, "is not valid JSON (" + Reason.of(e) + ")");
        }
        if (!map.isObject() || map.isEmpty()) {
            throw Errors.damaged(index, "has no weight_map that maps tensors to files");
        }
        Map<String, String> shards = new TreeMap<>();
        map.forEachEntry((tensor, shard) -> {
            String name = shard.isString() ? shard.stringValue() : "";
            if (!name.matches("[^/\\\\:\\p{Cntrl}]+") || !name.endsWith(ending) || name.equals(ending)) {
                throw Errors.damaged(
                        index,
                        Errors.tensor(tensor) + " is mapped to " + Errors.quote(shard.toString())
                                + ", which is not the name of a " + ending + " file in the same folder");
            }
            shards.put(tensor, name);
        });
        return shards;
    }

    /** Of the files that hold tensors, in the order that they are read in. */
    public List<Path> paths() {
        return files.stream().map(TensorFile::path).toList();
    }

    public Path folder() {
        return folder;
    }

    /** All tensors' names: shards in the order of their names, within each the order of the file. */
    public SequencedSet<String> names() {
        return Collections.unmodifiableSequencedMap(holders).sequencedKeySet();
    }

    /**
     * The file that holds a tensor.
     *
     * @throws UserException if none does
     */
    public TensorFile file(String tensor) {
        TensorFile file = holders.get(tensor);
        if (file == null && listed.containsKey(tensor)) {
            throw Errors.damaged(
                    folder.resolve(listed.get(tensor)),
                    "has no " + Errors.tensor(tensor) + ", which the index lists for it");
        }
        if (file == null) {
            throw new UserException(folder + ": its weights have no " + Errors.tensor(tensor)
                    + "; check that config.json belongs to them, or download the model again");
        }
        return file;
    }

    /** Whether two tensors have the same shape and values. */
    public boolean same(String a, String b) {
        return same(file(a), a, file(b), b);
    }

    private static boolean same(TensorFile a, String nameA, TensorFile b, String nameB) {
        if (!a.shape(nameA).equals(b.shape(nameB))) {
            return false;
        }
        if (!a.dtype(nameA).convertible() || !b.dtype(nameB).convertible()) {
            // No model reads these.
            return a.dtype(nameA) == b.dtype(nameB);
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment valuesA = arena.allocate(ValueLayout.JAVA_FLOAT, CHUNK);
            MemorySegment valuesB = arena.allocate(ValueLayout.JAVA_FLOAT, CHUNK);
            long elements = a.elements(nameA);
            for (long first = 0; first < elements; first += CHUNK) {
                long count = Math.min(CHUNK, elements - first);
                a.readFloats(nameA, first, count, valuesA, 0);
                b.readFloats(nameB, first, count, valuesB, 0);
                long bytes = count * Float.BYTES;
                if (valuesA.asSlice(0, bytes).mismatch(valuesB.asSlice(0, bytes)) >= 0) {
                    return false;
                }
            }
            return true;
        }
    }

    @Override
    public void close() {
        files.forEach(TensorFile::close);
    }
}
