package dev.whirlwind.cli.run;

import dev.whirlwind.cli.PrepareCommand;
import dev.whirlwind.cli.shared.Engines;
import dev.whirlwind.cli.shared.Environment;
import dev.whirlwind.cli.shared.Machine;
import dev.whirlwind.cli.shared.MemoryCheck;
import dev.whirlwind.cli.shared.Models;
import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.cli.terminal.Interruption;
import dev.whirlwind.cli.terminal.Shell;
import dev.whirlwind.data.EvaluationWindows;
import dev.whirlwind.data.TokenSource;
import dev.whirlwind.data.TrainingSequences;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.model.files.FolderLock;
import dev.whirlwind.training.Teachers;
import dev.whirlwind.training.Trainer;
import dev.whirlwind.training.checkpoints.DiskNeeds;
import dev.whirlwind.training.checkpoints.RunFolder;
import dev.whirlwind.training.config.DataOptions;
import dev.whirlwind.training.config.EngineOptions;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.config.WatchingOptions;
import dev.whirlwind.training.distillation.TeacherCache;
import dev.whirlwind.training.evaluation.Prompt;
import dev.whirlwind.training.evaluation.Samples;
import dev.whirlwind.training.log.CsvLog;
import dev.whirlwind.training.log.TensorBoard;
import dev.whirlwind.training.memory.AvailableMemory;
import dev.whirlwind.training.optimizers.Fisher;
import dev.whirlwind.training.report.LiveReport;
import dev.whirlwind.training.report.RunHistory;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import picocli.CommandLine;

/**
 * A run's folder: {@code config.yaml}, the tokens of its texts in {@code data/} where they were not prepared before, and
 * what the {@link Trainer} keeps there.
 */
public final class Run implements AutoCloseable {
    public static final String CONFIG = "config.yaml";

    private final Path folder;

    /** Bytes of memory that could be had before anything was loaded. */
    private final long available;

    private final TrainConfig config;
    private final DataOptions data;
    private final ModelConfig model;
    private final Tokenizer tokenizer;
    private final RunTexts texts;
    private final boolean resumed;
    private final Progress progress;
    private RunFolder held;

    private Run(TrainConfig config, Path source, Progress progress, boolean resumed) {
        this.config = config;
        data = config.data();
        this.progress = progress;
        this.resumed = resumed;
        folder = Path.of(data.out());
        available = AvailableMemory.bytes();
        model = config.modelIn(source);
        tokenizer = Models.tokenizer(source, model, progress::note);
        texts = new RunTexts(data, tokenizer, model.vocabularySize(), progress::note);
    }

    /**
     * A new run; its folder must be empty or absent, and is so again when its texts turn out to be no good.
     *
     * @param name what it is called where its progress is told
     */
    public static Run create(TrainConfig given, String name, PrintWriter err) {
        DataOptions texts = given.data();
        Path folder = Path.of(texts.out());
        Models.requireEmpty(folder);
        Map<String, Object> places = new LinkedHashMap<>();
        places.put("model", absolute(texts.model()));
        places.put("data", sources(texts.data()));
        places.put("valid", texts.valid().stream().map(Run::absolute).toList());
        places.put("replay", texts.replay().stream().map(Run::absolute).toList());
        places.put(
                "eval",
                RunTexts.named("--eval", texts).stream()
                        .map(text -> text.name() + "=" + absolute(text.path().toString()))
                        .toList());
        places.put("out", absolute(texts.out()));
        places.put(
                "teacher_cache",
                given.regularisation().teacherCache().stream()
                        .map(Run::absolute)
                        .toList());
        if (given.regularisation().ewc() != null) {
            places.put("ewc", absolute(given.regularisation().ewc()));
        }
        if (given.regularisation().teacher() != null) {
            places.put("teacher", absolute(given.regularisation().teacher()));
        }
        if (given.watching().samplePrompts() != null) {
            places.put("sample_prompts", absolute(given.watching().samplePrompts()));
        }
        TrainConfig config = given.with(places, "command line");
        // What can be wrong without the texts, which may take long to prepare, is told before anything is created.
        Run run = new Run(config, Path.of(config.data().model()), new Progress(err, name), false);
        run.check();
        FolderLock lock = new FolderLock(folder);
        boolean created = false;
        try {
            // Once more, as another process may have been faster.
            Models.requireEmpty(folder);
            run.held = new RunFolder(folder, lock, false, run.progress::note);
            run.begin(err);
            created = true;
            return run;
        } finally {
            if (!created) {
                lock.closeAndForget();
            }
        }
    }

