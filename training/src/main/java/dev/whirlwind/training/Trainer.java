package dev.whirlwind.training;

import dev.whirlwind.data.EvaluationWindows;
import dev.whirlwind.data.EvaluationWindows.Convention;
import dev.whirlwind.data.TokenSource;
import dev.whirlwind.data.TrainingSequences;
import dev.whirlwind.data.tokenizers.EndOfText;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Objective;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Pissa;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.checkpoints.Checkpoint;
import dev.whirlwind.training.checkpoints.CheckpointFiles;
import dev.whirlwind.training.checkpoints.Checkpoints;
import dev.whirlwind.training.checkpoints.Companions;
import dev.whirlwind.training.checkpoints.RunFolder;
import dev.whirlwind.training.checkpoints.TrainerState;
import dev.whirlwind.training.config.DocumentMask;
import dev.whirlwind.training.config.LengthOptions;
import dev.whirlwind.training.config.OptimizerOptions;
import dev.whirlwind.training.config.OptimizerOptions.Remedy;
import dev.whirlwind.training.config.RegularisationOptions;
import dev.whirlwind.training.config.SavingOptions;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.config.WatchingOptions;
import dev.whirlwind.training.distillation.TeacherCache;
import dev.whirlwind.training.evaluation.Beginning;
import dev.whirlwind.training.evaluation.Comparison;
import dev.whirlwind.training.evaluation.Evaluation;
import dev.whirlwind.training.evaluation.Prompt;
import dev.whirlwind.training.evaluation.Samples;
import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.metrics.Listener;
import dev.whirlwind.training.metrics.Metrics;
import dev.whirlwind.training.optimizers.Anchor;
import dev.whirlwind.training.optimizers.Fisher;
import dev.whirlwind.training.optimizers.Follower;
import dev.whirlwind.training.optimizers.Optimizer;
import dev.whirlwind.training.optimizers.RateFactors;
import dev.whirlwind.training.optimizers.Schedule;
import dev.whirlwind.training.optimizers.State;
import dev.whirlwind.training.optimizers.WeightAverage;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SequencedMap;
import java.util.concurrent.CancellationException;
import java.util.function.DoubleSupplier;
import java.util.function.Supplier;

/**
 * A training run, from its model or from its newest whole checkpoint on. All that a step does follows from the weights,
 * the moments and {@link TrainerState}, so a run that was stopped or killed at any moment and opened again ends with the
 * same bits as one that was not.
 */
public final class Trainer implements AutoCloseable {
    /** When this many updates in a row had to be left out, something is wrong that leaving out does not mend. */
    private static final int MOST_SKIPS = 10;

    /**
     * What is trained and measured on.
     *
     * @param training the sequences in their order
     * @param heldOut texts to evaluate on, by name; the best model is the one that predicts {@code best_by} best, or the first
     * @param tokenizer that all were made with; it is saved with the model
     * @param prompts that samples continue
     * @param taught what was kept of a teacher, by {@link TrainingSequences.Place#source}; empty for none
     */
    public record Corpus(
            TrainingSequences training,
            SequencedMap<String, TokenSource> heldOut,
            Tokenizer tokenizer,
            List<Prompt> prompts,
            Map<String, TeacherCache> taught) {
        /** Without samples and a kept teacher. */
        public Corpus(TrainingSequences training, SequencedMap<String, TokenSource> heldOut, Tokenizer tokenizer) {
            this(training, heldOut, tokenizer, List.of(), Map.of());
        }
    }

    /**
     * How a run ended.
     *
     * @param interrupted whether {@link #stop} ended it early; what it had done is saved
     * @param step optimizer steps done
     */
    public record Outcome(boolean interrupted, long step) {}

    private final TrainConfig config;
    private final LengthOptions length;
    private final Corpus corpus;
    private final SequencedMap<String, EvaluationWindows> heldOut = new LinkedHashMap<>();
    private final Map<String, Double> heldOutBytes = new HashMap<>();
    private final Listener listener;
    private final RunFolder folder;
    private final Checkpoints checkpoints;
    private final Transformer transformer;
    private final Learner learner;
    private final Optimizer optimizer;
    private final List<Follower> followers = new ArrayList<>();

