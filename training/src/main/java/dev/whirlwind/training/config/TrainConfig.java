package dev.whirlwind.training.config;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;

/**
 * All options of a training run, by subject. In a map or a YAML file their names are in snake_case, as {@code min_lr}; what
 * is left out is as in {@link #DEFAULTS}. A new option is one component, with its {@link Option}, of a section's record.
 */
public record TrainConfig(
        DataOptions data,
        LengthOptions length,
        ScheduleOptions schedule,
        OptimizerOptions optimizer,
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
        double pull = schedule.lr() * regularisation.anchor();
        Range.require(pull < 1, "lr times anchor", pull, "below 1, where a step would put the starting weights back");
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
                String before = given.put(option.name(), name);
                if (before != null) {
                    throw new UserException(before + " and " + name + " are the same option; keep one of them");
                }
                values.put(option.name(), option.read(Aliases.value(name, value)));
            });
            return Options.build(values);
        } catch (UserException e) {
            throw new UserException(source + ": " + e.getMessage(), e);
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
