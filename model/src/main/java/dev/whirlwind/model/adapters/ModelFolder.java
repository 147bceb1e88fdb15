package dev.whirlwind.model.adapters;

import dev.whirlwind.model.Adapter;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.HuggingFace.Loaded;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Pissa;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.WeightFormat;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;

/** A folder of a model, or of an adapter, which names its base model: the model with the adapter is meant. */
public final class ModelFolder {
    private ModelFolder() {}

    /** Whether a folder holds an adapter rather than a model. */
    public static boolean isAdapter(Path folder) {
        return Files.exists(folder.resolve(AdapterConfig.NAME)) && !Files.exists(folder.resolve("config.json"));
    }

    /**
     * The folder of the model itself.
     *
     * @throws UserException if an adapter does not say which, or it is not there
     */
    public static Path base(Path folder) {
        return isAdapter(folder) ? AdapterConfig.read(folder).base() : folder;
    }

    /** The model's configuration. */
    public static ModelConfig config(Path folder) {
        return ModelConfig.read(base(folder));
    }

    /**
     * Whether {@link #load} would find all that it needs, without reading the weights.
     *
     * @return the configuration as the weights have it
     * @throws UserException if it would not
     */
    public static ModelConfig check(Path folder, ModelConfig config) {
        ModelConfig stored = HuggingFace.check(base(folder), config);
        if (isAdapter(folder)) {
            AdapterFiles.check(folder, AdapterConfig.read(folder), stored);
        }
        return stored;
    }

    /** As {@link HuggingFace#load}, with the adapter where the folder is one's. */
    public static Loaded load(Engine engine, Path folder, ModelConfig config, Consumer<String> notes) {
        return load(engine, folder, config, WeightFormat.FP32, _ -> _ -> true, notes);
    }

    /** The same only to be read, with the model's matrices in a format; those of an adapter are floats. */
    public static Loaded load(
            Engine engine, Path folder, ModelConfig config, WeightFormat format, Consumer<String> notes) {
        return load(engine, folder, config, format, _ -> _ -> false, notes);
    }

    /** The same for whoever changes some of them. */
    public static Loaded load(
            Engine engine,
            Path folder,
            ModelConfig config,
            WeightFormat format,
            Function<ParameterLayout, Predicate<String>> changed,
            Consumer<String> notes) {
        if (!isAdapter(folder)) {
            return HuggingFace.load(engine, folder, config, _ -> Adapter.NONE, format, changed, notes);
        }
        AdapterConfig adapter = AdapterConfig.read(folder);
        Loaded loaded = HuggingFace.load(engine, adapter.base(), config, adapter::of, format, changed, notes);
        if (adapter.isPrincipal()) {
            adapter.requireFloats(format);
            new Pissa(engine, loaded.weights()).begin(Pissa.Search.EXACT);
        }
        AdapterFiles.load(folder, adapter, loaded.weights());
        return loaded;
    }
}