    /** Null where none is kept. */
    private final WeightAverage average;

    /** Evaluates it. */
    private final Transformer averaged;

    private final CheckpointFiles files;
    private final TrainerState state;
    private final Metrics metrics;
    private final Requests requests;
    private final Beginning beginning;
    private final Optional<Samples> samples;
    private final long totalSteps;
    private final long totalSequences;
    private final Schedule schedule;
    private final long started = System.nanoTime();
    private final double secondsBefore;
    private volatile boolean stopping;
    private boolean saved;
    private int skips;

    /**
     * Loads the folder's newest whole checkpoint, or {@code config.data().model()} where there is none, and forgets what a killed
     * process did after it.
     *
     * @param folder of the run; it is closed with the trainer, and when this fails
     * @throws UserException if a file is missing or wrong, or the options are not those that the run began with
     */
    public Trainer(Engine engine, RunFolder folder, TrainConfig config, Corpus corpus, Listener listener) {
        this.config = config;
        length = config.length();
        this.corpus = corpus;
        this.listener = listener;
        this.folder = folder;
        requests = new Requests(folder.path(), listener::note);
        beginning = new Beginning(folder.path().resolve("before.json"), listener::note);
        try {
            checkpoints = folder.checkpoints();
            Optional<Checkpoint> checkpoint = folder.newestCheckpoint();
            Path source =
                    folder.newest().orElseGet(() -> Path.of(given(config.data().model(), "model")));
            TrainerState start = TrainerState.start(config, corpus.training());
            boolean onBase = ModelFolder.isAdapter(source) || config.adapter().lora() != null;
            if (onBase && !config.adapter().restarts()) {
                start.companions.put("base", Companions.base(ModelFolder.base(source)));
            }
            totalSteps = start.totalSteps;
            totalSequences = length.totalSequences(start.sequencesPerEpoch);
            schedule = config.schedule().over(totalSteps);
            state = checkpoint.map(Checkpoint::state).orElse(start);
            secondsBefore = state.elapsedSeconds;
            List<String> changes = checkpoint.isPresent() ? requireSameRun(source, start) : List.of();
            ModelConfig model = config.modelIn(source);
            Double dropout = config.regularisation().dropout();
            if (dropout != null) {
                model = model.withDropout(dropout.floatValue());
            }
            corpus.tokenizer().requireFits(model.vocabularySize());
            int sequence = corpus.training().sequence();
            learner = Learner.load(engine, source, model, config, listener::note);
            Parameters weights = learner.weights();
            corpus.heldOut()
                    .forEach((name, text) -> heldOut.put(
                            name,
                            new EvaluationWindows(
                                    text,
                                    sequence,
                                    Convention.OVERLAPPING,
                                    config.evaluation().evalWindows())));
            RateFactors factors = config.factors(weights.layout());
            transformer = Transformer.forTraining(
                    engine, weights, length.batch(), sequence, config.memory().saving(), factors::trains);
            learn(engine);
            transformer.addNoise(config.regularisation().neftune());
            readDocumentsApart(model, checkpoint.isPresent());
            optimizer = new Optimizer(
                    engine,
                    transformer,
                    config.optimizer().rule(),
                    factors,
                    config.optimizer().clip());
            Double ema = config.optimizer().ema();
            RegularisationOptions regularisation = config.regularisation();
            Parameters importance = regularisation.ewc() == null
                    ? null
                    : Fisher.load(engine, Path.of(regularisation.ewc()), weights.layout());
            if (regularisation.anchor() > 0 || importance != null) {
                followers.add(new Anchor(
                        engine, transformer, regularisation.anchor(), importance, regularisation.elasticity()));
            }
            average = ema == null ? null : new WeightAverage(engine, transformer, ema);
            averaged = average == null
                    ? null
                    : Transformer.forEvaluation(engine, average.parameters(), length.batch(), sequence);
            if (average != null) {
                followers.add(average);
            }
            List<State> states = new ArrayList<>(optimizer.state());
            followers.forEach(follower -> states.add(follower.state()));
            learner.state(engine).ifPresent(states::add);
            states.forEach(State::reserve);
            SavingOptions saving = config.saving();
            WatchingOptions watching = config.watching();
            samples = watching.sampleEvery() == 0 || corpus.prompts().isEmpty()
                    ? Optional.empty()
                    : Optional.of(new Samples(
                            engine,
                            weights,
                            corpus.tokenizer(),
                            corpus.prompts(),
                            watching.sampleTokens(),
                            watching.sampleTemperature(),
                            config.data().seed()));
            files = new CheckpointFiles(
                    source,
                    weights,
                    learner.adapter().orElse(null),
                    learner.principal().map(Pissa::start).orElse(null),
                    learner.merge().orElse(null),
                    engine,
                    states,
                    corpus.tokenizer(),
                    // A checkpoint may be in a wider type than was asked for, and then stays so.
                    saving.saveDtype() == null || (checkpoint.isPresent() && learner.dtype() == DType.F32)
                            ? learner.dtype()
                            : saving.saveDtype(),
                    saving.shardBytes(),
                    listener::note);
            followers.forEach(Follower::begin);
            String extended = config.data().extend();
            if (checkpoint.isPresent() || extended != null) {
                TrainerState left = checkpoint.isPresent() ? state : TrainerState.read(source);
                optimizer.resumeAfter(left.updates);
                files.restore(source, followers.stream().map(Follower::state).toList());
                if (checkpoint.isPresent()) {
                    saved = true;
                    listener.note("going on after step " + state.step + " of " + totalSteps + ", from " + source);
                } else {
                    state.extend(left);
                    listener.note("going on from the plateau of " + extended + ", after its step " + left.step);
                }
            } else {
                tellOfAnotherModel(source);
            }
            metrics = Metrics.rewind(
                    folder.path().resolve("metrics.jsonl"),
                    checkpoint.map(found -> found.saved(folder.path())).orElse(null),
                    listener::note);
            if (!changes.isEmpty()) {
                report(new Event.Change(state.step, changes));
            }
        } catch (RuntimeException | Error e) {
            folder.close();
            throw e;
        }
    }

