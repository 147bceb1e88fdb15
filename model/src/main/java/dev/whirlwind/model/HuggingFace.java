package dev.whirlwind.model;

import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.model.safetensors.FloatSource;
import dev.whirlwind.model.safetensors.SafetensorsFile;
import dev.whirlwind.model.safetensors.SafetensorsWriter;
import dev.whirlwind.model.weights.TensorFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** Model folders as Hugging Face's {@code save_pretrained} writes them: config.json and weights. */
public final class HuggingFace {
    /** Floats that are read or checked at a time. */
    private static final int PIECE = 1 << 20;

    private HuggingFace() {}

    /** Weights in an engine's memory, and the type that their files keep the token embedding in. */
    public record Loaded(Parameters weights, DType dtype) {}

    /**
     * Takes memory of the engine for a folder's weights and reads them into it, widened to floats. What the weights say
     * of the model and config.json does not, the parameters' configuration has, and {@code notes} are told.
     *
     * @param config the folder's, perhaps with another dropout
     * @throws UserException if a tensor is missing, of another shape, not finite, or not the model's
     */
    public static Loaded load(Engine engine, Path folder, ModelConfig config, Consumer<String> notes) {
        return load(engine, folder, config, _ -> Adapter.NONE, WeightFormat.FP32, _ -> _ -> true, notes);
    }

    /**
     * The same with room for adapters, whose parameters stay zero, and matrices in a format. What lies in the files in that
     * format may be read there.
     *
     * @param changed tensors that are to be changed, which have memory of their own
     */
    public static Loaded load(
            Engine engine,
            Path folder,
            ModelConfig config,
            Function<ModelConfig, Adapter> adapter,
            WeightFormat format,
            Function<ParameterLayout, Predicate<String>> changed,
            Consumer<String> notes) {
        try (StoredModel stored = StoredModel.open(folder, config)) {
            if (stored.config().tied() != config.tied()) {
                notes.accept(
                        folder + ": config.json ties the head to the token embedding, but its lm_head.weight has other"
                                + " values: it stays a head of its own, and saved models say \"" + ModelConfig.TIED
                                + "\": false");
            }
            ParameterLayout layout = new ParameterLayout(stored.config(), adapter.apply(stored.config()));
            Map<CheckpointTensor, Format.FilePart> files = format == WeightFormat.BF16 && engine.readsFiles()
                    ? files(stored, layout, changed.apply(layout))
                    : Map.of();
            Parameters weights = new Parameters(engine, layout, "weights", format, files);
            return new Loaded(weights, read(stored, weights, files.keySet()));
        }
    }

    /**
     * Reads a folder's weights into memory that is there already.
     *
     * @return the type that the checkpoint keeps its token embedding in
     * @throws UserException if a tensor is missing, of another shape, not finite, or not the model's
     */
    public static DType load(Path folder, Parameters parameters) {
        try (StoredModel stored = StoredModel.open(folder, parameters.config())) {
            if (stored.config().tied() != parameters.config().tied()) {
                throw new UserException(folder + ": config.json ties the head to the token embedding, but its"
                        + " lm_head.weight has other values; set \"" + ModelConfig.TIED + "\": false in config.json");
            }
            return read(stored, parameters, Set.of());
        }
    }

    /** Where matrices lie as the arena has them. */
    private static Map<CheckpointTensor, Format.FilePart> files(
            StoredModel stored, ParameterLayout layout, Predicate<String> changed) {
        Map<CheckpointTensor, Format.FilePart> files = new HashMap<>();
        for (int i = 0; i < stored.names().size(); i++) {
            String name = stored.names().get(i);
            CheckpointTensor tensor = stored.tensors().get(i);
            TensorFile file = stored.files().file(name);
            boolean matrix = tensor.offset() < layout.decayedLength();
            if (matrix && file.dtype(name) == DType.BF16 && !tensor.transposed() && !changed.test(tensor.name())) {
                file.part(name).ifPresent(part -> files.put(tensor, part));
            }
        }
        return files;
    }

    private static DType read(StoredModel stored, Parameters parameters, Set<CheckpointTensor> inFiles) {
        Buffer arena = parameters.buffer();
        for (int i = 0; i < stored.names().size(); i++) {
            String name = stored.names().get(i);
            CheckpointTensor tensor = stored.tensors().get(i);
            TensorFile file = stored.files().file(name);
            Finite seen = inFiles.contains(tensor)
                    ? Finite.of(arena, tensor.offset(), tensor.size())
                    : read(file, name, tensor, arena);
            require(file, name, seen, arena.format(tensor.offset()));
        }
        parameters.upload();
        String first = stored.names().getFirst();
        return stored.files().file(first).dtype(first);
    }

    /** The type that a folder's files keep the token embedding in. */
    public static DType dtype(Path folder, ModelConfig config) {
        try (StoredModel stored = StoredModel.open(folder, config)) {
            String first = stored.names().getFirst();
            return stored.files().file(first).dtype(first);
        }
    }

    /**
     * Whether {@link #load} would find all that it needs, without reading the weights.
     *
     * @return the configuration as the weights have it
     * @throws UserException if it would not
     */
    public static ModelConfig check(Path folder, ModelConfig config) {
        try (StoredModel stored = StoredModel.open(folder, config)) {
            return stored.config();
        }
    }

