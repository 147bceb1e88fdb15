package dev.whirlwind.cli.run;

import dev.whirlwind.cli.PrepareCommand;
import dev.whirlwind.cli.shared.NamedText;
import dev.whirlwind.data.DatasetSummary;
import dev.whirlwind.data.MixedSequences;
import dev.whirlwind.data.Mixture;
import dev.whirlwind.data.PackedSequences;
import dev.whirlwind.data.Preparation;
import dev.whirlwind.data.ShuffledSequences;
import dev.whirlwind.data.TokenDataset;
import dev.whirlwind.data.TokenSource;
import dev.whirlwind.data.TrainingSequences;
import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.training.config.DataOptions;
import dev.whirlwind.training.config.LengthOptions;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * A run's texts: those to train on, {@code data} and {@code replay}, and those to evaluate on, which are held out of them or
 * given besides. Those that were not prepared before have their tokens below the run's folder.
 */
final class RunTexts {
    static final String DATA = "data";
    static final String VALID = "valid";
    static final String REPLAY = "replay";

    /**
     * A text as it was given.
     *
     * @param folder what its tokens lie in below the run's, where it is not prepared
     * @param heldOut share of it that is held out
     */
    private record Text(String name, List<String> paths, String folder, double heldOut) {
        boolean isPrepared() {
            return paths.size() == 1 && TokenDataset.isPrepared(Path.of(paths.getFirst()));
        }
    }

    private final DataOptions options;
    private final Path folder;
    private final Tokenizer tokenizer;
    private final int vocabulary;
    private final Consumer<String> notes;
    private final SequencedMap<String, Text> texts = new LinkedHashMap<>();
    private final List<NamedSource> sources;

    /** Folders that were prepared without checksums, which is said once. */
    private final Set<Path> unchecked = new HashSet<>();

    RunTexts(DataOptions options, Tokenizer tokenizer, int vocabulary, Consumer<String> notes) {
        this.options = options;
        folder = Path.of(options.out());
        this.tokenizer = tokenizer;
        this.vocabulary = vocabulary;
        this.notes = notes;
        double heldOut = options.valid().isEmpty() ? options.heldOut() : 0;
        sources = NamedSource.of(options.data());
        if (sources.isEmpty()) {
            add(new Text(DATA, options.data(), "new", heldOut));
        }
        checkStages();
        for (NamedSource source : sources) {
            add(new Text(source.name(), List.of(source.path()), "new-" + source.name(), heldOut));
        }
        add(new Text(VALID, options.valid(), VALID, 0));
        add(new Text(REPLAY, options.replay(), REPLAY, options.heldOut()));
        for (NamedText text : named("eval", options)) {
            add(new Text(text.name(), List.of(text.path().toString()), "eval-" + text.name(), 0));
        }
    }

    private void add(Text text) {
        if (!text.paths.isEmpty()) {
            texts.put(text.name, text);
        }
    }

    /** The texts to evaluate on that have names of their own. */
    static List<NamedText> named(String option, DataOptions options) {
        Set<String> taken = new HashSet<>(Set.of(VALID, REPLAY));
        NamedSource.of(options.data()).forEach(source -> taken.add(source.name()));
        return NamedText.named(option, options.eval(), taken);
    }

    /** What the texts are called that the run is measured on, in their order; a part of {@code data} is {@code valid}, too. */
    List<String> evaluated() {
        return heldOut(text -> text).sequencedKeySet().stream().toList();
    }

    /** The texts to evaluate on. */
    SequencedMap<String, TokenSource> heldOut() {
        // A prepared folder is one that somebody held a part out of.
        return heldOut(
                text -> open(text, text.heldOut > 0 || text.isPrepared() ? TokenDataset.VALID : TokenDataset.TRAIN));
    }

    private <T> SequencedMap<String, T> heldOut(Function<Text, T> use) {
        SequencedMap<String, T> heldOut = new LinkedHashMap<>();
        for (Text text : texts.values()) {
            boolean trained = isTrained(text.name);
            if (!trained || text.heldOut > 0) {
                heldOut.put(text.name.equals(DATA) ? VALID : text.name, use.apply(text));
            }
        }
        return heldOut;
    }

    private boolean isTrained(String name) {
        return name.equals(DATA)
                || name.equals(REPLAY)
                || sources.stream().anyMatch(source -> source.name().equals(name));
    }