    /** Whether the run goes on as it began; what an older version did not record is taken to be as it was. */
    private List<String> requireSameRun(Path checkpoint, TrainerState now) {
        state.requireSameData(checkpoint, now);
        state.requireSameMoments(checkpoint, config);
        if (state.options == null) {
            listener.note(checkpoint + ": records no options, as an older version made it; changed ones go unnoticed");
        }
        if (state.companions == null && !now.companions.isEmpty()) {
            listener.note(checkpoint + ": does not tell what " + String.join(" and ", now.companions.keySet())
                    + " held, as an older version made it; a change of that goes unnoticed");
        }
        List<String> changes = new ArrayList<>(state.changes(config));
        changes.addAll(state.replaced(now));
        boolean longer = changes.isEmpty() && state.totalSteps != 0 && state.totalSteps != now.totalSteps;
        String length = "the length in steps was " + state.totalSteps + " and is " + now.totalSteps;
        if (longer && !state.isSeamless(config)) {
            changes.add(length);
        }
        folder.requireAccepted(changes, state.jump(config));
        if (longer && changes.isEmpty()) {
            changes.add(length);
        }
        changes.forEach(change -> listener.note("from step " + state.step + " on: " + change));
        state.totalSteps = now.totalSteps;
        state.options = now.options;
        state.companions = now.companions;
        return changes;
    }

