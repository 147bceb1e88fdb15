package dev.whirlwind.cli.shared;

import dev.whirlwind.model.UserException;
import dev.whirlwind.model.WeightFormat;
import dev.whirlwind.training.config.MemoryOptions;
import dev.whirlwind.training.config.OptimizerOptions;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.memory.MemoryPlan;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.IntPredicate;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * What would make a run take less memory: each change is tried by counting what the run would need with it. In the order of
 * what they cost: first those that leave the result as it is.
 *
 * @param config the run
 * @param sequence tokens of its sequences
 * @param changeable names of the options that may be others
 * @param needs what a run needs
 * @param fits whether there is room for that
 */
public record LessMemory(
        TrainConfig config,
        int sequence,
        Set<String> changeable,
        Function<TrainConfig, MemoryPlan> needs,
        Predicate<MemoryPlan> fits) {
    private static final String BATCH = "batch";
    private static final String ACCUMULATION = "accumulation";
    private static final String RECOMPUTE = "recompute";
    private static final String SEQUENCE = "sequence";

    /** A shorter sequence is hardly worth training on. */
    private static final int SHORTEST = 16;

    /**
     * One way.
     *
     * @param options by name; null for one that is left out
     * @param cost in words
     * @param plan what the run would need
     */
    public record Change(Map<String, Object> options, String cost, MemoryPlan plan) {}

    /** Options and what they cost. */
    private record Step(Map<String, Object> options, String cost) {
        static final Step NONE = new Step(Map.of(), "");

        Step and(Step other) {
            Map<String, Object> both = new LinkedHashMap<>(options);
            both.putAll(other.options);
            return new Step(
                    both, cost.isEmpty() || other.cost.isEmpty() ? cost + other.cost : cost + "; " + other.cost);
        }
    }

    private static final Step RECOMPUTED =
            new Step(Map.of(RECOMPUTE, true), "the same result; a step takes about a third longer");

    private static final Step RECOMPUTED_TWICE = new Step(Map.of(RECOMPUTE, true), "")
            .and(new Step(Map.of("recompute_every", 4), "the same result; a step takes about two thirds longer"));

    /** Those that make it fit or, where it does already, those that make it smaller. */
    public List<Change> changes() {
        List<Change> changes = new ArrayList<>();
        Optional<Change> parts = smallerBatch(Step.NONE);
        Optional<Change> again = recomputed(Step.NONE);
        parts.ifPresent(changes::add);
        again.ifPresent(changes::add);
        if (parts.isEmpty() && again.isEmpty()) {
            recomputes()
                    .flatMap(more -> smallerBatch(more).stream())
                    .findFirst()
                    .ifPresent(changes::add);
        }
        shorter().ifPresent(changes::add);
        leftOut("ema", "no mean of the weights").flatMap(this::best).ifPresent(changes::add);
        leftOut("teacher", "nothing is learnt from the teacher")
                .flatMap(this::best)
                .ifPresent(changes::add);
        Step weights = changeable.contains("weights") && config.memory().weights() == WeightFormat.FP32
                ? new Step(Map.of("weights", "bf16"), "weights are kept with 16 bits, and rounded at random")
                : Step.NONE;
        Step moments = hasMoments()
                ? new Step(Map.of("moments", "int8"), "means of gradients are kept with eight bits")
                : Step.NONE;
        Stream.of(moments, weights, weights.and(moments))
                .filter(step -> !step.options().isEmpty())
                .distinct()
                .flatMap(step -> best(step).stream())
                .forEach(changes::add);
        inBackward().flatMap(this::best).ifPresent(changes::add);
        optimizer("lion", "another optimizer, with one moment for AdamW's two").ifPresent(changes::add);
        optimizer("apollo", "another optimizer, which keeps means of a few directions of each matrix")
                .ifPresent(changes::add);
        optimizer("adafactor", "another optimizer, which remembers a row and a column of each matrix")
                .ifPresent(changes::add);
        Step adapter = config.adapter().lora() == null
                ? new Step(Map.of("lora", 16), "an adapter is trained and not the model")
                : Step.NONE;
        if (changeable.contains("lora") && !adapter.options().isEmpty()) {
            best(adapter).ifPresent(changes::add);
        }
        if (changeable.contains("weights") && config.memory().weights().isTrainable()) {
            best(adapter.and(new Step(Map.of("weights", "nf4"), "the model is kept with four bits")))
                    .ifPresent(changes::add);
        }
        return changes;
    }

    /** Moments of a whole model. */
    private boolean hasMoments() {
        OptimizerOptions optimizer = config.optimizer();
        return changeable.contains("moments")
                && config.adapter().lora() == null
                && optimizer.optimizer() != OptimizerOptions.Method.ADAFACTOR
                && optimizer.optimizer() != OptimizerOptions.Method.APOLLO
                && optimizer.moments() == OptimizerOptions.Moments.FP32;
    }

    /** Of a whole model, in one pass a step. */
    private Optional<Step> inBackward() {
        return changeable.contains("update_in_backward")
                        && config.adapter().lora() == null
                        && !config.memory().updateInBackward()
                ? Optional.of(new Step(
                        Map.of("update_in_backward", true),
                        "layers are updated during the backward pass, and clipped each by itself"))
                : Optional.empty();
    }

    private Optional<Step> leftOut(String option, String cost) {
        if (!changeable.contains(option) || config.toMap().get(option) == null) {
            return Optional.empty();
        }
        Map<String, Object> without = new LinkedHashMap<>();
        without.put(option, null);
        return Optional.of(new Step(without, cost));
    }

    private Optional<Change> optimizer(String name, String cost) {
        boolean another = !config.optimizer().optimizer().toString().equals(name);
        return another && changeable.contains("optimizer") && config.adapter().lora() == null
                ? best(new Step(Map.of("optimizer", name), cost))
                : Optional.empty();
    }

    private Optional<Change> shorter() {
        if (!changeable.contains(SEQUENCE)) {
            return Optional.empty();
        }
        return IntStream.iterate(sequence / 2, length -> length >= SHORTEST, length -> length / 2)
                .mapToObj(length -> best(new Step(Map.of(SEQUENCE, length), "texts are read in shorter pieces")))
                .flatMap(Optional::stream)
                .findFirst();
    }

    /** With what leaves the result as it is, where a step does not do alone. */
    private Optional<Change> best(Step step) {
        return tried(step)
                .or(() -> smallerBatch(step))
                .or(() -> recomputed(step))
                .or(() -> recomputes()
                        .flatMap(more -> smallerBatch(step.and(more)).stream())
                        .findFirst());
    }

    /** What more can be computed again. */
    private Stream<Step> recomputes() {
        MemoryOptions memory = config.memory();
        boolean inPart = memory.recomputePart() != MemoryOptions.Part.BLOCK;
        Step whole = inPart ? new Step(Map.of("recompute_part", "block"), "") : Step.NONE;
        return Stream.of(RECOMPUTED, RECOMPUTED_TWICE)
                .filter(step -> changeable.containsAll(step.options().keySet()))
                .filter(step -> !step.equals(RECOMPUTED) || !memory.recompute() || inPart)
                .filter(step -> memory.recomputeEvery() == 1)
                .map(step -> step.and(whole));
    }

    private Optional<Change> recomputed(Step step) {
        return recomputes().flatMap(more -> tried(step.and(more)).stream()).findFirst();
    }

    /** The largest part of a step's sequences that fits, so that the step stays what it is. */
    private Optional<Change> smallerBatch(Step step) {
        if (!changeable.contains(BATCH)) {
            return Optional.empty();
        }
        int batch = config.length().batch();
        int accumulation = config.length().accumulation();
        long all = (long) batch * accumulation;
        int most = largest(batch - 1, size -> tried(step.and(parts(size, all))).isPresent());
        return IntStream.iterate(most, size -> size > 0, size -> size - 1)
                .filter(size -> all % size == 0)
                .mapToObj(size -> tried(step.and(parts(size, all))))
                .flatMap(Optional::stream)
                .findFirst();
    }

    private Step parts(int batch, long all) {
        Map<String, Object> options = new LinkedHashMap<>();
        options.put(BATCH, batch);
        if (changeable.contains(ACCUMULATION)) {
            options.put(ACCUMULATION, all / batch);
        }
        return new Step(
                options,
                changeable.contains(ACCUMULATION) ? "the same steps, in smaller parts" : "fewer sequences at once");
    }

    /** Empty where it does not fit, or cannot be. */
    private Optional<Change> tried(Step step) {
        try {
            MemoryPlan plan = needs.apply(config.with(step.options(), "plan"));
            return fits.test(plan) ? Optional.of(new Change(step.options(), step.cost(), plan)) : Optional.empty();
        } catch (UserException e) {
            return Optional.empty();
        }
    }

    /** The largest number up to {@code most} that fits, as all smaller ones do; 0 where none does. */
    static int largest(int most, IntPredicate fits) {
        int low = 0;
        int high = most;
        while (low < high) {
            int middle = (int) (((long) low + high + 1) / 2);
            if (fits.test(middle)) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return low;
    }
}
