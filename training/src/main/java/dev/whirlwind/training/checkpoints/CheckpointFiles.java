package dev.whirlwind.training.checkpoints;

import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.AdapterMerge;
import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Format;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.adapters.AdapterConfig;
import dev.whirlwind.model.adapters.AdapterFiles;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.files.WholeFile;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.model.safetensors.SafetensorsFile;
import dev.whirlwind.model.safetensors.SafetensorsWriter;
import dev.whirlwind.training.optimizers.State;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * What a checkpoint's folder holds: a Hugging Face model, and in {@code optimizer.safetensors} what the optimizer
 * remembers, such as AdamW's moments as {@code m.NAME} and {@code v.NAME}, with the weights as {@code master.NAME} where
 * the model's own dtype is not F32 and so does not hold all their bits, or they are only saved as a part of the model.
 */
public final class CheckpointFiles {
    private static final String MASTER = "master.";
    private static final String OPTIMIZER = "optimizer.safetensors";

    /** Without these nothing can go on from a checkpoint. */
    static final List<String> NEEDED = List.of(OPTIMIZER, TrainerState.NAME);

    /** One of these as well. */
    static final List<String> CONFIGS = List.of("config.json", AdapterConfig.NAME);

    private static final String GENERATION = "generation_config.json";

    private final Parameters weights;
    private final List<State> states;
    private final Engine engine;

    /** What a checkpoint's model, or adapter, consists of. */
    private final List<CheckpointTensor> trained;

    /** Null where the model itself is trained. */
    private final AdapterConfig adapter;

    /** Null where it was no part of the weights. */
    private final Parameters start;

    /** Null where what is trained is not a part that becomes one of the model. */
    private final AdapterMerge merge;

    private final Tokenizer tokenizer;
    private final Consumer<String> notes;
    private DType dtype;
    private final long shardBytes;

    /** Null where the model has none. Held in memory, as the folder that it came from may be removed. */
    private final byte[] generationConfig;

    /**
     * To save and restore.
     *
     * @param adapter that is trained in the model's place, and saved alone; null for none
     * @param start what an adapter began as that began as a part of the weights; null for any other
     * @param merge where a model is saved of which an adapter is trained that becomes part of it; else null
     * @param states all that a run depends on beside weights and {@link TrainerState}
     * @param notes told when weights are saved in another type than {@code dtype}, which has no room for them
     */
    public CheckpointFiles(
            Path source,
            Parameters weights,
            AdapterConfig adapter,
            Parameters start,
            AdapterMerge merge,
            Engine engine,
            List<State> states,
            Tokenizer tokenizer,
            DType dtype,
            long shardBytes,
            Consumer<String> notes) {
        this.notes = notes;
        this.adapter = adapter;
        this.start = start;
        this.merge = merge;
        this.weights = weights;
        this.states = states;
        this.engine = engine;
        trained = merge != null
                ? merge.changed()
                : adapter == null ? weights.layout().checkpointTensors() : AdapterFiles.tensors(weights.layout());
        this.tokenizer = tokenizer;
        this.dtype = dtype;
        this.shardBytes = shardBytes;
        Path file = source.resolve(GENERATION);
        try {
            generationConfig = Files.exists(file) ? WholeFile.read(file, WholeFile.SETTINGS) : null;
        } catch (IOException e) {
            throw new UserException(file + ": cannot be read (" + Reason.of(e) + ")", e);
        }
    }

    /** Why the weights cannot be saved in any type. */
    public Optional<String> damage() {
        return HuggingFace.misfit(weights, trained, DType.F32);
    }

    /**
     * Weights that have outgrown F16 or BF16 go on as F32, and stay so: a model with infinities in it would be worth
     * nothing, and a resumed run must write what one that was never stopped does.
     */
    private void widenIfNeeded(Parameters parameters) {
        HuggingFace.misfit(parameters, trained, dtype).ifPresent(problem -> {
            notes.accept(
                    "from now on saved as F32 instead of " + dtype + ", which has no room for the weights: " + problem);
            dtype = DType.F32;
        });
    }

    public void writeModel(Path folder) throws IOException {
        writeModel(folder, weights);
    }

    /** Other weights of the same model. */
    public void writeModel(Path folder, Parameters parameters) throws IOException {
        widenIfNeeded(parameters);
        if (merge != null) {
            HuggingFace.save(folder, parameters.config(), merge.entries(dtype), dtype, shardBytes);
        } else if (adapter == null) {
            HuggingFace.save(folder, parameters, dtype, shardBytes);
        } else {
            AdapterFiles.save(folder, adapter, parameters, start, dtype);
        }
        tokenizer.save(folder);
        if (generationConfig != null) {
            Storage.write(folder.resolve(GENERATION), generationConfig);
        }
    }

    public void writeAll(Path folder, TrainerState state) throws IOException {
        writeModel(folder);
        List<SafetensorsWriter.Entry> entries = new ArrayList<>();
        for (State part : parts(inexact())) {
            part.download();
            entries.addAll(HuggingFace.entries(part.tensors(), part.buffer(), part.prefix(), DType.F32));
        }
        SafetensorsWriter.write(folder.resolve(OPTIMIZER), entries, Map.of());
        state.write(folder);
    }

    /**
     * Reads back what {@link #writeAll} wrote; the weights themselves must have been loaded from the model's files.
     *
     * @param perhaps states that the run may not have had until now; then they stay as they are
     */
    public void restore(Path folder, List<State> perhaps) {
        if (ModelFolder.isAdapter(folder) != (adapter != null)) {
            throw new UserException(folder + ": is of a run that saves " + (adapter == null ? "an adapter" : "a model")
                    + ", and this one saves " + (adapter == null ? "a model" : "an adapter")
                    + "; give lora and lora_restart_every as they were");
        }
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve(OPTIMIZER))) {
            Stream<CheckpointTensor> saved =
                    trained.stream().filter(tensor -> file.tensors().containsKey(MASTER + tensor.name()));
            for (State part : parts(saved.toList())) {
                if (perhaps.contains(part) && !has(file, part.prefix())) {
                    continue;
                }
                HuggingFace.read(file, part.tensors(), part.prefix(), part.buffer());
                part.upload();
            }
        }
    }

    /** Whether a folder is a checkpoint that a run can go on from. */
    public static boolean isCheckpoint(Path folder) {
        return NEEDED.stream().allMatch(name -> Files.exists(folder.resolve(name)));
    }

    /** Reads back one of the states that {@link #writeAll} wrote. */
    public static void restore(Path folder, State state) {
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve(OPTIMIZER))) {
            HuggingFace.read(file, state.tensors(), state.prefix(), state.buffer());
        }
        state.upload();
    }

    private static boolean has(SafetensorsFile file, String prefix) {
        return file.tensors().keySet().stream().anyMatch(name -> name.startsWith(prefix));
    }

    private List<State> parts(List<CheckpointTensor> master) {
        State ofWeights = new State(MASTER, engine, weights.buffer(), master);
        return Stream.concat(states.stream(), master.isEmpty() ? Stream.empty() : Stream.of(ofWeights))
                .toList();
    }

    /** Of the weights those that the model's own type does not hold all bits of. */
    private List<CheckpointTensor> inexact() {
        if (merge != null) {
            return trained; // The model's files have what the adapter adds to it.
        }
        return trained.stream()
                .filter(tensor -> switch (dtype) {
                    case F32 -> false;
                    case BF16 -> weights.buffer().format(tensor.offset()) != Format.BF16;
                    default -> true;
                })
                .toList();
    }
}