    /** What auto means a run keeps from its start. */
    private void readDocumentsApart(ModelConfig model, boolean goesOn) {
        DocumentMask asked = config.data().documentMask();
        EndOfText end = corpus.tokenizer().endOfText();
        if (!goesOn || asked != DocumentMask.AUTO) {
            state.documentMask = asked.applies(model, end, !corpus.taught().isEmpty());
        }
        if (!state.documentMask) {
            return;
        }
        transformer.maskDocuments(end.id());
        if (!goesOn && asked == DocumentMask.AUTO) {
            listener.note("documents of a sequence are read apart (document_mask: auto)");
        }
    }

    private void learn(Engine engine) {
        RegularisationOptions options = config.regularisation();
        if (options.teacherCache().isEmpty()) {
            String teacher = options.teacher();
            transformer.trainFor(
                    options.objective(),
                    teacher == null ? null : Teachers.load(engine, Path.of(teacher), transformer, listener));
        } else {
            int top = corpus.taught().values().iterator().next().top();
            transformer.trainFor(options.objective(), new Objective.Kept(top));
        }
    }

    /** What matters to one model's weights is near to what matters to those trained from them, so it may be meant. */
    private void tellOfAnotherModel(Path source) {
        String ewc = config.regularisation().ewc();
        String estimated = ewc == null ? null : Fisher.model(Path.of(ewc));
        if (estimated != null && !estimated.equals(Companions.model(source))) {
            listener.note(ewc + " was estimated for other weights than those in " + source
                    + " that the run starts from and is pulled towards");
        }
    }

    private static String given(String option, String name) {
        if (option == null) {
            throw new UserException("the option " + name + " is missing; give the folder");
        }
        return option;
    }

    /** Optimizer steps of the whole run. */
    public long totalSteps() {
        return totalSteps;
    }

    /** Training sequences in one pass over the data. */
    public long sequencesPerEpoch() {
        return state.sequencesPerEpoch;
    }

    /** Optimizer steps done. */
    public long step() {
        return state.step;
    }

    /** The model as it is now, for samples between the steps: weights are shared, not copied. */
    public Parameters weights() {
        return transformer.weights();
    }

    /**
     * Ends the run soon, with a checkpoint of the last whole step where there is none yet: what a step or an evaluation
     * has done by then is dropped, and done again when the run goes on. Any thread may call it, and return at once.
     */
    public void stop() {
        stopping = true;
    }

    /** Asks for something after the step at hand. Any thread may call it. */
    public void ask(Request request) {
        requests.ask(request);
    }

    /** Tells what this process works with, in words such as those for the engine and the machine. */
    public void tell(Map<String, String> environment) {
        report(new Event.Session(
                state.step,
                totalSteps,
                Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
                environment));
    }

    /**
     * Trains to the end, or until {@link #stop}.
     *
     * @throws UserException if the loss is not finite, a file cannot be written, or the run's folder is no longer there;
     *     the last checkpoint stays whole
     */
    public Outcome run() {
        while (true) {
            if (evaluationIsDue()) {
                savingOnFailure(this::measured).ifPresent(this::judge);
            }
            if (requests.isAsked(Request.EVALUATION) && wasEvaluated()) {
                requests.done(Request.EVALUATION);
            }
            if (samplesAreDue()) {
                sample();
            }
            if (saveIsDue()) {
                save();
            }
            if (state.step == schedule.plateauEnd() && state.step > 0 && !stopping) {
                report(checkpoints.publish(Checkpoints.PLATEAU, state.step, to -> files.writeAll(to, state)));
            }
            // Before the run may be done: its last evaluation may have been dropped.
            if (stopping) {
                return new Outcome(true, state.step);
            }
            if (isDone()) {
                publish(Checkpoints.FINAL, transformer.weights());
                if (average != null) {
                    publish(Checkpoints.EMA, average.parameters());
                }
                return new Outcome(false, state.step);
            }
            oneStep();
        }
    }

    @Override
    public void close() {
        try {
            metrics.close();
        } finally {
            folder.close();
        }
    }

    private boolean isDone() {
        int patience = config.evaluation().patience();
        return state.step >= totalSteps || (patience > 0 && state.evaluationsSinceBest >= patience);
    }

