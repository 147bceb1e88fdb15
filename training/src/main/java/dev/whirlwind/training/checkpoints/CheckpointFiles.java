package dev.whirlwind.training.checkpoints;

import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.files.WholeFile;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.model.safetensors.SafetensorsFile;
import dev.whirlwind.model.safetensors.SafetensorsWriter;
import dev.whirlwind.training.optimizers.Optimizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * What a checkpoint's folder holds: a Hugging Face model, and in {@code optimizer.safetensors} AdamW's moments as
 * {@code m.NAME} and {@code v.NAME}, with the weights as {@code master.NAME} where the model's own dtype is not F32 and
 * so does not hold all their bits.
 */
public final class CheckpointFiles {
    private static final String OPTIMIZER = "optimizer.safetensors";

    /** Without these nothing can go on from a checkpoint. */
    static final List<String> NEEDED = List.of("config.json", OPTIMIZER, TrainerState.NAME);

    private static final String GENERATION = "generation_config.json";

    private final Parameters weights;
    private final Optimizer optimizer;
    private final Tokenizer tokenizer;
    private final Consumer<String> notes;
    private DType dtype;
    private final long shardBytes;

    /** Null where the model has none. Held in memory, as the folder that it came from may be removed. */
    private final byte[] generationConfig;

    /** @param notes told when weights are saved in another type than {@code dtype}, which has no room for them */
    public CheckpointFiles(
            Path source,
            Parameters weights,
            Optimizer optimizer,
            Tokenizer tokenizer,
            DType dtype,
            long shardBytes,
            Consumer<String> notes) {
        this.notes = notes;
        this.weights = weights;
        this.optimizer = optimizer;
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
        return HuggingFace.misfit(weights, DType.F32);
    }

    /**
     * Weights that have outgrown F16 or BF16 go on as F32, and stay so: a model with infinities in it would be worth
     * nothing, and a resumed run must write what one that was never stopped does.
     */
    private void widenIfNeeded() {
        HuggingFace.misfit(weights, dtype).ifPresent(problem -> {
            notes.accept(
                    "from now on saved as F32 instead of " + dtype + ", which has no room for the weights: " + problem);
            dtype = DType.F32;
        });
    }

    public void writeModel(Path folder) throws IOException {
        widenIfNeeded();
        HuggingFace.save(folder, weights, dtype, shardBytes);
        tokenizer.save(folder);
        if (generationConfig != null) {
            Storage.write(folder.resolve(GENERATION), generationConfig);
        }
    }

    public void writeAll(Path folder, TrainerState state) throws IOException {
        writeModel(folder);
        ParameterLayout layout = weights.layout();
        List<SafetensorsWriter.Entry> entries = new ArrayList<>();
        for (Map.Entry<String, Parameters> part : parts(dtype != DType.F32).entrySet()) {
            part.getValue().download();
            entries.addAll(HuggingFace.entries(layout, part.getValue().buffer().segment(), part.getKey(), DType.F32));
        }
        SafetensorsWriter.write(folder.resolve(OPTIMIZER), entries, Map.of());
        state.write(folder);
    }

    /** Reads back what {@link #writeAll} wrote; the weights themselves must have been loaded from the model's files. */
    public void restore(Path folder, TrainerState state) {
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve(OPTIMIZER))) {
            boolean master = file.tensors().keySet().stream().anyMatch(name -> name.startsWith("master."));
            for (Map.Entry<String, Parameters> part : parts(master).entrySet()) {
                Parameters parameters = part.getValue();
                HuggingFace.read(
                        file,
                        weights.layout(),
                        part.getKey(),
                        parameters.buffer().segment());
                parameters.upload();
            }
        }
        optimizer.resumeAfter(state.updates);
    }

    private Map<String, Parameters> parts(boolean master) {
        return master
                ? Map.of("m.", optimizer.m(), "v.", optimizer.v(), "master.", weights)
                : Map.of("m.", optimizer.m(), "v.", optimizer.v());
    }
}
