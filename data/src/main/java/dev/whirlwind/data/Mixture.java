package dev.whirlwind.data;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Sequences of several sources, evenly by their weights: among the first p positions a source with weight w has p w, give or take
 * as many as there are sources. Weights may be others from some positions on. Each source goes on where it was, so that a position
 * tells its sequence in a few steps, wherever it lies.
 */
public final class Mixture implements TrainingSequences {
    /** What happens when all of a source has been read. */
    public enum Exhausted {
        /** It begins anew; one pass over the mixture has as many sequences as all sources together. */
        REPEAT,
        /** A pass over the mixture ends with the first source that does. */
        STOP,
        /** The others share its weight until they end, too: a pass reads each sequence of each source once. */
        RENORMALISE
    }

    /**
     * One of the sources.
     *
     * @param weight its share of the sequences, compared with those of the others
     */
    public record Source(String name, TrainingSequences sequences, double weight) {}

    /**
     * Other weights.
     *
     * @param from the position they begin at
     * @param weights of all sources, in their order
     */
    public record Change(long from, List<Double> weights) {}

    /**
     * Positions with the same weights.
     *
     * @param first position
     * @param active the sources that have a weight
     * @param laterShares of each, what share of it and those after it the latter have, times 2^64
     * @param before what of all sources was read before
     */
    private record Stage(long first, List<Integer> active, List<Long> laterShares, List<Long> before) {
        static Stage of(long first, List<Double> weights, List<Long> before) {
            List<Integer> active = IntStream.range(0, weights.size())
                    .filter(i -> weights.get(i) > 0)
                    .boxed()
                    .toList();
            List<Long> shares = new ArrayList<>();
            for (int i = 0; i < active.size(); i++) {
                double all = active.stream().skip(i).mapToDouble(weights::get).sum();
                shares.add((long) ((1 - weights.get(active.get(i)) / all) * 0x1p63) << 1);
            }
            return new Stage(first, active, shares, before);
        }

        /** How many of each source come before a position. */
        List<Long> counts(long position) {
            List<Long> counts = new ArrayList<>(before);
            long rest = position - first;
            for (int i = 0; i < active.size(); i++) {
                long later = Math.unsignedMultiplyHigh(rest, laterShares.get(i));
                int source = active.get(i);
                counts.set(source, counts.get(source) + rest - later);
                rest = later;
            }
            return counts;
        }

        /** The source at a position, as its place among all. */
        int source(long position) {
            long rest = position - first;
            for (int i = 0; i < active.size() - 1; i++) {
                long later = Math.unsignedMultiplyHigh(rest, laterShares.get(i));
                if (Math.unsignedMultiplyHigh(rest + 1, laterShares.get(i)) == later) {
                    return active.get(i);
                }
                rest = later;
            }
            return active.getLast();
        }
    }

    private final List<Source> sources;
    private final List<Stage> stages;
    private final Exhausted exhausted;
    private final long perEpoch;

    /**
     * A mixture.
     *
     * @param sources with weights that are not all 0
     * @param changes of the weights, in the order of their positions; none with {@link Exhausted#RENORMALISE}
     * @throws IllegalArgumentException if sequences of sources differ in length, or all weights are 0
     */
    public Mixture(List<Source> sources, List<Change> changes, Exhausted exhausted) {
        if (sources.stream()
                                .mapToInt(source -> source.sequences().sequence())
                                .distinct()
                                .count()
                        != 1
                || sources.stream().noneMatch(source -> source.weight() > 0)) {
            throw new IllegalArgumentException("sources " + sources);
        }
        this.sources = List.copyOf(sources);
        this.exhausted = exhausted;
        long all = sources.stream()
                .mapToLong(source -> source.sequences().perEpoch())
                .sum();
        List<Double> weights = sources.stream().map(Source::weight).toList();
        Stage first = Stage.of(
                0, weights, Arrays.stream(new long[sources.size()]).boxed().toList());
        if (exhausted == Exhausted.RENORMALISE) {
            stages = untilAllEnd(first, new ArrayList<>(weights));
            perEpoch = all;
            return;
        }
        stages = new ArrayList<>(List.of(first));
        for (Change change : changes) {
            stages.add(
                    Stage.of(change.from(), change.weights(), stages.getLast().counts(change.from())));
        }
        perEpoch = exhausted == Exhausted.REPEAT ? all : firstEnd();
    }

