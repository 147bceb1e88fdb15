package dev.whirlwind.model;

import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.model.safetensors.FloatSource;
import dev.whirlwind.model.safetensors.SafetensorsWriter;
import dev.whirlwind.model.weights.TensorFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Models between two of one shape, such as one before and after it was tuned (arXiv 2109.01903): what lies between forgets
 * less, and often loses little of what was learnt. Weights stream from files to files; no model is held whole.
 */
public final class Interpolation implements AutoCloseable {
    /** The line between two tensors. */
    public enum Kind {
        /** Straight: (1 - w) base + w tuned. */
        LINEAR,

        /**
         * Along the arc between the tensors' directions (Shoemake, 1985): sin((1 - w) t) / sin(t) base + sin(w t) / sin(t)
         * tuned, t being the angle between them. Where they are nearly parallel, straight.
         */
        SLERP
    }

    private static final double PARALLEL = 0.9995;
    private static final int CHUNK = 1 << 18;

    private final StoredModel base;
    private final StoredModel tuned;

    private record Factors(double base, double tuned) {
        float of(MemorySegment x, MemorySegment y, long i) {
            return (float)
                    (base * x.getAtIndex(ValueLayout.JAVA_FLOAT, i) + tuned * y.getAtIndex(ValueLayout.JAVA_FLOAT, i));
        }
    }

    private Interpolation(StoredModel base, StoredModel tuned) {
        this.base = base;
        this.tuned = tuned;
    }

    /**
     * Opens two model folders.
     *
     * @throws UserException if one of them is no model, or they are not of one shape
     */
    @SuppressWarnings("MustBeClosedChecker")
    public static Interpolation open(Path base, Path tuned) {
        StoredModel first = StoredModel.open(base, ModelConfig.read(base));
        try {
            StoredModel second = StoredModel.open(tuned, ModelConfig.read(tuned));
            try {
                requireSame(base, first, tuned, second);
                return new Interpolation(first, second);
            } catch (RuntimeException | Error e) {
                second.close();
                throw e;
            }
        } catch (RuntimeException | Error e) {
            first.close();
            throw e;
        }
    }

    private static void requireSame(Path base, StoredModel first, Path tuned, StoredModel second) {
        List<CheckpointTensor> a = first.tensors();
        List<CheckpointTensor> b = second.tensors();
        for (int i = 0; i < Math.max(a.size(), b.size()); i++) {
            String one = i < a.size() ? a.get(i).name() + " " + a.get(i).shape() : "no more tensors";
            String other = i < b.size() ? b.get(i).name() + " " + b.get(i).shape() : "no more tensors";
            if (!one.equals(other)) {
                throw unlike(base, tuned, "where one has " + one + " the other has " + other);
            }
        }
        ModelConfig x = first.config();
        ModelConfig y = second.config();
        require(x.architecture() == y.architecture(), base, tuned, "architecture");
        require(x.attention(1, 1).equals(y.attention(1, 1)), base, tuned, "attention (heads, windows, scale)");
        require(x.activation() == y.activation(), base, tuned, "activation");
        require(Arrays.equals(rotations(x), rotations(y)), base, tuned, "rotary positions");
    }

    private static double[] rotations(ModelConfig config) {
        return config.rope() == null
                ? new double[0]
                : config.rope().frequencies(config.headDim() / 2, config.maxPositions());
    }

    private static void require(boolean same, Path base, Path tuned, String what) {
        if (!same) {
            throw unlike(base, tuned, "they differ in " + what);
        }
    }

    private static UserException unlike(Path base, Path tuned, String why) {
        return new UserException(base + " and " + tuned + " are not of one shape: " + why
                + "; only a model and what was trained from it can be merged");
    }

    /** What the result is: the tuned model's configuration. */
    public ModelConfig config() {
        return tuned.config();
    }

    /** The type that the tuned model keeps its token embedding in. */
    public DType dtype() {
        String first = tuned.names().getFirst();
        return tuned.files().file(first).dtype(first);
    }

