package dev.whirlwind.training.config;

import dev.whirlwind.data.PackedSequences;
import dev.whirlwind.model.Adapter;
import dev.whirlwind.model.ContextExtension;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.WeightFormat;
import dev.whirlwind.model.adapters.AdapterConfig;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.training.optimizers.RateFactors;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.Consumer;

/**
 * All options of a training run, by subject. In a map or a YAML file their names are in snake_case, as {@code min_lr}; what
 * is left out is as in {@link #DEFAULTS}. A new option is one component, with its {@link Option}, of a section's record.
 */
public record TrainConfig(
        DataOptions data,
        LengthOptions length,
        ScheduleOptions schedule,
        OptimizerOptions optimizer,
        AdapterOptions adapter,
        RegularisationOptions regularisation,
        EvaluationOptions evaluation,
        SavingOptions saving,
        WatchingOptions watching,
        MemoryOptions memory,
        EngineOptions engine) {

    /** One epoch with settings that suit continued pre-training of small models. */
    public static final TrainConfig DEFAULTS = Options.defaults();

    public TrainConfig {
        double both = schedule.lr() * optimizer.weightDecay();
        Range.require(
                both < 1, "lr times weight_decay", both, "below 1, where a step would leave nothing of the weights");
        Range.require(
                adapter.lora() == null || regularisation.ewc() == null,
                "ewc",
                regularisation.ewc(),
                "left out where an adapter is trained: the model's own weights do not move");
        Range.require(
                adapter.loraInit() == AdapterOptions.Init.UNIFORM || memory.weights() == WeightFormat.FP32,
                "lora_init",
                "pissa",
                "left out where weights are kept in another format than fp32, as it changes them");
        Range.require(
                !memory.updateInBackward() || length.accumulation() == 1,
                "accumulation",
                length.accumulation(),
                "1 with update_in_backward, which keeps no gradient from one batch to the next");
        Range.require(
                !memory.updateInBackward() || (regularisation.anchor() == 0 && regularisation.ewc() == null),
                "update_in_backward",
                true,
                "left out with anchor and ewc, which need the whole gradient");
        Range.require(
                data.packing() == PackedSequences.Packing.BLOCKS
                        || regularisation.teacherCache().isEmpty(),
                "packing",
                "other than blocks",
                "left out with teacher_cache, which is of blocks");
        if (adapter.restarts()) {
            String why = "left out with lora_restart_every, ";
            Range.require(
                    memory.weights() == WeightFormat.FP32,
                    "weights",
                    memory.weights().name().toLowerCase(Locale.ROOT),
                    why + "as the model's weights change, and less than floats would lose what adapters learnt");
            Range.require(
                    adapter.loraInit() == AdapterOptions.Init.UNIFORM,
                    "lora_init",
                    "pissa",
                    why + "whose adapters begin as nothing");
            Range.require(
                    optimizer.ema() == null,
                    "ema",
                    optimizer.ema(),
                    why + "as factors before and after a restart have no mean");
            Range.require(
                    regularisation.anchor() == 0,
                    "anchor",
                    regularisation.anchor(),
                    why + "as factors before and after a restart have nothing in common");
        }
        double pull = schedule.lr() * regularisation.anchor();
        Range.require(pull < 1, "lr times anchor", pull, "below 1, where a step would put the starting weights back");
    }

    /** The adapter that the run trains, an old one that it begins with or a new one; empty where it trains the model. */
    public Optional<AdapterConfig> adapter(ModelConfig model) {
        Path folder = Path.of(data.model());
        if (!ModelFolder.isAdapter(folder)) {
            return adapter.create(folder, model);
        }
        if (adapter.lora() != null) {
            throw new UserException("lora is " + adapter.lora() + ", but " + folder
                    + " is an adapter already; leave lora out to train that, or give --model its base model");
        }
        return Optional.of(AdapterConfig.read(folder));
    }

    /** Throws if what is trained is kept in a format that cannot be changed. */
    public void requireTrainable(boolean adapter) {
        if (!adapter && !memory.weights().isTrainable()) {
            throw new UserException("weights: " + memory.weights().name().toLowerCase(Locale.ROOT)
                    + " cannot be trained, only an adapter of them; add --lora with a rank, or use bf16");
        }
    }

    /** The model in a folder, the one that the run begins with or one of its own. */
    public ModelConfig modelIn(Path folder) {
        ModelConfig model = ModelFolder.config(folder);
        return folder.equals(Path.of(data.model())) ? extended(model) : model;
    }

    /**
     * A model that the run begins with, for texts as long as are asked for.
     *
     * @throws UserException if it cannot be
     */
    public ModelConfig extended(ModelConfig model) {
        String scaling = length.ropeScaling();
        if (scaling == null) {
            return model;
        }
        if (adapter(model).isPresent()) {
            throw new UserException("rope_scaling: an adapter's folder has no config.json to keep it in;"
                    + " change the config.json of the model, or train the model itself");
        }
        return ContextExtension.of(model, scaling);
    }

    /** The layout of a model with the adapter that the run trains. */
    public ParameterLayout layout(ModelConfig model) {
        return new ParameterLayout(
                model,
                data.model() == null
                        ? Adapter.NONE
                        : adapter(model).map(found -> found.of(model)).orElse(Adapter.NONE));
    }

    /**
     * The learning rates of what is trained of a layout.
     *
     * @throws UserException if a pattern fits no parameter, or nothing would be trained
     */
    public RateFactors factors(ParameterLayout layout) {
        return optimizer.factors(layout, adapter.loraPlus());
    }

    /**
     * The defaults with some options changed.
     *
     * @param source what errors name: a file, or "command line"
     * @throws UserException if an option is unknown, of a wrong type or out of its range
     */
    public static TrainConfig of(Map<String, ?> options, String source) {
        return DEFAULTS.with(options, source);
    }

    /** These options with some changed, by our names or those of {@link Aliases}. */
    public TrainConfig with(Map<String, ?> options, String source) {
        try {
            Map<String, Object> values = Options.values(this);
            Map<String, String> given = new HashMap<>();
            options.forEach((name, value) -> {
                Options.Entry option = known(name);
                if (Aliases.yields(name, value)) {
                    return;
                }
                String before = given.put(option.name(), name);
                if (before != null) {
                    throw new UserException(before + " and " + name + " are the same option; keep one of them");
                }
                values.put(option.name(), option.read(Aliases.value(name, value, values.get(option.name()))));
            });
            options.forEach((name, value) -> {
                Options.Entry option = known(name);
                if (Aliases.yields(name, value) && !given.containsKey(option.name())) {
                    values.put(option.name(), option.read(Aliases.value(name, value, values.get(option.name()))));
                }
            });
            return Options.build(values);
        } catch (UserException e) {
            throw new UserException(source + ": " + e.getMessage(), e);
        }
    }

    /**
     * Checks that what was asked for has an effect; what an option is by default needs none.
     *
     * @param names of options, ours or those of {@link Aliases}
     * @param notes told of options of another schedule, optimizer and so on than was chosen
     * @throws UsageException if an option has an effect beside another only, which is not given
     */
    public void requireEffect(Collection<String> names, Consumer<String> notes) {
        Map<String, Object> values = Options.values(this);
        for (String name : names) {
            Options.Entry option = known(name);
            boolean asked = !Objects.equals(values.get(option.name()), option.defaultValue());
            if (!asked || Need.met(option.needs(), values::get)) {
                continue;
            }
            String only = option.name() + " only has an effect with " + Need.words(option.needs(), needed -> needed);
            if (!Need.byValue(option.needs())) {
                throw new UsageException(only + "; give that, too, or leave " + option.name() + " out");
            }
            notes.accept(only + ", so it has none");
        }
    }

    private static Options.Entry known(String name) {
        return Options.find(name)
                .orElseThrow(() -> new UserException("there is no option \"" + Reason.cited(name) + "\"; "
                        + Aliases.answer(name)
                                .or(() -> Suggestion.of(name, Options.all().keySet())
                                        .map(meant -> "did you mean \"" + meant + "\"?"))
                                .orElse("whirlwind train --help lists them")));
    }

    /**
     * The options that decide what a run becomes, by name: all but those that are free. What they were is recorded with
     * every checkpoint.
     */
    public SequencedMap<String, Object> lasting() {
        SequencedMap<String, Object> lasting = new LinkedHashMap<>(toMap());
        lasting.keySet().removeIf(name -> Options.all().get(name).isFree());
        return lasting;
    }

    /** All options by name, in the order of their declaration. */
    public Map<String, Object> toMap() {
        Map<String, Object> map = Options.values(this);
        map.replaceAll((_, value) -> Options.plain(value));
        return map;
    }
}