    // ---------------------------------------------------------------------------------------------- a step

    private void oneStep() {
        long start = System.nanoTime();
        // All but the last step of a run by epochs are full.
        long sequences = Math.min((long) length.batch() * length.accumulation(), totalSequences - state.position);
        long tokens = 0;
        for (long position = state.position; position < state.position + sequences; position++) {
            tokens += corpus.training().predicted(position);
        }
        double lr = schedule.at(state.step) * config.adapter().rewarming(state.step);
        Optional<Found> done = config.memory().updateInBackward() ? inBackward(tokens, lr) : afterBackward(tokens, lr);
        if (done.isEmpty()) {
            transformer.zeroGradients();
            return;
        }
        Found found = done.get();
        if (found.updated()) {
            followers.forEach(Follower::follow);
            state.lossGuard.add(found.loss());
            skips = 0;
        } else {
            transformer.zeroGradients();
        }
        state.step++;
        if (config.adapter().restartsAfter(state.step)) {
            learner.restart(config.data().seed(), state.step);
            optimizer.restart();
        }
        state.updates = optimizer.updates();
        saved = false;
        state.tokens += tokens;
        state.position += sequences;
        double seconds = (System.nanoTime() - start) * 1e-9;
        report(new Event.Step(
                state.step, state.tokens, found.loss(), lr, found.norm(), tokens / seconds, elapsedSeconds()));
    }

    /** Of a step: its loss for each token, and its gradient's norm. */
    private record Found(double loss, double norm, boolean updated) {}

    /** Updates with the whole gradient; empty when the run is to stop amid it. */
    private Optional<Found> afterBackward(long tokens, double lr) {
        OptionalDouble nll = savingOnFailure(() -> forwardBackward(1f / tokens, transformer::forwardBackward));
        if (nll.isEmpty()) {
            return Optional.empty();
        }
        double loss = nll.getAsDouble() / tokens;
        followers.forEach(Follower::pull);
        double norm = optimizer.gradientNorm();
        boolean sound = isSound(loss, norm);
        if (sound) {
            optimizer.update(lr, norm);
        }
        return Optional.of(new Found(loss, norm, sound));
    }

    /** Updates each layer as soon as its gradient is there. */
    private Optional<Found> inBackward(long tokens, double lr) {
        Optimizer.InBackward update = optimizer.inBackward(lr, nll -> isSound(nll / tokens, 0));
        OptionalDouble nll =
                savingOnFailure(() -> forwardBackward(1f / tokens, () -> transformer.forwardBackward(update)));
        if (nll.isEmpty()) {
            return Optional.empty();
        }
        double loss = nll.getAsDouble() / tokens;
        boolean whole = update.isWanted() && (Double.isFinite(update.norm()) || isSound(loss, update.norm()));
        return Optional.of(new Found(loss, update.norm(), whole));
    }

    /** The summed loss of the step's micro-batches, their gradients added up; empty when the run is to stop amid it. */
    private OptionalDouble forwardBackward(float lossScale, DoubleSupplier pass) {
        Inputs inputs = transformer.inputs();
        inputs.lossScale = lossScale;
        inputs.seed = config.data().seed();
        inputs.step = (int) state.step;
        double nll = 0;
        for (int micro = 0; micro < length.accumulation(); micro++) {
            if (stopping) {
                return OptionalDouble.empty();
            }
            inputs.microBatch = micro;
            long position = state.position + (long) micro * length.batch();
            int rows = (int) Math.min(length.batch(), totalSequences - position);
            if (rows <= 0) {
                break;
            }
            corpus.training().fill(position, rows, length.batch(), inputs.tokens, inputs.targets);
            if (!corpus.taught().isEmpty()) {
                recall(position, rows);
            }
            nll += pass.getAsDouble();
        }
        return OptionalDouble.of(nll);
    }