    /**
     * Writes config.json and the weights into a folder, and syncs them to the disk.
     *
     * @param weight 0 for the base, 1 for the tuned model; beyond them it goes on in a straight line, or along the arc
     * @param largestShard most bytes of one safetensors file
     * @throws UserException if a weight is not finite or does not fit the type, or a file cannot be written
     */
    public void save(Path folder, Kind kind, double weight, DType dtype, long largestShard) {
        List<SafetensorsWriter.Entry> entries = new ArrayList<>();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment x = arena.allocate(4L * CHUNK, 64);
            MemorySegment y = arena.allocate(4L * CHUNK, 64);
            for (int i = 0; i < base.tensors().size(); i++) {
                CheckpointTensor tensor = base.tensors().get(i);
                Factors factors = factors(i, kind, weight, x, y);
                entries.add(new SafetensorsWriter.Entry(
                        tensor.name(), dtype, tensor.shape(), source(i, factors, dtype, x, y)));
            }
            HuggingFace.saveConfig(folder, tuned.config(), dtype);
            SafetensorsWriter.writeModel(folder, entries, SafetensorsWriter.PYTORCH, largestShard);
        }
    }

    private FloatSource source(int i, Factors factors, DType dtype, MemorySegment x, MemorySegment y) {
        return (first, count, chunk) -> {
            for (int done = 0; done < count; done += CHUNK) {
                int part = Math.min(CHUNK, count - done);
                read(i, first + done, part, x, y);
                for (int k = 0; k < part; k++) {
                    float value = factors.of(x, y, k);
                    if (!(Math.abs(value) <= dtype.largest())) {
                        throw new UserException(tuned.files().folder() + ": merged, its "
                                + base.tensors().get(i).name() + " would have " + value + ", which " + dtype
                                + " has no room for; merge with another weight or --dtype");
                    }
                    chunk.setAtIndex(ValueLayout.JAVA_FLOAT, done + k, value);
                }
            }
        };
    }

    /** Reads the model between the two into an engine's memory. */
    public void load(Kind kind, double weight, Parameters into) {
        MemorySegment floats = into.buffer().segment();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment x = arena.allocate(4L * CHUNK, 64);
            MemorySegment y = arena.allocate(4L * CHUNK, 64);
            for (int i = 0; i < base.tensors().size(); i++) {
                CheckpointTensor tensor = base.tensors().get(i);
                Factors factors = factors(i, kind, weight, x, y);
                for (long first = 0; first < tensor.size(); first += CHUNK) {
                    int count = (int) Math.min(CHUNK, tensor.size() - first);
                    read(i, first, count, x, y);
                    for (int k = 0; k < count; k++) {
                        floats.setAtIndex(ValueLayout.JAVA_FLOAT, tensor.place(first + k), factors.of(x, y, k));
                    }
                }
            }
        }
        into.upload();
    }

    private void read(int i, long first, int count, MemorySegment x, MemorySegment y) {
        file(base, i).readFloats(base.names().get(i), first, count, x, 0);
        file(tuned, i).readFloats(tuned.names().get(i), first, count, y, 0);
    }

    private static TensorFile file(StoredModel model, int i) {
        return model.files().file(model.names().get(i));
    }

    private Factors factors(int i, Kind kind, double weight, MemorySegment x, MemorySegment y) {
        Factors straight = new Factors(1 - weight, weight);
        if (kind == Kind.LINEAR) {
            return straight;
        }
        double xx = 0;
        double yy = 0;
        double xy = 0;
        long size = base.tensors().get(i).size();
        for (long first = 0; first < size; first += CHUNK) {
            int count = (int) Math.min(CHUNK, size - first);
            read(i, first, count, x, y);
            for (int k = 0; k < count; k++) {
                double a = x.getAtIndex(ValueLayout.JAVA_FLOAT, k);
                double b = y.getAtIndex(ValueLayout.JAVA_FLOAT, k);
                xx += a * a;
                yy += b * b;
                xy += a * b;
            }
        }
        double cosine = xy / Math.sqrt(xx * yy);
        // Also where one of them is all zeros.
        if (!(Math.abs(cosine) <= PARALLEL)) {
            return straight;
        }
        double angle = Math.acos(cosine);
        return new Factors(
                Math.sin((1 - weight) * angle) / Math.sin(angle), Math.sin(weight * angle) / Math.sin(angle));
    }

    @Override
    public void close() {
        try {
            tuned.close();
        } finally {
            base.close();
        }
    }
}
