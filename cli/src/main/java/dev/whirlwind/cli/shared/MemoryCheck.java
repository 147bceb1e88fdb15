package dev.whirlwind.cli.shared;

import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.WeightFormat;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.memory.AvailableMemory;
import dev.whirlwind.training.memory.MemoryNeeds;
import dev.whirlwind.training.memory.MemoryPlan;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.IntToLongFunction;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Refuses what the machine has too little memory for, and says what would fit, before the kernel kills it without a word.
 *
 * @param available bytes that may be taken
 * @param device bytes of a device with memory of its own
 */
public record MemoryCheck(long available, long device) {
    /** A shorter sequence is hardly worth reading. */
    private static final int SHORTEST = 16;

    /** Other options, by name, and what they need. */
    private record Choice(Map<String, Object> options, long bytes) {}

    /** Of a machine without devices. */
    public MemoryCheck(long available) {
        this(available, 0);
    }

    /**
     * Of this machine, at this moment.
     *
     * @param unchecked whether all is to be tried
     */
    public static MemoryCheck now(boolean unchecked) {
        return unchecked
                ? new MemoryCheck(Long.MAX_VALUE, Long.MAX_VALUE)
                : new MemoryCheck(AvailableMemory.bytes(), Long.MAX_VALUE);
    }

    /** The same with so much memory of a device. */
    public MemoryCheck onDevice(long bytes) {
        return new MemoryCheck(available, available == Long.MAX_VALUE ? available : bytes);
    }

    /** Options as they stand on the command line. */
    public static String asOptions(Map<String, Object> options) {
        return options.entrySet().stream()
                .map(option -> option.getValue() == null
                        ? "without --" + option.getKey().replace('_', '-')
                        : "--" + option.getKey().replace('_', '-')
                                + (option.getValue().equals(true) ? "" : " " + option.getValue()))
                .collect(Collectors.joining(" "));
    }

    /** Whether there is room for a run. */
    public boolean fits(MemoryPlan plan) {
        return plan.host().total() <= available && plan.device().total() <= device;
    }

    /**
     * To train.
     *
     * @param words how options are set
     */
    public void requireTraining(LessMemory run, Function<Map<String, Object>, String> words) {
        MemoryPlan plan = run.needs().apply(run.config());
        if (fits(plan)) {
            return;
        }
        boolean tooMuchOnHost = plan.host().total() > available;
        Stream<Supplier<Optional<Choice>>> choices = Stream.of(() -> run.changes().stream()
                .map(change -> new Choice(
                        change.options(),
                        tooMuchOnHost
                                ? change.plan().host().total()
                                : change.plan().device().total()))
                .findFirst());
        if (tooMuchOnHost) {
            require("training", plan.host().total(), available, choices, words);
        } else {
            require("training", plan.device().total(), device, choices, words);
        }
    }

    /**
     * To train with a few options only.
     *
     * @param changeable which may be others
     * @param more bytes that the command needs besides
     */
    public void requireTraining(ModelConfig model, Map<String, Object> options, Set<String> changeable, long more) {
        TrainConfig config = TrainConfig.of(options, "command line");
        requireTraining(
                new LessMemory(
                        config,
                        config.length().sequenceLength(model.maxPositions()),
                        changeable,
                        with -> MemoryPlan.onHost(MemoryNeeds.training(model, with, MemoryNeeds.Beside.NOTHING))
                                .plus(more),
                        this::fits),
                MemoryCheck::asOptions);
    }

    /** To compute losses of a model. */
    public void requireEvaluation(ModelConfig model, int batch, int sequence) {
        requireEvaluation(model, batch, sequence, WeightFormat.FP32);
    }

    /** The same with weights in a format. */
    public void requireEvaluation(ModelConfig model, int batch, int sequence, WeightFormat format) {
        Stream<Supplier<Optional<Choice>>> choices = Stream.of(
                () -> smaller("batch", batch, size -> MemoryNeeds.evaluation(model, size, sequence, format)),
                () -> IntStream.iterate(sequence / 2, length -> length >= SHORTEST, length -> length / 2)
                        .mapToObj(length -> fitting(
                                options("batch", 1, "sequence", length),
                                MemoryNeeds.evaluation(model, 1, length, format)))
                        .flatMap(Optional::stream)
                        .findFirst());
        require("evaluation", MemoryNeeds.evaluation(model, batch, sequence, format), choices);
    }

    /**
     * To continue a text.
     *
     * @param option what can be made smaller
     * @param size its value
     * @param bytes that such a value needs
     */
    public void requireGeneration(String option, int size, IntToLongFunction bytes) {
        require("generation", bytes.applyAsLong(size), Stream.of(() -> smaller(option, size, bytes)));
    }

    /** To answer a task's questions. */
    public void requireTask(Object task, long bytes) {
        require(task.toString(), bytes, Stream.empty());
    }

    /** To make a model. */
    public void requireWeights(ModelConfig model, WeightFormat format) {
        require("this model", MemoryNeeds.weights(model, format), Stream.empty());
    }

    private Optional<Choice> smaller(String option, int size, IntToLongFunction bytes) {
        int most = LessMemory.largest(size - 1, value -> bytes.applyAsLong(value) <= available);
        return most < 1 ? Optional.empty() : fitting(options(option, most), bytes.applyAsLong(most));
    }

    private static Map<String, Object> options(Object... namesAndValues) {
        Map<String, Object> options = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            options.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return options;
    }

    private Optional<Choice> fitting(Map<String, Object> options, long bytes) {
        return bytes <= available ? Optional.of(new Choice(options, bytes)) : Optional.empty();
    }

    private void require(String what, long bytes, Stream<Supplier<Optional<Choice>>> choices) {
        require(what, bytes, available, choices, MemoryCheck::asOptions);
    }

    private static void require(
            String what,
            long bytes,
            long room,
            Stream<Supplier<Optional<Choice>>> choices,
            Function<Map<String, Object>, String> words) {
        if (bytes <= room) {
            return;
        }
        String advice = choices.map(Supplier::get)
                .flatMap(Optional::stream)
                .findFirst()
                .map(choice -> (choice.options().values().stream().anyMatch(Objects::isNull) ? "" : "with ")
                        + words.apply(choice.options()) + " it needs " + size(choice.bytes()))
                .orElse("the model itself does not fit: take a smaller one, or free memory");
        throw new UserException(what + " needs " + size(bytes) + " of memory, and " + size(room) + " can be had; "
                + advice + "; --no-plan tries it all the same");
    }

    /** In words, to three digits or so. */
    public static String size(long bytes) {
        return bytes >= Long.MAX_VALUE / 4
                ? "more than 2 EiB"
                : bytes < 1 << 30 ? (bytes >> 20) + " MiB" : String.format(Locale.ROOT, "%.1f GiB", bytes / 0x1p30);
    }
}