    private static List<String> sources(List<String> data) {
        List<NamedSource> named = NamedSource.of(data);
        return named.isEmpty()
                ? data.stream().map(Run::absolute).toList()
                : named.stream()
                        .map(source -> source.at(absolute(source.path())).toString())
                        .toList();
    }

    private void begin(PrintWriter err) {
        boolean begun = false;
        try {
            log();
            // Before the texts, so that resume knows a run that is stopped or killed while it prepares them.
            ConfigFile.write(folder.resolve(CONFIG), config.toMap());
            boolean prepared = prepare(err);
            // Opened once to see whether they are long enough, before any weight is loaded.
            Trainer.Corpus corpus = corpus();
            corpus.heldOut().values().forEach(EvaluationWindows::requireTokens);
            TrainingSequences training = corpus.training();
            config.schedule().requireRoom(config.length().totalSteps(training.perEpoch(), training.sequence()));
            if (prepared) {
                progress.note(PrepareCommand.ends(tokenizer));
            }
            Rewarming.of(config).ifPresent(progress::note);
            begun = true;
        } finally {
            if (!begun) {
                Models.delete(folder.resolve("data"));
                Models.delete(folder.resolve(CONFIG));
            }
        }
    }

    /**
     * A run that was begun before, perhaps under another name.
     *
     * @param changes options that this time are others than those of its file
     * @param acceptConfig whether an edit of its file that changes the result is meant
     */
    static Run open(Path folder, Map<String, Object> changes, boolean acceptConfig, PrintWriter err) {
        Path file = folder.resolve(CONFIG);
        if (!Files.exists(file)) {
            throw new UserException(
                    folder + ": is not the folder of a run (it has no " + CONFIG + "); begin one with train");
        }
        TrainConfig begun = TrainConfig.of(ConfigFile.read(file), file.toString());
        TrainConfig config =
                begun.with(changes, "command line").with(Map.of("out", absolute(folder.toString())), "command line");
        Progress progress = new Progress(err, "train");
        config.requireEffect(changes.keySet(), progress::note);
        RunFolder held = new RunFolder(folder, new FolderLock(folder), acceptConfig, progress::note);
        boolean opened = false;
        try {
            checkEdit(file, config, held, acceptConfig, progress);
            keepChanges(file, begun, config, held);
            // The original model may be gone.
            Run run = new Run(config, held.newest().orElse(Path.of(config.data().model())), progress, true);
            run.held = held;
            run.log();
            run.checkJudging();
            run.checkMemory(run.model, RunMemory.CHANGEABLE_UNDER_WAY, run::asChanges);
            if (run.prepare(err)) {
                progress.note(PrepareCommand.ends(run.tokenizer));
            }
            opened = true;
            return run;
        } finally {
            if (!opened) {
                held.close();
            }
        }
    }

    /**
     * Tells an edit that is meant from damage and mistakes: by what the last checkpoint recorded and, before there is one,
     * by the file's checksum.
     */
    private static void checkEdit(
            Path file, TrainConfig config, RunFolder held, boolean acceptConfig, Progress progress) {
        ConfigFile.Checksum checksum = ConfigFile.checksum(file);
        if (acceptConfig && checksum != ConfigFile.Checksum.FITS) {
            ConfigFile.accept(file);
            return;
        }
        held.requireSameOptions(config);
        if (checksum == ConfigFile.Checksum.MISSING) {
            progress.note(file + ": has no checksum, as an older version wrote it; damage before the first checkpoint"
                    + " would go unnoticed");
        } else if (checksum == ConfigFile.Checksum.DIFFERS && !held.recordsOptions()) {
            throw new UserException(
                    file + ": was edited or damaged since it was written, and there is no checkpoint that"
                            + " tells what it held; see whether all is as you mean it, then resume with --accept-config");
        } else if (checksum == ConfigFile.Checksum.DIFFERS) {
            progress.note(
                    file + ": was edited or damaged since it was written; the options that decide the result are as"
                            + " the last checkpoint recorded them");
        }
    }