    /** The weight of each source is shared out where it ends. */
    private List<Stage> untilAllEnd(Stage first, List<Double> weights) {
        List<Stage> found = new ArrayList<>(List.of(first));
        while (true) {
            Stage stage = found.getLast();
            long end = Long.MAX_VALUE;
            for (int source : stage.active()) {
                end = Math.min(end, end(stage, source));
            }
            List<Long> counts = stage.counts(end);
            for (int source : stage.active()) {
                if (counts.get(source) >= perEpoch(source)) {
                    weights.set(source, 0.0);
                }
            }
            if (weights.stream().allMatch(weight -> weight == 0)) {
                return found;
            }
            found.add(Stage.of(end, weights, counts));
        }
    }

    private long perEpoch(int source) {
        return sources.get(source).sequences().perEpoch();
    }

    /** The first position before which a stage has read all of a source. */
    private long end(Stage stage, int source) {
        long low = stage.first();
        long high = low + 1;
        while (stage.counts(high).get(source) < perEpoch(source)) {
            high = stage.first() + 2 * (high - stage.first());
        }
        while (low < high) {
            long middle = low + (high - low) / 2;
            if (stage.counts(middle).get(source) < perEpoch(source)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /** The first position before which one of the sources has ended. */
    private long firstEnd() {
        for (int i = 0; i < stages.size(); i++) {
            Stage stage = stages.get(i);
            long end = stage.active().stream()
                    .mapToLong(source -> end(stage, source))
                    .min()
                    .orElseThrow();
            if (i == stages.size() - 1 || end <= stages.get(i + 1).first()) {
                return end;
            }
        }
        throw new IllegalStateException("no stage");
    }

    @Override
    public int sequence() {
        return sources.getFirst().sequences().sequence();
    }

    @Override
    public long perEpoch() {
        return perEpoch;
    }

    private Stage stage(long within) {
        int last = stages.size() - 1;
        while (stages.get(last).first() > within) {
            last--;
        }
        return stages.get(last);
    }

    /** What is read again and again begins with the pass; what repeats by itself goes on. */
    private long pass(long position) {
        return exhausted == Exhausted.RENORMALISE ? position / perEpoch : 0;
    }

    /** How many sequences of each source come before a position. */
    private List<Long> counts(long position) {
        long pass = pass(position);
        long within = position - pass * perEpoch;
        List<Long> counts = new ArrayList<>(stage(within).counts(within));
        for (int i = 0; i < counts.size(); i++) {
            counts.set(i, counts.get(i) + pass * perEpoch(i));
        }
        return counts;
    }

    private int source(long position) {
        long within = position - pass(position) * perEpoch;
        return stage(within).source(within);
    }

    @Override
    public Place place(long position) {
        int source = source(position);
        Place place = sources.get(source).sequences().place(counts(position).get(source));
        return new Place(sources.get(source).name(), place.sequence());
    }

    @Override
    public void read(long position, int[] tokens, int[] targets, int offset) {
        int source = source(position);
        sources.get(source).sequences().read(counts(position).get(source), tokens, targets, offset);
    }

    @Override
    public int predicted(long position) {
        int source = source(position);
        return sources.get(source).sequences().predicted(counts(position).get(source));
    }

    @Override
    public SequencedMap<String, Share> shares(long position) {
        List<Long> counts = counts(position);
        SequencedMap<String, Share> shares = new LinkedHashMap<>();
        for (int i = 0; i < sources.size(); i++) {
            shares.put(sources.get(i).name(), new Share(counts.get(i), (double) counts.get(i) / perEpoch(i)));
        }
        return shares;
    }

    @Override
    public String recipe() {
        return exhausted
                + sources.stream()
                        .map(source -> " " + source.name() + "=" + source.weight())
                        .collect(Collectors.joining())
                + stages.stream().map(Stage::toString).collect(Collectors.joining());
    }
}
