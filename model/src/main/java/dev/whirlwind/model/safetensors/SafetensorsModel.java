package dev.whirlwind.model.safetensors;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A model folder's weights as one collection of named tensors: {@code model.safetensors}, or the shards that
 * {@code model.safetensors.index.json} names. As in Hugging Face's loader, the single file wins where both exist.
 */
public final class SafetensorsModel implements AutoCloseable {
    static final String SINGLE = "model.safetensors";
    static final String INDEX = "model.safetensors.index.json";

    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private final Path folder;
    private final List<SafetensorsFile> files = new ArrayList<>();
    private final Map<String, SafetensorsFile> holders = new LinkedHashMap<>();

    private SafetensorsModel(Path folder) {
        this.folder = folder;
    }

    /**
     * Opens all files of a model and checks them and their index.
     *
     * @throws UserException if the folder has no safetensors weights, or any of its files is missing or wrong
     */
    public static SafetensorsModel open(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new UserException(folder + ": no such model folder; give a folder with config.json and " + SINGLE);
        }
        SafetensorsModel model = new SafetensorsModel(folder);
        boolean open = false;
        try {
            if (Files.exists(folder.resolve(SINGLE))) {
                model.add(SINGLE);
            } else if (Files.exists(folder.resolve(INDEX))) {
                model.addShards(folder.resolve(INDEX));
            } else {
                throw nothingFound(folder);
            }
            open = true;
            return model;
        } finally {
            if (!open) {
                model.close();
            }
        }
    }

    private static UserException nothingFound(Path folder) {
        String looked = folder + ": has neither " + SINGLE + " nor " + INDEX;
        boolean pickled = Files.exists(folder.resolve("pytorch_model.bin"))
                || Files.exists(folder.resolve("pytorch_model.bin.index.json"));
        return new UserException(
                pickled
                        ? looked + ", only pytorch_model.bin; convert it with"
                                + " model.save_pretrained(folder, safe_serialization=True) in Python's transformers"
                        : looked + "; check the folder, or download the model's weights again");
    }

    private SafetensorsFile add(String name) {
        SafetensorsFile file = SafetensorsFile.open(folder.resolve(name));
        files.add(file);
        file.tensors().keySet().forEach(tensor -> holders.putIfAbsent(tensor, file));
        return file;
    }

    private void addShards(Path index) {
        Map<String, String> shards = weightMap(index);
        for (String shard : new TreeSet<>(shards.values())) {
            if (!Files.exists(folder.resolve(shard))) {
                throw new UserException(index + ": names the shard " + Errors.quote(shard)
                        + ", which is not in the folder; download it");
            }
            SafetensorsFile file = add(shard);
            for (String tensor : file.tensors().keySet()) {
                SafetensorsFile other = holders.get(tensor);
                if (other != file) {
                    throw Errors.damaged(
                            file.path(),
                            Errors.tensor(tensor) + " is also in "
                                    + other.path().getFileName());
                }
                if (!shard.equals(shards.get(tensor))) {
                    throw Errors.damaged(
                            file.path(), Errors.tensor(tensor) + " is not listed for this file in " + INDEX);
                }
            }
        }
        shards.forEach((tensor, shard) -> {
            if (!holders.containsKey(tensor)) {
                throw Errors.damaged(
                        folder.resolve(shard),
                        "has no " + Errors.tensor(tensor) + ", which " + INDEX + " lists for it");
            }
        });
    }

    /** Tensor to shard, both checked: a shard is a plain file name, so that no index can reach out of its folder. */
    private static Map<String, String> weightMap(Path index) {
        JsonNode map;
        try {
            map = JSON.readTree(Files.readAllBytes(index)).path("weight_map");
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
            if (!shard.isString() || !shard.stringValue().matches("[^/\\\\:\\p{Cntrl}]+\\.safetensors")) {
                throw Errors.damaged(
                        index,
                        Errors.tensor(tensor) + " is mapped to " + Errors.quote(shard.toString())
                                + ", which is not the name of a safetensors file in the same folder");
            }
            shards.put(tensor, shard.stringValue());
        });
        return shards;
    }

    public Path folder() {
        return folder;
    }

    /** All tensors by name: shards in the order of their names, within each the order of the bytes. */
    public SequencedMap<String, TensorInfo> tensors() {
        SequencedMap<String, TensorInfo> tensors = new LinkedHashMap<>();
        files.forEach(file -> tensors.putAll(file.tensors()));
        return Collections.unmodifiableSequencedMap(tensors);
    }

    /**
     * The file that holds a tensor.
     *
     * @throws UserException if none does
     */
    public SafetensorsFile file(String tensor) {
        SafetensorsFile file = holders.get(tensor);
        if (file == null) {
            throw new UserException(folder + ": its weights have no " + Errors.tensor(tensor)
                    + "; check that config.json belongs to them, or download the model again");
        }
        return file;
    }

    /** As {@link SafetensorsFile#tensor}. */
    public TensorInfo tensor(String name) {
        return file(name).tensor(name);
    }

    /** As {@link SafetensorsFile#data}. */
    public MemorySegment data(String name) {
        return file(name).data(name);
    }

    /** As {@link SafetensorsFile#readFloats(String, MemorySegment, long)}. */
    public void readFloats(String name, MemorySegment floats, long offset) {
        file(name).readFloats(name, floats, offset);
    }

    /** As {@link SafetensorsFile#readFloats(String, long, long, MemorySegment, long)}. */
    public void readFloats(String name, long first, long count, MemorySegment floats, long offset) {
        file(name).readFloats(name, first, count, floats, offset);
    }

    @Override
    public void close() {
        files.forEach(SafetensorsFile::close);
    }
}