    /** What decides what the run becomes is in its file from now on, too. */
    private static void keepChanges(Path file, TrainConfig begun, TrainConfig config, RunFolder held) {
        Map<String, Object> lasting = config.lasting();
        Map<String, Object> before = begun.lasting();
        if (lasting.equals(before)) {
            return;
        }
        if (!held.recordsOptions()) {
            held.requireAccepted(
                    lasting.entrySet().stream()
                            .filter(option -> !Objects.equals(option.getValue(), before.get(option.getKey())))
                            .map(option -> option.getKey() + " was " + before.get(option.getKey()) + " and is "
                                    + option.getValue())
                            .toList(),
                    "");
        }
        ConfigFile.write(file, begun.with(lasting, "command line").toMap());
    }

    private void log() {
        if (config.saving().log() != null) {
            progress.logTo(new RunLog(Path.of(config.saving().log())));
        }
    }

    private void check() {
        EngineOptions engine = config.engine();
        Engines.require(engine.engine());
        Engines.requireUse(engine.engine(), engine.device(), engine.precision());
        config.requireTrainable(config.adapter(model).isPresent());
        ModelConfig stored = ModelFolder.check(Path.of(data.model()), model);
        config.factors(config.layout(stored));
        int sequence = config.length().sequenceLength(model.maxPositions());
        if (sequence > model.longestText()) {
            throw new UserException("sequence is " + sequence + ", but the model in " + data.model() + " has "
                    + model.longestText() + " positions; choose a shorter one");
        }
        if (config.regularisation().teacher() != null) {
            Path teacher = Path.of(config.regularisation().teacher());
            ModelFolder.check(teacher, Teachers.config(teacher, model, sequence));
        }
        if (config.regularisation().ewc() != null) {
            Fisher.check(Path.of(config.regularisation().ewc()), stored);
        }
        caches();
        if (config.evaluation().patience() > 0 && texts.evaluated().isEmpty()) {
            throw new UsageException("patience is " + config.evaluation().patience()
                    + ", but no text is held out that could get no better; give some by --eval NAME=PATH");
        }
        checkJudging();
        checkSamples();
        checkMemory(stored, RunMemory.CHANGEABLE, MemoryCheck::asOptions);
    }

    private void checkJudging() {
        String judging = config.evaluation().bestBy();
        if (judging != null && !texts.evaluated().contains(judging)) {
            throw new UsageException("best_by is " + judging + ", but "
                    + (texts.evaluated().isEmpty()
                            ? "no text is held out; give some by --eval NAME=PATH"
                            : "what is evaluated on is " + String.join(", ", texts.evaluated())
                                    + "; choose one of them"));
        }
    }

    private void checkSamples() {
        WatchingOptions watching = config.watching();
        if (watching.sampleEvery() > 0
                && watching.samplePrompts() == null
                && texts.evaluated().isEmpty()) {
            throw new UsageException("sample_every needs prompts, and no text is held out that could begin them; give"
                    + " sample_prompts a file with a prompt a line");
        }
        Samples.capacity(model, filePrompts(), watching.sampleTokens());
    }

    private List<Prompt> filePrompts() {
        WatchingOptions watching = config.watching();
        return watching.sampleEvery() == 0 || watching.samplePrompts() == null
                ? List.of()
                : Prompt.read(Path.of(watching.samplePrompts()), tokenizer);
    }

    private void checkMemory(ModelConfig stored, Set<String> changeable, Function<Map<String, Object>, String> words) {
        RunMemory memory = memory(stored);
        MemoryCheck room = memory.room(config.memory().noPlan());
        room.requireTraining(memory.less(config, changeable, room), words);
    }

