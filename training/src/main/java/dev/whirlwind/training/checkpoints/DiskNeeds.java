package dev.whirlwind.training.checkpoints;

import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.WeightFormat;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.memory.MemoryUse;
import dev.whirlwind.training.memory.Purpose;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;

/**
 * Bytes of files that a run writes, tokens and reports apart.
 *
 * @param model of a saved model or adapter
 * @param checkpoint of a whole checkpoint
 * @param run of all that lies there at once, at most
 */
public record DiskNeeds(long model, long checkpoint, long run) {
    /**
     * Of a run.
     *
     * @param layout of the model, with an adapter that the run trains
     * @param stored the type of the model's files
     * @param steps of the run; 0 where they are not known
     */
    public static DiskNeeds of(TrainConfig config, ParameterLayout layout, DType stored, MemoryUse use, long steps) {
        // Of adapters that become part of it the model is saved, and in a checkpoint what it would be without the last.
        boolean merges = config.adapter().restarts();
        boolean adapter = !merges && !layout.adapter().isNone();
        long parameters = layout.checkpointTensors().stream()
                .filter(tensor -> merges
                        ? !tensor.isOfAdapter()
                        : !adapter || layout.adapter().has(tensor))
                .mapToLong(CheckpointTensor::size)
                .sum();
        DType type = config.saving().saveDtype() != null ? config.saving().saveDtype() : adapter ? DType.F32 : stored;
        long model = parameters * type.bits() / 8;
        long master = type == DType.F32 && !merges ? 0 : Float.BYTES * inexact(config, layout, type, parameters);
        boolean averages = config.optimizer().ema() != null;
        long state =
                use.of(Purpose.MOMENTS) + use.of(Purpose.ANCHOR) + (averages ? Float.BYTES * parameters : 0) + master;
        long checkpoint = model + state;
        long every = config.saving().saveEvery();
        long saves = 1 + (every == 0 ? 0 : steps / every);
        // One that is being written stands beside those that stay.
        long kept = config.saving().keep() == 0
                ? saves
                : Math.min(saves, config.saving().keep() + 1L);
        // The best, while it is replaced, the last, and the mean.
        long models = averages ? 4 : 3;
        return new DiskNeeds(model, checkpoint, kept * checkpoint + models * model);
    }

    /** How many parameters are not what they are saved as: of weights that are kept so themselves, the vectors. */
    private static long inexact(TrainConfig config, ParameterLayout layout, DType type, long parameters) {
        boolean same = type == DType.BF16 && config.memory().weights() == WeightFormat.BF16;
        return same && layout.adapter().isNone() ? layout.length() - layout.decayedLength() : parameters;
    }

    /** Bytes that can still be written where a folder is, or will be; empty where nobody knows. */
    public static OptionalLong available(Path folder) {
        Path there = folder.toAbsolutePath().normalize();
        while (there != null && !Files.exists(there)) {
            there = there.getParent();
        }
        try {
            return there == null
                    ? OptionalLong.empty()
                    : OptionalLong.of(Files.getFileStore(there).getUsableSpace());
        } catch (IOException e) {
            return OptionalLong.empty();
        }
    }
}
