package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.Transformer;
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
import java.util.Set;

/**
 * How much a text's likelihood depends on each weight: the diagonal of the empirical Fisher information, which takes the
 * text's own tokens for draws of the model (arXiv 1905.12558 says what that costs). It is the mean over sequences of the
 * squared gradient of a sequence's summed negative log-likelihood, per token, so that it is of the size that the curvature of
 * a mean loss is, whatever the sequences' length.
 *
 * <p>A file of it is a safetensors file of F32 tensors by the model's names.
 */
public final class Fisher {
    /** In a file's metadata, what tells the weights that it was estimated at. */
    private static final String MODEL = "model";

    /** Floats that are looked at at a time. */
    private static final int CHUNK = 1 << 16;

    private final Engine engine;
    private final Transformer transformer;
    private final Parameters mean;
    private final Program add;
    private long sequences;

    /** Allocates gradients and the mean of their squares. */
    public Fisher(Engine engine, Parameters weights, int sequence) {
        this.engine = engine;
        transformer = Transformer.forTraining(engine, weights, 1, sequence, false);
        mean = new Parameters(engine, weights.layout(), "fisher");
        Parameters gradients = transformer.gradients();
        long length = weights.layout().length();
        // A mean of squares is what a vector's second moments are to Adafactor, with a decay of (n - 1) / n.
        add = ops -> {
            ops.unfactoredDirection(gradients.all(), mean.all(), length);
            ops.zero(gradients.all(), length);
        };
    }

    /** For the tokens and targets of the next sequence. */
    public Inputs inputs() {
        return transformer.inputs();
    }

    /** Takes the sequence into the mean; its summed negative log-likelihood, in nats. */
    public double add() {
        Inputs inputs = transformer.inputs();
        inputs.lossScale = (float) (1 / Math.sqrt(transformer.sequence()));
        inputs.secondMomentDecay = (float) (sequences / (sequences + 1.0));
        double nll = transformer.forwardBackward();
        engine.run(add, inputs, 0);
        sequences++;
        return nll;
    }

    /**
     * Writes it under a name that stands for a whole file only.
     *
     * @param model what tells the weights
     * @throws UserException if it is not finite, or cannot be written
     */
    public void write(Path file, String model) {
        HuggingFace.misfit(mean, DType.F32).ifPresent(problem -> {
            throw new UserException(file + ": not written, as squared gradients came to no number: " + problem);
        });
        Map<String, String> metadata = new HashMap<>(SafetensorsWriter.PYTORCH);
        metadata.put("sequences", String.valueOf(sequences));
        metadata.put("tokens", String.valueOf(sequences * transformer.sequence()));
        metadata.put(MODEL, model);
        Path partial = Storage.partial(file);
        SafetensorsWriter.write(
                partial,
                HuggingFace.entries(mean.layout().checkpointTensors(), mean.buffer(), "", DType.F32),
                metadata);
        try {
            Storage.move(partial, file);
        } catch (IOException e) {
            throw new UserException(file + ": cannot be written (" + Reason.of(e) + ")", e);
        }
    }

    /**
     * Throws unless a file is one of that model.
     *
     * @param config as the model's weights have it
     */
    public static void check(Path file, ModelConfig config) {
        try (SafetensorsFile stored = SafetensorsFile.open(file)) {
            check(stored, new ParameterLayout(config).checkpointTensors());
        }
    }

    private static void check(SafetensorsFile file, List<CheckpointTensor> tensors) {
        Set<String> strangers = new HashSet<>(file.names());
        for (CheckpointTensor tensor : tensors) {
            if (!strangers.remove(tensor.name())) {
                throw another(file, "it has no " + tensor.name());
            }
            if (!file.shape(tensor.name()).equals(tensor.shape())) {
                throw another(
                        file,
                        "its " + tensor.name() + " is " + file.shape(tensor.name()) + ", the model's "
                                + tensor.shape());
            }
            if (!file.dtype(tensor.name()).convertible()) {
                throw another(file, "its " + tensor.name() + " is " + file.dtype(tensor.name()));
            }
        }
        strangers.stream().min(String::compareTo).ifPresent(name -> {
            throw another(file, "it has " + Reason.cited(name) + ", the model has not");
        });
        tensors.forEach(tensor -> checkValues(file, tensor));
    }

    /** A model's own weights have the same names and shapes. */
    private static void checkValues(SafetensorsFile file, CheckpointTensor tensor) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment floats = arena.allocate(ValueLayout.JAVA_FLOAT, CHUNK);
            for (long first = 0; first < tensor.size(); first += CHUNK) {
                int count = (int) Math.min(CHUNK, tensor.size() - first);
                file.readFloats(tensor.name(), first, count, floats, 0);
                for (int i = 0; i < count; i++) {
                    float value = floats.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                    if (!(value >= 0 && value < Float.POSITIVE_INFINITY)) {
                        throw new UserException(file.path() + ": its " + tensor.name() + " holds " + value
                                + ", which no mean of squares is; give a file that whirlwind fisher has made");
                    }
                }
            }
        }
    }

    private static UserException another(SafetensorsFile file, String how) {
        return new UserException(file.path() + ": is not of this model (" + how
                + "); make one with whirlwind fisher --model and the model that the run starts from");
    }

    /**
     * Reads a file into an engine's memory.
     *
     * @throws UserException if it is not one of such a model, or holds what no mean of squares can be
     */
    public static Parameters load(Engine engine, Path path, ParameterLayout layout) {
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            check(file, layout.checkpointTensors());
            Parameters importance = new Parameters(engine, layout, "importance");
            HuggingFace.read(file, layout.checkpointTensors(), "", importance.buffer());
            importance.upload();
            return importance;
        }
    }

    /** What tells the weights that a file was estimated at; null where it does not say. */
    public static String model(Path path) {
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            return file.metadata().get(MODEL);
        }
    }
}
