package dev.whirlwind.training.config;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
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
        MemoryOptions memory,
        EngineOptions engine) {

    /** The old name of eval_windows, which counts eight of them as one. */
    private static final String EVAL_BATCHES = "eval_batches";

    /** One epoch with settings that suit continued pre-training of small models. */
    public static final TrainConfig DEFAULTS = Options.defaults();

    public TrainConfig {
        double both = schedule.lr() * optimizer.weightDecay();
        Range.require(
                both < 1, "lr times weight_decay", both, "below 1, where a step would leave nothing of the weights");
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

    /** These options with some changed. */
    public TrainConfig with(Map<String, ?> options, String source) {
        try {
            Map<String, Object> values = Options.values(this);
            options.forEach((name, given) -> values.put(known(name), read(name, given)));
            return Options.build(values);
        } catch (UserException e) {
            throw new UserException(source + ": " + e.getMessage(), e);
        }
    }

    private static String known(String given) {
        String name = given.equals(EVAL_BATCHES) ? "eval_windows" : given;
        if (!Options.all().containsKey(name)) {
            throw new UserException("there is no option \"" + Reason.cited(name) + "\"; "
                    + Suggestion.of(name, Options.all().keySet())
                            .map(meant -> "did you mean \"" + meant + "\"?")
                            .orElse("whirlwind train --help lists them"));
        }
        return name;
    }

    private static Object read(String name, Object given) {
        Object value = Options.all().get(known(name)).read(given);
        try {
            return name.equals(EVAL_BATCHES) ? Math.multiplyExact((int) value, 8) : value;
        } catch (ArithmeticException e) {
            throw new UserException(name + " is " + value + "; it must be 0 or more, and not as large", e);
        }
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

    /** Whether there is an option of that name. */
    public static boolean isOption(String name) {
        return name.equals(EVAL_BATCHES) || Options.all().containsKey(name);
    }

    /** All options by name, in the order of their declaration. */
    public Map<String, Object> toMap() {
        Map<String, Object> map = Options.values(this);
        map.replaceAll((_, value) -> Options.plain(value));
        return map;
    }
}
