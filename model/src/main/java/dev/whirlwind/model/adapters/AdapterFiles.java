package dev.whirlwind.model.adapters;

import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.model.safetensors.SafetensorsFile;
import dev.whirlwind.model.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import tools.jackson.databind.json.JsonMapper;

/** PEFT's {@code adapter_model.safetensors}: an adapter's own tensors, and those of the model that are saved with it. */
public final class AdapterFiles {
    public static final String NAME = "adapter_model.safetensors";

    private static final String A = ".lora_A.weight";
    private static final String B = ".lora_B.weight";

    private AdapterFiles() {}

    /** The tensors that an adapter's file has, of a layout with that adapter. */
    public static List<CheckpointTensor> tensors(ParameterLayout layout) {
        return layout.checkpointTensors().stream().filter(layout.adapter()::has).toList();
    }

    /** The type that a folder's adapter is kept in. */
    public static DType dtype(Path folder) {
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve(NAME))) {
            return file.dtype(file.names().getFirst());
        }
    }

    private static String stored(CheckpointTensor tensor) {
        return tensor.isOfAdapter() ? tensor.name() : CheckpointTensor.ADAPTER + tensor.name();
    }

    /** A tensor's name in the layout, by one of its names in PEFT's files. */
    public static String inLayout(String name) {
        String today = today(name);
        return today.contains(".lora_") ? today : today.substring(CheckpointTensor.ADAPTER.length());
    }

    /** Names as PEFT writes them today: older ones name the adapter, "default", and magnitudes a weight. */
    private static String today(String name) {
        String prefixed = name.startsWith(CheckpointTensor.ADAPTER) ? name : CheckpointTensor.ADAPTER + name;
        return prefixed.replace(".modules_to_save.default.", ".")
                .replace(".default.", ".")
                .replaceFirst("\\.lora_magnitude_vector(\\.weight|\\.default)+$", ".lora_magnitude_vector");
    }

    /**
     * Throws unless {@link #load} would find all that it needs for a model.
     *
     * @throws UserException if a tensor is missing, of another shape, or none of this adapter
     */
    static void check(Path folder, AdapterConfig config, ModelConfig model) {
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve(NAME))) {
            for (CheckpointTensor tensor : stored(file, tensors(new ParameterLayout(model, config.of(model))))) {
                if (!file.names().contains(tensor.name())) {
                    throw new UserException(file.path() + ": has no " + tensor.name() + ", which " + AdapterConfig.NAME
                            + " asks for; check that they belong together");
                }
                if (!file.shape(tensor.name()).equals(tensor.shape())) {
                    throw new UserException(file.path() + ": " + tensor.name() + " has shape "
                            + file.shape(tensor.name()) + ", and for this base model it must have " + tensor.shape()
                            + "; give the adapter the base model that it was made for");
                }
            }
        }
    }

    /** The tensors by their names in a file. */
    private static List<CheckpointTensor> stored(SafetensorsFile file, List<CheckpointTensor> tensors) {
        Map<String, String> names = new HashMap<>();
        file.names().forEach(name -> names.put(today(name), name));
        Set<String> strangers = new HashSet<>(names.keySet());
        tensors.forEach(tensor -> strangers.remove(stored(tensor)));
        strangers.stream().min(String::compareTo).ifPresent(stranger -> {
            throw new UserException(file.path() + ": has " + Reason.cited(stranger)
                    + ", which an adapter of this model and " + AdapterConfig.NAME
                    + " does not have; check that they belong together");
        });
        return tensors.stream()
                .map(tensor -> new CheckpointTensor(
                        names.getOrDefault(stored(tensor), stored(tensor)),
                        tensor.shape(),
                        tensor.offset(),
                        tensor.transposed()))
                .toList();
    }

    /**
     * Reads an adapter into the place that a layout has for it.
     *
     * @throws UserException if a tensor is missing, of another shape, or none of this adapter
     */
    public static void load(Path folder, AdapterConfig config, Parameters weights) {
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve(NAME))) {
            check(folder, config, weights.config());
            List<CheckpointTensor> tensors = stored(file, tensors(weights.layout()));
            HuggingFace.read(file, tensors, "", weights.buffer());
        }
        weights.upload();
    }

    /** [A; A0] of A, [B, -B0] of B, and anything else as it is. */
    private static SafetensorsWriter.Entry ofWholeWeights(
            CheckpointTensor tensor, Parameters weights, Parameters start, DType dtype) {
        Optional<CheckpointTensor> begun = start.layout().checkpointTensors().stream()
                .filter(other -> other.name().equals(tensor.name()))
                .findFirst();
        if (begun.isEmpty()) {
            return HuggingFace.entries(List.of(tensor), weights.buffer(), "", dtype)
                    .getFirst();
        }
        boolean first = tensor.name().endsWith(A);
        long rows = tensor.shape().get(0);
        long columns = tensor.shape().get(1);
        List<Long> shape = first ? List.of(2 * rows, columns) : List.of(rows, 2 * columns);
        long width = shape.get(1);
        return new SafetensorsWriter.Entry(tensor.name(), dtype, shape, (from, count, chunk) -> {
            for (int k = 0; k < count; k++) {
                long row = (from + k) / width;
                long column = (from + k) % width;
                boolean isBegun = first ? row >= rows : column >= columns;
                long place = (first ? row % rows : row) * columns + column % columns;
                float value = isBegun
                        ? start.buffer().at(begun.get().offset() + place)
                        : weights.buffer().at(tensor.offset() + place);
                chunk.setAtIndex(ValueLayout.JAVA_FLOAT, k, isBegun && !first ? -value : value);
            }
        });
    }

    /** Reads what {@link #save} wrote of an adapter that began as the principal part, without what it began as. */
    public static void loadPrincipal(Path folder, Parameters weights) {
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve(NAME));
                Arena arena = Arena.ofConfined()) {
            for (CheckpointTensor tensor : tensors(weights.layout())) {
                String name = stored(tensor);
                boolean halved = tensor.name().endsWith(A) || tensor.name().endsWith(B);
                long width = tensor.shape().getLast();
                long step = halved && tensor.name().endsWith(B) ? 2 * width : width;
                MemorySegment row = arena.allocate(Float.BYTES * width, Float.BYTES);
                for (long i = 0; i < tensor.size() / width; i++) {
                    file.readFloats(name, i * step, width, row, 0);
                    weights.buffer().put(tensor.offset() + i * width, row, width);
                }
            }
        }
        weights.upload();
    }

    /**
     * Writes an adapter as PEFT reads it.
     *
     * @throws UserException if the weights do not fit the type, or a file cannot be written
     */
    public static void save(Path folder, AdapterConfig config, Parameters weights, DType dtype) {
        save(folder, config, weights, null, dtype);
    }

    /**
     * The same of one that began as the principal part of its weights: what is written is for the whole weights.
     *
     * @param start what it began as; null for any other
     */
    public static void save(Path folder, AdapterConfig given, Parameters weights, Parameters start, DType dtype) {
        weights.download();
        AdapterConfig config = start == null ? given : given.ofWholeWeights();
        List<CheckpointTensor> tensors = tensors(weights.layout()).stream()
                .map(tensor ->
                        new CheckpointTensor(stored(tensor), tensor.shape(), tensor.offset(), tensor.transposed()))
                .sorted((a, b) -> a.name().compareTo(b.name()))
                .toList();
        SafetensorsWriter.write(
                folder.resolve(NAME),
                start == null
                        ? HuggingFace.entries(tensors, weights.buffer(), "", dtype)
                        : tensors.stream()
                                .map(tensor -> ofWholeWeights(tensor, weights, start, dtype))
                                .toList(),
                SafetensorsWriter.PYTORCH);
        Path file = folder.resolve(AdapterConfig.NAME);
        try {
            Storage.write(
                    file, JsonMapper.shared().writerWithDefaultPrettyPrinter().writeValueAsBytes(config.json()));
        } catch (IOException e) {
            throw new UserException(file + ": cannot be written (" + Reason.of(e) + ")", e);
        }
    }
}
