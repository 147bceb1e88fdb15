package dev.whirlwind.training;

import dev.whirlwind.model.AdapterMerge;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.HuggingFace.Loaded;
import dev.whirlwind.model.Initializer;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Pissa;
import dev.whirlwind.model.WeightFormat;
import dev.whirlwind.model.adapters.AdapterConfig;
import dev.whirlwind.model.adapters.AdapterFiles;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.checkpoints.CheckpointFiles;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.optimizers.State;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * What a run trains: a model, or an adapter of one.
 *
 * @param dtype of the model's files; F32 for a new adapter
 * @param adapter that is saved alone; empty where a model is
 * @param principal what an adapter began as that began as a part of the weights
 * @param merge makes the adapter part of the model, which is saved, now and then
 */
record Learner(
        Parameters weights,
        DType dtype,
        Optional<AdapterConfig> adapter,
        Optional<Pissa> principal,
        Optional<AdapterMerge> merge) {
    private static final String START = "start.";

    /** Adapters that follow each other are drawn from seeds that have nothing in common. */
    private static final long NEXT_SEED = 0x9E3779B97F4A7C15L;

    /**
     * Loads it.
     *
     * @param source a folder of a model, which the run may give a new adapter, or of an adapter
     */
    static Learner load(Engine engine, Path source, ModelConfig model, TrainConfig config, Consumer<String> notes) {
        Optional<AdapterConfig> adapter = config.adapter(model);
        WeightFormat format = config.memory().weights();
        Function<ParameterLayout, Predicate<String>> changed = layout -> config.factors(layout)::trains;
        config.requireTrainable(adapter.isPresent() || ModelFolder.isAdapter(source));
        if (adapter.isPresent() && adapter.get().isPrincipal()) {
            adapter.get().requireFloats(format);
            return principal(engine, source, model, config, adapter.get(), notes);
        }
        if (ModelFolder.isAdapter(source)) {
            Loaded loaded = ModelFolder.load(engine, source, model, format, changed, notes);
            return of(loaded.weights(), dtype(source), Optional.of(AdapterConfig.read(source)));
        }
        if (adapter.isEmpty()) {
            Loaded loaded = ModelFolder.load(engine, source, model, format, changed, notes);
            return of(loaded.weights(), loaded.dtype(), adapter);
        }
        Loaded loaded = HuggingFace.load(engine, source, model, adapter.get()::of, format, changed, notes);
        Initializer.initializeAdapters(loaded.weights(), config.data().seed());
        if (config.adapter().restarts()) {
            AdapterMerge merge = new AdapterMerge(engine, loaded.weights(), loaded.weights());
            return new Learner(
                    loaded.weights(), loaded.dtype(), Optional.empty(), Optional.empty(), Optional.of(merge));
        }
        return of(loaded.weights(), DType.F32, adapter);
    }

    private static Learner of(Parameters weights, DType dtype, Optional<AdapterConfig> adapter) {
        return new Learner(weights, dtype, adapter, Optional.empty(), Optional.empty());
    }

    /** Makes the adapter part of the model, and draws another one (ReLoRA, arXiv 2307.05695). */
    void restart(long seed, long step) {
        merge.orElseThrow().add();
        Initializer.initializeAdapters(weights, seed + step * NEXT_SEED);
    }

    /** An adapter that begins, or began, as the principal part of the weights. */
    private static Learner principal(
            Engine engine,
            Path source,
            ModelConfig model,
            TrainConfig config,
            AdapterConfig asked,
            Consumer<String> notes) {
        // As a checkpoint has it: the model may have been moved since.
        AdapterConfig adapter = ModelFolder.isAdapter(source) ? asked.onBaseOf(AdapterConfig.read(source)) : asked;
        Parameters weights = HuggingFace.load(
                        engine, ModelFolder.base(source), model, adapter::of, WeightFormat.FP32, _ -> _ -> true, notes)
                .weights();
        Pissa principal = new Pissa(engine, weights);
        if (isSavedAdapter(source)) {
            AdapterFiles.loadPrincipal(source, weights);
            CheckpointFiles.restore(source, State.of(START, engine, principal.start()));
            principal.subtract();
        } else {
            Initializer.initializeAdapters(weights, config.data().seed());
            boolean isNew = !ModelFolder.isAdapter(source);
            principal.begin(isNew ? Pissa.Search.NEAR : Pissa.Search.EXACT);
            if (!isNew) {
                AdapterFiles.load(source, adapter, weights);
            }
        }
        return new Learner(weights, dtype(source), Optional.of(adapter), Optional.of(principal), Optional.empty());
    }

    /** An adapter is saved as floats, unless it was to be otherwise and goes on. */
    private static DType dtype(Path source) {
        return isSavedAdapter(source) ? AdapterFiles.dtype(source) : DType.F32;
    }

    private static boolean isSavedAdapter(Path source) {
        return ModelFolder.isAdapter(source) && CheckpointFiles.isCheckpoint(source);
    }

    /** What a checkpoint has to know beside the trained weights. */
    Optional<State> state(Engine engine) {
        return principal.map(found -> State.of(START, engine, found.start()));
    }
}
