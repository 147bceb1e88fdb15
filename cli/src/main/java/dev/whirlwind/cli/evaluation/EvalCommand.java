package dev.whirlwind.cli.evaluation;

import dev.whirlwind.cli.evaluation.EvalReport.Changed;
import dev.whirlwind.cli.evaluation.EvalReport.Compared;
import dev.whirlwind.cli.evaluation.EvalReport.Contaminated;
import dev.whirlwind.cli.evaluation.EvalReport.Memorised;
import dev.whirlwind.cli.evaluation.EvalReport.TaskCompared;
import dev.whirlwind.cli.evaluation.EvalReport.TaskResult;
import dev.whirlwind.cli.shared.EngineOptions;
import dev.whirlwind.cli.shared.Models;
import dev.whirlwind.cli.shared.NamedText;
import dev.whirlwind.cli.shared.Needs;
import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.cli.shared.Texts;
import dev.whirlwind.cli.shared.WeightsOption;
import dev.whirlwind.cli.terminal.WorkProgress;
import dev.whirlwind.data.EvaluationWindows;
import dev.whirlwind.data.EvaluationWindows.Convention;
import dev.whirlwind.data.TokenDataset;
import dev.whirlwind.data.TokenSource;
import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.training.config.Range;
import dev.whirlwind.training.evaluation.Comparison;
import dev.whirlwind.training.evaluation.Contamination;
import dev.whirlwind.training.evaluation.Evaluation;
import dev.whirlwind.training.tasks.Likelihoods;
import dev.whirlwind.training.tasks.Measure;
import dev.whirlwind.training.tasks.Memorisation;
import dev.whirlwind.training.tasks.Request;
import dev.whirlwind.training.tasks.Task;
import dev.whirlwind.training.tasks.TaskRun;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "eval",
        description = {
            "Measures how well models predict texts (perplexity and bits per byte), and how well they do in tasks.",
            "Several models are compared with the first: the difference, its 95 %% interval and its p-value."
        })