    /** Puts what was kept of a teacher beside the sequences. */
    private void recall(long position, int rows) {
        for (int row = 0; row < rows; row++) {
            TrainingSequences.Place place = corpus.training().place(position + row);
            corpus.taught().get(place.source()).read(place.sequence(), row, transformer.inputs());
        }
    }

    /** Whether to update with this gradient; an end of the run where the configuration says so. */
    private boolean isSound(double loss, double norm) {
        OptimizerOptions guards = config.optimizer();
        if (!Double.isFinite(loss) || !Double.isFinite(norm)) {
            return remedy(
                    guards.onNan(),
                    loss,
                    norm,
                    Double.isFinite(loss) ? "the gradient's norm is " + norm : "the loss is " + loss);
        }
        if (guards.onSpike() != Remedy.IGNORE && state.lossGuard.isJump(loss, guards.spikeSigma())) {
            String reason = "the loss jumped from about %.3f to %.3f".formatted(state.lossGuard.mean, loss);
            return remedy(guards.onSpike(), loss, norm, reason);
        }
        return true;
    }

    private boolean remedy(Remedy remedy, double loss, double norm, String reason) {
        long step = state.step + 1;
        report(new Event.Anomaly(step, loss, norm, reason, remedy.name().toLowerCase(Locale.ROOT)));
        if (remedy == Remedy.STOP || (remedy == Remedy.SKIP && ++skips > MOST_SKIPS)) {
            throw new UserException(config.data().out() + ": stopped at step " + step
                    + (config.memory().updateInBackward() && !Double.isFinite(norm) ? " amid" : " before")
                    + " its update: " + reason
                    + (skips > MOST_SKIPS ? " (after " + MOST_SKIPS + " skipped steps)" : "") + "; "
                    + checkpoints.last()
                    + "; look at the data, or lower lr in config.yaml and resume with --accept-config");
        }
        return remedy == Remedy.WARN;
    }

    // ---------------------------------------------------------------------------------------------- evaluation

    private boolean evaluationIsDue() {
        long every = config.evaluation().evalEvery();
        boolean asked = every > 0 && state.step % every == 0;
        return state.evaluatedStep != state.step && !stopping && (asked || state.step == 0 || state.step >= totalSteps);
    }

    /** Bytes that are predicted of a held-out set, which takes a pass over all of its tokens to know. */
    private double bytes(String name, EvaluationWindows windows) {
        return heldOutBytes.computeIfAbsent(name, _ -> windows.bytes(corpus.tokenizer()));
    }

    /** Whether evaluations of this step have been told of, now or before; not when the run is to stop. */
    private boolean wasEvaluated() {
        return state.evaluatedStep == state.step
                || savingOnFailure(this::measured).isPresent();
    }

    /** What the held-out sets were found to be predicted like, when it has been told of; nothing when the run is to stop. */
    private Optional<List<Event.Eval>> measured() {
        List<Event.Eval> results = new ArrayList<>();
        SequencedMap<String, Evaluation> evaluations = new LinkedHashMap<>();
        try {
            for (var text : heldOut.entrySet()) {
                String name = text.getKey();
                evaluations.put(name, Evaluation.of(transformer, text.getValue(), () -> stopping));
                results.add(told(name, evaluations.get(name), bytes(name, text.getValue())));
                if (average != null) {
                    String averages = name + " (ema)";
                    evaluations.put(averages, Evaluation.of(averaged, text.getValue(), () -> stopping));
                    results.add(told(averages, evaluations.get(averages), bytes(name, text.getValue())));
                }
            }
        } catch (CancellationException e) {
            return Optional.empty();
        }
        // Only now, so that an evaluation is told of as a whole or not at all.
        results.forEach(this::report);
        if (state.step == 0) {
            beginning.keep(evaluations);
        } else {
            evaluations.forEach(
                    (name, now) -> beginning.changeOf(name, now).ifPresent(change -> report(compared(name, change))));
            report(new Event.Sources(state.step, corpus.training().shares(state.position)));
        }
        return Optional.of(results);
    }