    /** Says so where the checkpoints will not all have room; what lies there already goes as newer ones come. */
    private void checkDisk(RunMemory memory, long steps) {
        DiskNeeds needs = memory.disk(config, steps);
        DiskNeeds.available(folder).ifPresent(free -> {
            long there = held.checkpoints().list().size() * needs.checkpoint();
            if (free + there < needs.run()) {
                progress.note("files: up to " + MemoryCheck.size(needs.run()) + " will be written, "
                        + MemoryCheck.size(needs.checkpoint()) + " a checkpoint, and "
                        + MemoryCheck.size(free) + " are free in " + folder
                        + "; free some, or the run will stop at a checkpoint");
            }
        });
    }

    private RunMemory memory(ModelConfig stored) {
        return RunMemory.of(config, stored, filePrompts());
    }

    /** How a run that is under way is given other options, none of which changes what a step reads. */
    private String asChanges(Map<String, Object> options) {
        return options.entrySet().stream()
                        .map(option -> "\"" + option.getKey() + ": " + option.getValue() + "\"")
                        .collect(Collectors.joining(" and "))
                + " in " + folder.resolve(CONFIG)
                + " (then resume with --accept-config)";
    }

    // ---------------------------------------------------------------------------------------------- data

    /** Makes the tokens of those texts that have none yet; whether there were any. */
    private boolean prepare(PrintWriter err) {
        try (Interruption _ =
                Interruption.ending(err, "interrupted while texts were prepared, which goes on with: " + goOn())) {
            return texts.prepare(err);
        }
    }

    private Trainer.Corpus corpus() {
        SequencedMap<String, TokenSource> heldOut = texts.heldOut();
        int sequence = config.length().sequenceLength(model.maxPositions());
        return new Trainer.Corpus(
                texts.sequences(sequence, config.length()), heldOut, tokenizer, prompts(heldOut), taught());
    }

    /** What was kept of a teacher for each source of training text. */
    private Map<String, TeacherCache> taught() {
        List<TeacherCache> caches = caches();
        if (caches.isEmpty()) {
            return Map.of();
        }
        Map<String, TeacherCache> taught = new LinkedHashMap<>();
        texts.trained().forEach((name, text) -> taught.put(name, TeacherCache.of(text, caches)));
        caches.stream()
                .filter(cache -> !taught.containsValue(cache))
                .findFirst()
                .ifPresent(cache -> {
                    throw new UserException(
                            cache + ": was made for other tokens than those that the run reads; leave it"
                                    + " out, or give the --data that it was made for");
                });
        return taught;
    }

    private List<TeacherCache> caches() {
        int sequence = config.length().sequenceLength(model.maxPositions());
        return config.regularisation().teacherCache().stream()
                .map(folder -> TeacherCache.open(
                        Path.of(folder),
                        model.vocabularySize(),
                        sequence,
                        config.regularisation().temperature()))
                .toList();
    }

    /** Tokens of a text's beginning that are a prompt, so that as many may follow. */
    private int beginning() {
        return RunMemory.beginning(model);
    }

    private List<Prompt> prompts(Map<String, TokenSource> heldOut) {
        if (config.watching().sampleEvery() == 0 || config.watching().samplePrompts() != null) {
            return filePrompts();
        }
        return heldOut.entrySet().stream()
                .map(text -> Prompt.beginning(text.getKey(), text.getValue(), tokenizer, beginning()))
                .toList();
    }

    // ---------------------------------------------------------------------------------------------- training

    /** Trains to the end, or until a signal comes, and gives the exit code. */
    int train(CommandLine command, boolean json) {
        PrintWriter err = command.getErr();
        Trainer.Outcome outcome = train(err);
        if (json) {
            Map<String, Object> result = new LinkedHashMap<>();
            result.put("run", folder.toString());
            result.put("step", outcome.step());
            result.put("interrupted", outcome.interrupted());
            result.put("held_out", new Closing(metrics()).texts());
            command.getOut().println(Output.json(result));
        } else if (!outcome.interrupted()) {
            command.getOut().println(folder.resolve("final"));
        }
        return outcome.interrupted() ? Interruption.EXIT_CODE : 0;
    }

