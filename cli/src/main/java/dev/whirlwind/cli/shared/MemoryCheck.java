package dev.whirlwind.cli.shared;

import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.memory.AvailableMemory;
import dev.whirlwind.training.memory.MemoryNeeds;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.IntPredicate;
import java.util.function.IntToLongFunction;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Refuses what the machine has too little memory for, and says what would fit, before the kernel kills it without a word.
 *
 * @param available bytes that may be taken
 */
public record MemoryCheck(long available) {
    private static final String IGNORE = "WHIRLWIND_IGNORE_MEMORY";

    /** A shorter sequence is hardly worth training on. */
    private static final int SHORTEST = 16;

    /** Other options, by name, and what they need. */
    private record Choice(Map<String, Object> options, long bytes) {}

    /** Of this machine, at this moment. */
    public static MemoryCheck now() {
        return new MemoryCheck("1".equals(System.getenv(IGNORE)) ? Long.MAX_VALUE : AvailableMemory.bytes());
    }

    /** Options as they stand on the command line. */
    public static String asOptions(Map<String, Object> options) {
        return options.entrySet().stream()
                .map(option -> "--" + option.getKey().replace('_', '-')
                        + (option.getValue().equals(true) ? "" : " " + option.getValue()))
                .collect(Collectors.joining(" "));
    }

    /**
     * How a model is to be trained.
     *
     * @param accumulation 0 where there is no such option
     * @param recompute null where there is no such option
     * @param more bytes that the command needs besides
     * @param options of which the optimizer is of interest
     */
    public record Training(
            ModelConfig model,
            int batch,
            int sequence,
            int accumulation,
            Boolean recompute,
            long more,
            TrainConfig options) {
        /** With the default options. */
        public Training(ModelConfig model, int batch, int sequence, int accumulation, Boolean recompute, long more) {
            this(model, batch, sequence, accumulation, recompute, more, TrainConfig.DEFAULTS);
        }

        /** All that it needs. */
        public long bytes() {
            return bytes(batch, sequence, Boolean.TRUE.equals(recompute));
        }

        private long bytes(int batch, int sequence, boolean recompute) {
            return more + MemoryNeeds.training(model, batch, sequence, recompute, options);
        }
    }

    /**
     * To train.
     *
     * @param words how options are set
     */
    public void require(Training t, Function<Map<String, Object>, String> words) {
        boolean given = Boolean.TRUE.equals(t.recompute());
        boolean possible = t.recompute() != null;
        Stream<Supplier<Optional<Choice>>> choices = Stream.of(
                () -> possible && !given ? choice(t, t.batch(), t.sequence(), true) : Optional.empty(),
                () -> smallerBatch(t, t.sequence(), given),
                () -> possible && !given ? smallerBatch(t, t.sequence(), true) : Optional.empty(),
                () -> IntStream.iterate(t.sequence() / 2, length -> length >= SHORTEST, length -> length / 2)
                        .mapToObj(length -> choice(t, 1, length, possible))
                        .flatMap(Optional::stream)
                        .findFirst());
        require("training", t.bytes(), choices, words);
    }

    /** The largest part of a step's sequences that fits, so that the step stays what it is. */
    private Optional<Choice> smallerBatch(Training t, int sequence, boolean recompute) {
        long step = (long) t.batch() * Math.max(1, t.accumulation());
        int most = largest(t.batch() - 1, batch -> t.bytes(batch, sequence, recompute) <= available);
        return IntStream.iterate(most, batch -> batch > 0, batch -> batch - 1)
                .filter(batch -> step % batch == 0)
                .mapToObj(batch -> choice(t, batch, sequence, recompute))
                .flatMap(Optional::stream)
                .findFirst();
    }

    private Optional<Choice> choice(Training t, int batch, int sequence, boolean recompute) {
        Map<String, Object> options = new LinkedHashMap<>();
        if (batch != t.batch()) {
            options.put("batch", batch);
            if (t.accumulation() > 0) {
                options.put("accumulation", (long) t.batch() * t.accumulation() / batch);
            }
        }
        if (sequence != t.sequence()) {
            options.put("sequence", sequence);
        }
        if (recompute && !Boolean.TRUE.equals(t.recompute())) {
            options.put("recompute", true);
        }
        return fitting(options, t.bytes(batch, sequence, recompute));
    }

    /** To compute losses of a model. */
    public void requireEvaluation(ModelConfig model, int batch, int sequence) {
        Stream<Supplier<Optional<Choice>>> choices = Stream.of(
                () -> smaller("batch", batch, size -> MemoryNeeds.evaluation(model, size, sequence)),
                () -> IntStream.iterate(sequence / 2, length -> length >= SHORTEST, length -> length / 2)
                        .mapToObj(length -> fitting(
                                options("batch", 1, "sequence", length), MemoryNeeds.evaluation(model, 1, length)))
                        .flatMap(Optional::stream)
                        .findFirst());
        require("evaluation", MemoryNeeds.evaluation(model, batch, sequence), choices, MemoryCheck::asOptions);
    }

    /**
     * To continue a text.
     *
     * @param option what can be made smaller
     * @param size its value
     * @param bytes that such a value needs
     */
    public void requireGeneration(String option, int size, IntToLongFunction bytes) {
        Stream<Supplier<Optional<Choice>>> choices = Stream.of(() -> smaller(option, size, bytes));
        require("generation", bytes.applyAsLong(size), choices, MemoryCheck::asOptions);
    }

    /** To answer a task's questions. */
    public void requireTask(Object task, long bytes) {
        require(task.toString(), bytes, Stream.empty(), MemoryCheck::asOptions);
    }

    /** To make a model. */
    public void requireWeights(ModelConfig model) {
        require("this model", MemoryNeeds.weights(model), Stream.empty(), MemoryCheck::asOptions);
    }

    private Optional<Choice> smaller(String option, int size, IntToLongFunction bytes) {
        int most = largest(size - 1, value -> bytes.applyAsLong(value) <= available);
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

    /** The largest number up to {@code most} that fits, as all smaller ones do; 0 where none does. */
    private static int largest(int most, IntPredicate fits) {
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

    private void require(
            String what,
            long bytes,
            Stream<Supplier<Optional<Choice>>> choices,
            Function<Map<String, Object>, String> words) {
        if (bytes <= available) {
            return;
        }
        String advice = choices.map(Supplier::get)
                .flatMap(Optional::stream)
                .findFirst()
                .map(choice -> "with " + words.apply(choice.options()) + " it needs " + size(choice.bytes()))
                .orElse("the model itself does not fit: take a smaller one, or free memory");
        throw new UserException(what + " needs " + size(bytes) + " of memory, and " + size(available) + " can be had; "
                + advice + "; " + IGNORE + "=1 tries it all the same");
    }

    private static String size(long bytes) {
        return bytes >= Long.MAX_VALUE / 4
                ? "more than 2 EiB"
                : bytes < 1 << 30 ? (bytes >> 20) + " MiB" : String.format(Locale.ROOT, "%.1f GiB", bytes / 0x1p30);
    }
}