    /** What is trained on, in its order, in sequences of so many tokens. */
    TrainingSequences sequences(int length, LengthOptions run) {
        TrainingSequences data = sources.isEmpty() ? sequences(DATA, length) : mixture(length, run);
        return texts.containsKey(REPLAY)
                ? new MixedSequences(data, sequences(REPLAY, length), options.replayFraction())
                : data;
    }

    private TrainingSequences mixture(int length, LengthOptions run) {
        List<Mixture.Source> mixed = new ArrayList<>();
        for (NamedSource source : sources) {
            TrainingSequences sequences = sequences(source.name(), length);
            double weight = source.weight() == null ? (double) sequences.perEpoch() : source.weight();
            mixed.add(new Mixture.Source(source.name(), sequences, weight));
        }
        Mixture.Exhausted exhausted = options.exhausted();
        if (options.stage().isEmpty()) {
            return new Mixture(mixed, List.of(), exhausted);
        }
        double share = 1 - (texts.containsKey(REPLAY) ? options.replayFraction() : 0);
        long perEpoch = (long) (new Mixture(mixed, List.of(), exhausted).perEpoch() / share);
        double full = (double) run.totalSteps(perEpoch, length) * run.batch() * run.accumulation();
        double sequences = share * Math.min(full, (double) run.totalSequences(perEpoch));
        return new Mixture(mixed, stages((long) sequences), exhausted);
    }

    private List<Mixture.Change> stages(long sequences) {
        return WeightStages.of(
                options.stage(), sources.stream().map(NamedSource::name).toList(), sequences);
    }

    /** Before texts are prepared, which may take long. */
    private void checkStages() {
        boolean repeats = options.exhausted() == Mixture.Exhausted.REPEAT;
        if (sources.isEmpty() && !(repeats && options.stage().isEmpty())) {
            throw new UsageException((repeats ? "stage" : "exhausted")
                    + ": data has no sources with names; give --data NAME=PATH:WEIGHT for each");
        }
        if (!options.stage().isEmpty() && options.exhausted() == Mixture.Exhausted.RENORMALISE) {
            throw new UsageException("stage: weights change by themselves with exhausted: renormalise; leave one out");
        }
        stages(0);
    }

    private TrainingSequences sequences(String name, int length) {
        TokenDataset tokens = open(texts.get(name), TokenDataset.TRAIN);
        return switch (options.packing()) {
            case BLOCKS -> new ShuffledSequences(tokens, length, options.seed());
            case BEST_FIT -> new PackedSequences(tokens, length, false, options.seed());
            case SINGLE -> new PackedSequences(tokens, length, true, options.seed());
        };
    }

    /** What is trained on, by name, whole. */
    SequencedMap<String, TokenDataset> trained() {
        SequencedMap<String, TokenDataset> trained = new LinkedHashMap<>();
        for (String name : texts.sequencedKeySet()) {
            if (isTrained(name)) {
                trained.put(name, open(texts.get(name), TokenDataset.TRAIN));
            }
        }
        return trained;
    }

    /** What is known of each. */
    SequencedMap<String, DatasetSummary> summaries() {
        SequencedMap<String, DatasetSummary> summaries = new LinkedHashMap<>();
        texts.forEach((name, text) -> summaries.put(name, DatasetSummary.read(tokens(text))));
        return summaries;
    }

    /** Makes the tokens of those that have none yet; whether there were any. */
    boolean prepare(PrintWriter err) {
        boolean prepared = false;
        for (Text text : texts.values()) {
            Path tokens = tokens(text);
            if (!TokenDataset.isPrepared(tokens)) {
                List<Path> paths = text.paths.stream().map(Path::of).toList();
                PrepareCommand.prepare(
                        Corpus.of(paths, folder),
                        tokenizer,
                        Preparation.Options.of(text.heldOut, options.seed()),
                        tokens,
                        err);
                prepared = true;
            }
        }
        return prepared;
    }

    /** Where the tokens of a text are. */
    private Path tokens(Text text) {
        return text.isPrepared()
                ? Path.of(text.paths.getFirst())
                : folder.resolve("data").resolve(text.folder);
    }

    private TokenDataset open(Text text, String split) {
        Path tokens = tokens(text);
        TokenDataset dataset = TokenDataset.open(tokens, split, vocabulary, String.join(", ", text.paths));
        dataset.requireTokenizer(tokenizer);
        if (!dataset.isChecked() && unchecked.add(tokens)) {
            notes.accept(tokens + " was prepared before shards had checksums, so damage in it is not noticed; to have"
                    + " them, prepare it again");
        }
        return dataset;
    }
}