    /**
     * Reads an arena that {@link #entries} wrote with a prefix.
     *
     * @throws UserException if a tensor is missing or of another shape
     */
    public static void read(SafetensorsFile file, List<CheckpointTensor> tensors, String prefix, Buffer arena) {
        for (CheckpointTensor tensor : tensors) {
            StoredModel.requireShape(file, prefix + tensor.name(), tensor.shape());
            read(file, prefix + tensor.name(), tensor, arena);
        }
    }

    /** Reads a tensor by way of some of its floats at a time, transposed, by way of all; and says what they are. */
    private static Finite read(TensorFile file, String name, CheckpointTensor tensor, Buffer arena) {
        long count = tensor.size();
        Finite seen = new Finite();
        try (Arena scratch = Arena.ofConfined()) {
            if (tensor.transposed()) {
                MemorySegment onDisk = scratch.allocate(4 * count, 64);
                file.readFloats(name, onDisk, 0);
                seen.add(onDisk, count);
                long in = tensor.shape().get(0);
                long out = tensor.shape().get(1);
                MemorySegment row = scratch.allocate(4 * in, 64);
                for (long o = 0; o < out; o++) {
                    for (long i = 0; i < in; i++) {
                        row.setAtIndex(
                                ValueLayout.JAVA_FLOAT, i, onDisk.getAtIndex(ValueLayout.JAVA_FLOAT, i * out + o));
                    }
                    arena.put(tensor.offset() + o * in, row, in);
                }
                return seen;
            }
            MemorySegment floats = scratch.allocate(4 * Math.min(count, PIECE), 64);
            for (long first = 0; first < count; first += PIECE) {
                long piece = Math.min(PIECE, count - first);
                file.readFloats(name, first, piece, floats, 0);
                seen.add(floats, piece);
                arena.put(tensor.offset() + first, floats, piece);
            }
        }
        return seen;
    }

    /** Throws if weights are not finite, or would not be in the format that they are kept in. */
    private static void require(TensorFile file, String name, Finite seen, Format format) {
        float largest = format == Format.FP32 ? Float.MAX_VALUE : DType.BF16.largest();
        seen.problem(name, largest, "BF16").ifPresent(problem -> {
            throw new UserException(file.path() + ": " + problem
                    + (seen.areNumbers()
                            ? "; keep the weights as floats, with --weights fp32"
                            : ", with which nothing can be computed; take another checkpoint of this model"));
        });
    }

    /**
     * Why weights cannot be saved in a type: the first tensor that has NaN or infinite values, or values that would
     * become infinite in it.
     *
     * @return empty if they can be
     */
    public static Optional<String> misfit(Parameters parameters, DType dtype) {
        return misfit(parameters, parameters.layout().checkpointTensors(), dtype);
    }

    /** The same for some of them. */
    public static Optional<String> misfit(Parameters parameters, List<CheckpointTensor> tensors, DType dtype) {
        parameters.download();
        return tensors.stream()
                .flatMap(tensor -> Finite.of(parameters.buffer(), tensor.offset(), tensor.size())
                        .problem(tensor.name(), dtype.largest(), dtype.name())
                        .stream())
                .findFirst();
    }

    /**
     * Writes config.json and the weights into a folder, and syncs them to the disk. With a dtype narrower than F32
     * digits are lost: whoever means to go on training must keep the floats as well.
     *
     * @param dtype F32, F16, BF16 or F64
     * @param largestShard most bytes of one safetensors file
     * @throws UserException if the weights do not fit the type, before anything is written, or a file cannot be written
     */
    public static void save(Path folder, Parameters parameters, DType dtype, long largestShard) {
        misfit(parameters, dtype).ifPresent(problem -> {
            throw new UserException(folder + ": not saved as " + dtype + ": " + problem + "; save as F32");
        });
        save(
                folder,
                parameters.config(),
                entries(parameters.layout().modelTensors(), parameters.buffer(), "", dtype),
                dtype,
                largestShard);
    }

    /** The same of tensors that are ready to be written in a type. */
    public static void save(
            Path folder, ModelConfig config, List<SafetensorsWriter.Entry> tensors, DType dtype, long largestShard) {
        saveConfig(folder, config, dtype);
        SafetensorsWriter.writeModel(folder, tensors, SafetensorsWriter.PYTORCH, largestShard);
    }

    /** An arena's tensors, ready to be written; {@code prefix} is put before each name. */
    public static List<SafetensorsWriter.Entry> entries(
            List<CheckpointTensor> tensors, Buffer arena, String prefix, DType dtype) {
        return tensors.stream()
                .map(tensor -> new SafetensorsWriter.Entry(
                        prefix + tensor.name(), dtype, tensor.shape(), source(tensor, arena)))
                .toList();
    }

    private static FloatSource source(CheckpointTensor tensor, Buffer arena) {
        if (!tensor.transposed()) {
            return (first, count, chunk) -> arena.get(tensor.offset() + first, chunk, count);
        }
        return (first, count, chunk) -> {
            for (int k = 0; k < count; k++) {
                chunk.setAtIndex(ValueLayout.JAVA_FLOAT, k, arena.at(tensor.place(first + k)));
            }
        };
    }

    static void saveConfig(Path folder, ModelConfig config, DType dtype) {
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