public final class EvalCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(names = "--model", arity = "1..*", paramLabel = "DIR", description = "Model folders.")
    private List<Path> models = List.of();

    @Option(
            names = "--before",
            paramLabel = "DIR",
            description =
                    "With --after, in place of --model: what became of each text between two models, with the 95 %%"
                            + " interval and the p-value of a paired bootstrap over documents.")
    private Path before;

    @Option(names = "--after", paramLabel = "DIR", description = "The model folder after training.")
    private Path after;

    @Option(
            names = "--data",
            arity = "1..*",
            paramLabel = "[NAME=]PATH",
            description =
                    "Texts: files, folders, zips or jsonl, read whole; or prepared folders, of which --split is read."
                            + " Each is measured for itself, under a name if one is given.")
    private List<String> data = List.of();

    @Needs(value = "--data", noted = true)
    @Option(
            names = "--split",
            paramLabel = "SPLIT",
            defaultValue = TokenDataset.VALID,
            description = "What is read of a prepared folder: train or valid. Default: ${DEFAULT-VALUE}.")
    private String split;

    @Needs(value = "--data", noted = true)
    @Option(
            names = "--sequence",
            paramLabel = "TOKENS",
            defaultValue = "0",
            description = "Tokens of a window; 0, the default, for the model's longest, 1024 at most.")
    private int sequence;

    @Option(
            names = "--batch",
            paramLabel = "N",
            defaultValue = "8",
            description =
                    "Windows that are computed at once; it changes speed and memory only. Default: ${DEFAULT-VALUE}.")
    private int batch;

    @Needs(value = "--data", noted = true)
    @Option(
            names = "--max-windows",
            paramLabel = "N",
            defaultValue = "0",
            description = "Most windows of each text to read, spread evenly over it; 0, the default, for all.")
    private int maxWindows;

    @Option(
            names = "--batches",
            paramLabel = "N",
            hidden = true,
            description = "The old name of --max-windows, which counts eight of them as one.")
    private Integer batches;

    @Needs(value = "--data", noted = true)
    @Option(
            names = "--windows",
            paramLabel = "KIND",
            defaultValue = "overlapping",
            description =
                    "overlapping: every token but the text's first is predicted once (the default); separate: nor is"
                            + " the first of each window, as many published figures have it.")
    private Convention windows;

    @Needs("--data")
    @Option(
            names = "--stride",
            paramLabel = "TOKENS",
            description =
                    "Windows slide by so many tokens and overlap: every token is predicted after at least --sequence"
                            + " less so many others. Means are added up as transformers' perplexity page does.")
    private Integer stride;

    @Option(
            names = "--memorised",
            paramLabel = "TEXT",
            description =
                    "Training text (or a prepared folder): how much of it a model knows by heart, by passages of 32"
                            + " tokens that it is to go on with for 32 more.")
    private Path memorised;

    @Needs("--memorised")
    @Option(
            names = "--passages",
            paramLabel = "N",
            defaultValue = "1000",
            description =
                    "Most passages that --memorised tries, spread evenly over the text. Default: ${DEFAULT-VALUE}.")
    private int passages;

    @Needs({"--data", "--task"})
    @Option(
            names = "--contamination",
            arity = "1..*",
            paramLabel = "TEXT",
            description =
                    "Training texts in which the documents of --data and the questions of --task are looked for, as a"
                            + " whole and by 13 words in a row.")
    private List<Path> contamination = List.of();

    @Needs("--task")
    @Option(
            names = "--predictions",
            paramLabel = "FILE",
            description = "Write each answer to a task into this file, a JSON object a line.")
    private Path predictions;

    @Mixin
    private WeightsOption weightsOption;

    @Mixin
    private TaskOptions tasks;

    @Mixin
    private EngineOptions engines;

    @Mixin
    private Output output;

    /** A model as far as it is looked at before any is computed with. */
    private record Prepared(Path model, ModelConfig config, Tokenizer tokenizer, int length, List<TaskRun> runs) {}

    private record Measured(
            Prepared prepared,
            List<Evaluation> evaluations,
            List<Result> results,
            List<List<Measure>> measures,
            Memorised memorised) {
        String model() {
            return prepared.model().toString();
        }

        boolean comparable(Measured other) {
            return prepared.length() == other.prepared.length()
                    && Arrays.equals(
                            prepared.tokenizer().fingerprint(),
                            other.prepared.tokenizer().fingerprint());
        }
    }

    @Override
    public Integer call() {
        PrintWriter err = spec.commandLine().getErr();
        checkUsage();
        List<NamedText> texts = NamedText.of("--data", data);
        requireSplit(texts);
        List<Path> all = before == null ? models : List.of(before, after);
        List<String> notes = new ArrayList<>();
        List<Task> questions = tasks.read(notes::add);
        // What is wrong with the last model is told before the first is computed.
        List<Prepared> prepared =
                all.stream().map(model -> prepare(model, questions, notes::add)).toList();
        notes.forEach(err::println);
        List<Contaminated> contaminated = contaminated(texts, questions);
        List<Measured> measured = new ArrayList<>();
        try (Predictions written = predictions == null ? null : new Predictions(predictions)) {
            for (Prepared model : prepared) {
                measured.add(measure(model, texts, written));
            }
        }
        EvalReport report = report(texts, questions, measured, contaminated);
        if (output.isJson()) {
            spec.commandLine().getOut().println(Output.json(report));
        } else {
            report.print(spec.commandLine().getOut());
        }
        return 0;
    }

    private void checkUsage() {
        if (before == null != (after == null) || before == null == models.isEmpty()) {
            throw new UsageException("give --model DIR..., or --before DIR and --after DIR");
        }
        if (data.isEmpty() && !tasks.given() && memorised == null) {
            throw new UsageException("give --data TEXT, --task FILE or --memorised TEXT, of what there is to measure");
        }
        if (!split.equals(TokenDataset.TRAIN) && !split.equals(TokenDataset.VALID)) {
            throw new UsageException("--split " + split + ": choose train or valid");
        }
        if (batches != null) {
            maxWindows = (int) Math.min(Integer.MAX_VALUE, 8L * batches);
        }
        Range.ONE_OR_MORE.check("--batch", batch);
        Range.NOT_NEGATIVE.check("--max-windows", maxWindows);
        Range.SEQUENCE.check("--sequence", sequence);
        Range.ONE_OR_MORE.check("--passages", passages);
        Range.ONE_OR_MORE.check("--stride", stride);
        if (stride != null && maxWindows > 0) {
            throw new UsageException("--stride reads a whole text; leave --max-windows out");
        }
        if (stride != null && windows == Convention.SEPARATE) {
            throw new UsageException("--stride makes windows of its own; leave --windows out");
        }
    }

    private void requireSplit(List<NamedText> texts) {
        boolean prepared = texts.stream().map(NamedText::path).anyMatch(TokenDataset::isPrepared);
        if (!split.equals(TokenDataset.VALID) && !prepared) {
            throw new UsageException("--split " + split
                    + " is what is read of a prepared folder, and none is given; leave it out, texts are read whole");
        }
    }

    private Prepared prepare(Path model, List<Task> questions, Consumer<String> notes) {
        ModelConfig config = ModelFolder.config(model);
        Tokenizer tokenizer = Models.tokenizer(model, config, note -> {});
        ModelConfig stored = ModelFolder.check(model, config);
        int length = Models.sequence(config, sequence);
        if (stride != null && stride > length) {
            throw new UsageException("--stride " + stride + " is more than the " + length
                    + " tokens of a window, so that tokens between windows would not be read; make it smaller");
        }
        if (!data.isEmpty()) {
            engines.memory().requireEvaluation(stored, batch, length, weightsOption.format());
        }
        if (memorised != null) {
            engines.memory().requireTask("--memorised", Likelihoods.bytes(stored, Memorisation.LENGTH, true));
            config.requirePositions(Memorisation.LENGTH);
        }
        List<TaskRun> runs = new ArrayList<>();
        for (Task task : questions) {
            TaskRun run = new TaskRun(task, tokenizer, config, tasks.generation(task));
            engines.memory().requireTask("the task " + task.name(), run.bytes());
            if (run.shortened() > 0) {
                notes.accept("%s: %,d prompts of %s have more tokens than the model's %,d positions; their beginnings"
                                .formatted(model, run.shortened(), task.name(), config.maxPositions())
                        + " are cut off");
            }
            runs.add(run);
        }
        return new Prepared(model, config, tokenizer, length, runs);
    }

    private Measured measure(Prepared prepared, List<NamedText> texts, Predictions written) {
        PrintWriter err = spec.commandLine().getErr();
        ModelConfig config = prepared.config();
        // Again, for what is odd about it.
        Tokenizer tokenizer = Models.tokenizer(prepared.model(), config, err::println);
        List<TokenSource> sources = texts.stream()
                .map(text -> Texts.open(text.path(), split, tokenizer, config.vocabularySize(), err::println))
                .toList();
        List<EvaluationWindows> windows = sources.stream()
                .map(source -> stride == null
                        ? new EvaluationWindows(source, prepared.length(), this.windows, maxWindows)
                        : EvaluationWindows.sliding(source, prepared.length(), stride))
                .toList();
        List<Request> byHeart = memorised == null
                ? List.of()
                : Memorisation.passages(
                        Texts.open(memorised, TokenDataset.TRAIN, tokenizer, config.vocabularySize(), err::println),
                        passages);
        // One engine per model: its memory goes back before the next is loaded.
        try (Engine engine = engines.open()) {
            Parameters weights = weightsOption.load(engine, prepared.model(), config, err);
            engines.announce(engine, err);
            List<Evaluation> evaluations = new ArrayList<>();
            List<Result> results = new ArrayList<>();
            if (!texts.isEmpty()) {
                Transformer transformer = Transformer.forEvaluation(engine, weights, batch, prepared.length());
                for (int i = 0; i < texts.size(); i++) {
                    Evaluation evaluation = evaluate(prepared.model(), transformer, windows.get(i));
                    evaluations.add(evaluation);
                    results.add(Result.of(
                            prepared.model().toString(),
                            texts.get(i).name(),
                            evaluation,
                            stride == null ? evaluation.meanNll() : evaluation.recipeNll(windows.get(i)),
                            windows.get(i).bytes(tokenizer)));
                }
            }
            List<List<Measure>> measures = new ArrayList<>();
            for (TaskRun run : prepared.runs()) {
                try (WorkProgress progress = new WorkProgress(err, run.task().name())) {
                    TaskRun.Answers answers = run.of(engine, weights, progress::done);
                    measures.add(answers.measures());
                    if (written != null) {
                        written.add(prepared.model(), run.task(), answers.answers());
                    }
                }
            }
            return new Measured(
                    prepared, evaluations, results, measures, memorised(prepared.model(), engine, weights, byHeart));
        }
    }

    private Evaluation evaluate(Path model, Transformer transformer, EvaluationWindows text) {
        Evaluation evaluation;
        try (WorkProgress progress = new WorkProgress(spec.commandLine().getErr(), "eval")) {
            evaluation = Evaluation.of(transformer, text, done -> progress.done(done, text.count()));
        }
        if (!Double.isFinite(evaluation.meanNll())) {
            throw new UserException(model + ": its loss on " + evaluation.data() + " is " + evaluation.meanNll()
                    + ": its weights are so large that computing with them overflows; take another checkpoint");
        }
        return evaluation;
    }

    private Memorised memorised(Path model, Engine engine, Parameters weights, List<Request> byHeart) {
        if (byHeart.isEmpty()) {
            return null;
        }
        try (WorkProgress progress = new WorkProgress(spec.commandLine().getErr(), "memorised")) {
            Memorisation found = Memorisation.of(
                    new Likelihoods(engine, weights, true), byHeart, done -> progress.done(done, byHeart.size()));
            return Memorised.of(model.toString(), memorised.toString(), found);
        }
    }

    private List<Contaminated> contaminated(List<NamedText> texts, List<Task> questions) {
        if (contamination.isEmpty()) {
            return null;
        }
        for (Path path : Stream.concat(texts.stream().map(NamedText::path), contamination.stream())
                .toList()) {
            if (TokenDataset.isPrepared(path)) {
                throw new UserException(
                        path
                                + ": holds tokens, and --contamination compares texts; give the texts that it was prepared from");
            }
        }
        Corpus training = Corpus.of(contamination);
        String name =
                String.join(", ", contamination.stream().map(Path::toString).toList());
        List<Contaminated> found = new ArrayList<>();
        for (NamedText text : texts) {
            found.add(Contaminated.of(text.name(), name, Contamination.of(Corpus.of(List.of(text.path())), training)));
        }
        for (Task task : questions) {
            found.add(Contaminated.of(task.name(), name, Contamination.of(task.documents(), training)));
        }
        return found;
    }

    // ---------------------------------------------------------------------------------------------- results

    private EvalReport report(
            List<NamedText> texts, List<Task> questions, List<Measured> measured, List<Contaminated> contaminated) {
        List<Compared> comparisons = new ArrayList<>();
        List<Changed> changes = new ArrayList<>();
        List<TaskCompared> taskComparisons = new ArrayList<>();
        Measured first = measured.getFirst();
        for (Measured one : measured.subList(1, measured.size())) {
            for (int task = 0; task < questions.size(); task++) {
                compareTask(first, one, questions.get(task).name(), task, taskComparisons);
            }
            if (!texts.isEmpty() && !one.comparable(first)) {
                spec.commandLine()
                        .getErr()
                        .println(one.model() + " and " + first.model()
                                + " do not share tokenizer and sequence length: compare their bits per byte only");
                continue;
            }
            for (int i = 0; i < texts.size(); i++) {
                String name = texts.get(i).name();
                Evaluation then = first.evaluations().get(i);
                Evaluation now = one.evaluations().get(i);
                Comparison comparison = Comparison.of(then, now);
                if (before == null) {
                    comparisons.add(Compared.of(one.model(), first.model(), name, comparison));
                } else {
                    changes.add(Changed.of(
                            name, first.results().get(i), one.results().get(i), comparison));
                }
            }
        }
        List<TaskResult> answers = new ArrayList<>();
        for (Measured one : measured) {
            for (int task = 0; task < questions.size(); task++) {
                for (Measure measure : one.measures().get(task)) {
                    answers.add(TaskResult.of(one.model(), questions.get(task).name(), measure));
                }
            }
        }
        return new EvalReport(
                measured.stream().flatMap(one -> one.results().stream()).toList(),
                comparisons,
                before == null || texts.isEmpty() ? null : changes,
                questions.isEmpty() ? null : answers,
                questions.isEmpty() || measured.size() < 2 ? null : taskComparisons,
                memorised == null
                        ? null
                        : measured.stream().map(Measured::memorised).toList(),
                contaminated);
    }

    private static void compareTask(
            Measured first, Measured one, String task, int number, List<TaskCompared> comparisons) {
        for (int i = 0; i < one.measures().get(number).size(); i++) {
            Measure then = first.measures().get(number).get(i);
            Measure now = one.measures().get(number).get(i);
            comparisons.add(TaskCompared.of(one.model(), first.model(), task, now.metric(), then.difference(now)));
        }
    }
}