    private Event.Compared compared(String name, Comparison change) {
        return new Event.Compared(
                state.step,
                name,
                change.difference(),
                change.low(),
                change.high(),
                change.pValue(),
                change.parts(),
                change.unit().name().toLowerCase(Locale.ROOT));
    }

    private void judge(List<Event.Eval> results) {
        String judging = config.evaluation().bestBy();
        Double loss = results.stream()
                .filter(result -> judging == null || judging.equals(result.name()))
                .findFirst()
                .map(Event.Eval::loss)
                .orElse(null);
        state.evaluatedStep = state.step;
        saved = false;
        if (state.step == 0 || loss == null) {
            return;
        }
        if (loss < (state.bestLoss == null ? Double.POSITIVE_INFINITY : state.bestLoss)) {
            state.bestLoss = loss;
            state.bestStep = state.step;
            state.evaluationsSinceBest = 0;
            publish(Checkpoints.BEST, transformer.weights());
        } else {
            state.evaluationsSinceBest++;
        }
    }

    private boolean samplesAreDue() {
        boolean due = samples.isPresent() && (state.step % config.watching().sampleEvery() == 0 || isDone());
        return due && state.sampledStep != state.step && !stopping;
    }

    private void sample() {
        try {
            samples.orElseThrow().of(state.step, () -> stopping).forEach(this::report);
        } catch (CancellationException e) {
            return;
        } catch (UserException e) {
            // Watching must not end what it watches.
            listener.note("step " + state.step + ": no samples, as " + e.getMessage());
        }
        state.sampledStep = state.step;
    }

    private Event.Eval told(String name, Evaluation evaluation, double bytes) {
        return new Event.Eval(
                state.step, name, evaluation.meanNll(), evaluation.perplexity(), evaluation.bitsPerByte(bytes));
    }

    // ---------------------------------------------------------------------------------------------- saving

    private boolean saveIsDue() {
        long every = config.saving().saveEvery();
        boolean asked = every > 0 && state.step % every == 0;
        return state.step > 0 && !saved && (asked || stopping || isDone() || requests.isAsked(Request.CHECKPOINT));
    }

    private void save() {
        requireFolder();
        requireFinite();
        state.elapsedSeconds = elapsedSeconds();
        metrics.sync();
        report(checkpoints.save(state.step, config.saving().keep(), to -> files.writeAll(to, state)));
        saved = true;
        requests.done(Request.CHECKPOINT);
    }

    /** Work that leaves the weights alone, after a failure of which, such as a text's file that was cut, they are saved. */
    private <T> T savingOnFailure(Supplier<T> work) {
        try {
            return work.get();
        } catch (RuntimeException | Error e) {
            try {
                if (state.step > 0 && !saved) {
                    save();
                }
            } catch (RuntimeException | Error second) {
                e.addSuppressed(second);
            }
            throw e;
        }
    }

    private void publish(String name, Parameters weights) {
        requireFolder();
        requireFinite();
        report(checkpoints.publish(name, state.step, to -> files.writeModel(to, weights)));
    }

    private double elapsedSeconds() {
        return secondsBefore + (System.nanoTime() - started) * 1e-9;
    }

    /** A checkpoint that nothing can be computed with must not take the place of a good one. */
    private void requireFinite() {
        files.damage().ifPresent(damage -> {
            throw new UserException(config.data().out() + ": stopped at step " + state.step + " without saving: "
                    + damage + "; " + checkpoints.last() + "; lower lr, or raise eps, and resume");
        });
    }

    /** What is written under the run's name must be in the folder that it was opened in. */
    private void requireFolder() {
        if (!folder.isHeld()) {
            throw new UserException(
                    folder.path() + ": this folder was removed or moved while the run was at step " + state.step
                            + ", and nothing was saved after its last checkpoint; where it was moved to, resume goes on from that");
        }
    }

    private void report(Event event) {
        requireFolder();
        metrics.append(event);
        listener.on(event);
    }
}
