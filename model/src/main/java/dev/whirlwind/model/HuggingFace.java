package dev.whirlwind.model;

import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.model.safetensors.FloatSource;
import dev.whirlwind.model.safetensors.SafetensorsFile;
import dev.whirlwind.model.safetensors.SafetensorsModel;
import dev.whirlwind.model.safetensors.SafetensorsWriter;
import dev.whirlwind.model.safetensors.TensorInfo;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import java.util.function.Predicate;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** Model folders as Hugging Face's {@code save_pretrained} writes them: config.json and safetensors. */
public final class HuggingFace {
    private HuggingFace() {}

    /**
     * Reads a folder's weights, widened to floats, and gives them to the engine.
     *
     * @return the type that the checkpoint keeps its token embedding in
     * @throws UserException if a tensor is missing, of another shape, or not the model's
     */
    public static DType load(Path folder, Parameters parameters) {
        ParameterLayout layout = parameters.layout();
        DType dtype;
        try (SafetensorsModel file = SafetensorsModel.open(folder)) {
            List<CheckpointTensor> tensors = layout.checkpointTensors();
            List<String> names = checkedNames(file, tensors, layout.config());
            MemorySegment arena = parameters.buffer().segment();
            for (int i = 0; i < names.size(); i++) {
                read(file.file(names.get(i)), names.get(i), tensors.get(i), arena);
            }
            dtype = file.tensor(names.getFirst()).dtype();
        }
        parameters.upload();
        return dtype;
    }

    /**
     * Whether {@link #load} would find all that it needs, without reading the weights.
     *
     * @throws UserException if it would not
     */
    public static void check(Path folder, ModelConfig config) {
        try (SafetensorsModel file = SafetensorsModel.open(folder)) {
            checkedNames(file, new ParameterLayout(config).checkpointTensors(), config);
        }
    }

    /** The names that the tensors have in these files, once they are known to be there and no others. */
    private static List<String> checkedNames(
            SafetensorsModel file, List<CheckpointTensor> tensors, ModelConfig config) {
        // Base models (GPT-2 on the hub among them) leave the prefix out.
        String prefix = config.architecture().prefix();
        boolean prefixed = file.tensors().keySet().stream().anyMatch(name -> name.startsWith(prefix));
        List<String> names = tensors.stream()
                .map(tensor -> prefixed || !tensor.name().startsWith(prefix)
                        ? tensor.name()
                        : tensor.name().substring(prefix.length()))
                .toList();
        refuseStrangers(file, names, config);
        for (int i = 0; i < names.size(); i++) {
            checkShape(file.file(names.get(i)), names.get(i), tensors.get(i).shape());
        }
        return names;
    }

    /** Mask and rotary buffers that old versions saved, and the copy of a tied head, carry nothing. */
    private static void refuseStrangers(SafetensorsModel file, List<String> names, ModelConfig config) {
        Predicate<String> harmless = name -> name.endsWith(".attn.bias")
                || name.endsWith(".attn.masked_bias")
                || name.endsWith(".rotary_emb.inv_freq")
                || (config.tied() && name.equals("lm_head.weight"));
        TreeSet<String> strangers = new TreeSet<>(file.tensors().keySet());
        names.forEach(strangers::remove);
        strangers.removeIf(harmless);
        if (!strangers.isEmpty()) {
            throw new UserException(file.folder() + ": holds " + strangers.size() + " tensor(s) that a "
                    + config.architecture().modelType() + " model of this config.json does not have, such as "
                    + strangers.first() + "; check that config.json belongs to these weights");
        }
    }

    /**
     * Reads an arena that {@link #entries} wrote with a prefix.
     *
     * @throws UserException if a tensor is missing or of another shape
     */
    public static void read(SafetensorsFile file, ParameterLayout layout, String prefix, MemorySegment arena) {
        for (CheckpointTensor tensor : layout.checkpointTensors()) {
            checkShape(file, prefix + tensor.name(), tensor.shape());
            read(file, prefix + tensor.name(), tensor, arena);
        }
    }

    private static void checkShape(SafetensorsFile file, String name, List<Long> shape) {
        TensorInfo info = file.tensor(name);
        if (!info.shape().equals(shape)) {
            throw new UserException(file.path() + ": tensor " + name + " has shape " + info.shape()
                    + ", but config.json asks for " + shape + "; check that they belong together");
        }
    }

    private static void read(SafetensorsFile file, String name, CheckpointTensor tensor, MemorySegment arena) {
        if (!tensor.transposed()) {
            file.readFloats(name, arena, tensor.offset());
            return;
        }
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment onDisk = scratch.allocate(4 * tensor.size(), 64);
            file.readFloats(name, onDisk, 0);
            long in = tensor.shape().get(0);
            long out = tensor.shape().get(1);
            for (long o = 0; o < out; o++) {
                for (long i = 0; i < in; i++) {
                    float value = onDisk.getAtIndex(ValueLayout.JAVA_FLOAT, i * out + o);
                    arena.setAtIndex(ValueLayout.JAVA_FLOAT, tensor.offset() + o * in + i, value);
                }
            }
        }
    }

    /**
     * Writes config.json and the weights into a folder, and syncs them to the disk. With a dtype narrower than F32
     * digits are lost: whoever means to go on training must keep the floats as well.
     *
     * @param dtype F32, F16, BF16 or F64
     * @param largestShard most bytes of one safetensors file
     */
    public static void save(Path folder, Parameters parameters, DType dtype, long largestShard) {
        parameters.download();
        saveConfig(folder, parameters.config(), dtype);
        SafetensorsWriter.writeModel(
                folder,
                entries(parameters.layout(), parameters.buffer().segment(), "", dtype),
                SafetensorsWriter.PYTORCH,
                largestShard);
    }

    /** An arena's tensors, ready to be written; {@code prefix} is put before each name. */
    public static List<SafetensorsWriter.Entry> entries(
            ParameterLayout layout, MemorySegment arena, String prefix, DType dtype) {
        return layout.checkpointTensors().stream()
                .map(tensor -> new SafetensorsWriter.Entry(
                        prefix + tensor.name(), dtype, tensor.shape(), source(tensor, arena)))
                .toList();
    }

    private static FloatSource source(CheckpointTensor tensor, MemorySegment arena) {
        if (!tensor.transposed()) {
            return FloatSource.of(arena, tensor.offset());
        }
        long in = tensor.shape().get(0);
        long out = tensor.shape().get(1);
        return (first, count, chunk) -> {
            for (int k = 0; k < count; k++) {
                long from = tensor.offset() + (first + k) % out * in + (first + k) / out;
                chunk.setAtIndex(ValueLayout.JAVA_FLOAT, k, arena.getAtIndex(ValueLayout.JAVA_FLOAT, from));
            }
        };
    }

    private static void saveConfig(Path folder, ModelConfig config, DType dtype) {
        ObjectNode json = config.json().deepCopy();
        json.put(json.has("dtype") ? "dtype" : "torch_dtype", pytorchName(dtype));
        Path file = folder.resolve("config.json");
        try {
            Storage.write(
                    file, JsonMapper.shared().writerWithDefaultPrettyPrinter().writeValueAsBytes(json));
        } catch (IOException e) {
            throw new UserException(file + ": cannot be written (" + Reason.of(e) + ")", e);
        }
    }

    private static String pytorchName(DType dtype) {
        return switch (dtype) {
            case F16 -> "float16";
            case BF16 -> "bfloat16";
            case F64 -> "float64";
            default -> "float32";
        };
    }
}
