package dev.whirlwind.training;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.HuggingFace.Loaded;
import dev.whirlwind.model.Initializer;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.WeightFormat;
import dev.whirlwind.model.adapters.AdapterConfig;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.config.TrainConfig;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * What a run trains: a model, or an adapter of one.
 *
 * @param dtype of the model's files; F32 for an adapter
 * @param adapter empty for a model
 */
record Learner(Parameters weights, DType dtype, Optional<AdapterConfig> adapter) {
    /**
     * Loads it.
     *
     * @param source a folder of a model, which the run may give a new adapter, or of an adapter
     */
    static Learner load(Engine engine, Path source, ModelConfig model, TrainConfig config, Consumer<String> notes) {
        Optional<AdapterConfig> adapter = config.adapter(model);
        WeightFormat format = config.memory().weights();
        Function<ParameterLayout, Predicate<String>> changed = layout -> config.factors(layout)::trains;
        if (!format.isTrainable() && adapter.isEmpty() && !ModelFolder.isAdapter(source)) {
            throw new UserException("weights: " + format.name().toLowerCase(Locale.ROOT)
                    + " cannot be trained, only an adapter of them; add --lora with a rank, or use bf16");
        }
        if (ModelFolder.isAdapter(source)) {
            Loaded loaded = ModelFolder.load(engine, source, model, format, changed, notes);
            return new Learner(loaded.weights(), DType.F32, Optional.of(AdapterConfig.read(source)));
        }
        if (adapter.isEmpty()) {
            Loaded loaded = ModelFolder.load(engine, source, model, format, changed, notes);
            return new Learner(loaded.weights(), loaded.dtype(), adapter);
        }
        Loaded loaded = HuggingFace.load(engine, source, model, adapter.get()::of, format, changed, notes);
        Initializer.initializeAdapters(loaded.weights(), config.data().seed());
        return new Learner(loaded.weights(), DType.F32, adapter);
    }
}