    /** Trains to the end, or until a signal comes. */
    public Trainer.Outcome train(PrintWriter err) {
        EngineOptions chosen = config.engine();
        try (progress) {
            Trainer.Outcome outcome;
            Watchers watchers = new Watchers(progress, held::isHeld);
            try (Interruption _ = Interruption.ending(
                            err, "interrupted while the model was loaded; nothing is lost; go on with: " + goOn());
                    Engine engine =
                            Engines.open(chosen.engine(), chosen.device(), chosen.threads(), chosen.precision());
                    Trainer trainer = new Trainer(engine, held, config, corpus(), watchers);
                    RequestSignals _ = new RequestSignals(trainer::ask)) {
                if (chosen.engine().equals(Engines.AUTO)) {
                    progress.say(Engines.choice(engine));
                }
                if (resumed && trainer.step() == 0) {
                    progress.note("there is no checkpoint yet: beginning again, from " + data.model());
                }
                ModelConfig stored = trainer.weights().config();
                Regime regime = new Regime(
                        config,
                        stored,
                        trainer.weights().layout(),
                        texts.summaries(),
                        texts.evaluated(),
                        trainer.sequencesPerEpoch(),
                        trainer.totalSteps(),
                        memory(stored).plan(config),
                        available);
                regime.lines().forEach(progress::note);
                checkDisk(memory(stored), trainer.totalSteps() - trainer.step());
                progress.begin(
                        trainer.step(),
                        trainer.totalSteps(),
                        new Progress.Work(regime.flopsPerToken(), Machine.cpuPeak(engine, chosen.threads())));
                try (watchers;
                        Interruption _ = Interruption.stopping(
                                err,
                                () -> {
                                    trainer.stop();
                                    progress.note(
                                            "stopping; what is done is saved first, unless a second signal ends it"
                                                    + " at once");
                                },
                                "ended at once; the checkpoints are whole; go on from the last one with: " + goOn())) {
                    watch(watchers, trainer.step());
                    trainer.tell(Environment.of(engine, model));
                    outcome = trainer.run();
                }
            } catch (UserException e) {
                progress.failed(e.getMessage());
                throw e;
            } finally {
                progress.end();
            }
            if (outcome.interrupted()) {
                progress.say(
                        outcome.step() == 0
                                ? "interrupted before the first step was done; begin again with: " + goOn()
                                : "interrupted after step " + outcome.step() + "; everything is saved; go on with: "
                                        + goOn());
            } else {
                new Closing(metrics()).lines().forEach(progress::say);
                String last = Shell.word(folder.resolve("final"));
                progress.say("next: whirlwind generate --model " + last + " --prompt \"...\"");
                progress.say("next: whirlwind eval --before " + Shell.word(data.model()) + " --after " + last
                        + " --data TEXT");
            }
            return outcome;
        }
    }

    private Path metrics() {
        return folder.resolve("metrics.jsonl");
    }

    /** @param step the steps that are done */
    private void watch(Watchers watchers, long step) {
        List<String> forms = config.watching().logTo();
        String name = folder.getFileName().toString();
        watchers.add(
                () -> new LiveReport(folder.resolve("report.html"), RunHistory.read(folder, name, config.toMap())));
        if (forms.contains(WatchingOptions.TENSORBOARD)) {
            watchers.add(() -> new TensorBoard(folder.resolve("tensorboard"), step, ConfigFile.yaml(config.toMap())));
        }
        if (forms.contains(WatchingOptions.CSV)) {
            watchers.add(() -> new CsvLog(folder.resolve("metrics.csv"), step));
        }
    }

    private String goOn() {
        return "whirlwind resume " + Shell.word(folder);
    }

    @Override
    public void close() {
        progress.close();
        held.close();
    }

    Path folder() {
        return folder;
    }

    private static String absolute(String path) {
        return Path.of(path).toAbsolutePath().normalize().toString();
    }
}
