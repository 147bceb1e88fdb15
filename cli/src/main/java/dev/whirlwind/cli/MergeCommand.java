package dev.whirlwind.cli;

import dev.whirlwind.cli.shared.EngineOptions;
import dev.whirlwind.cli.shared.Models;
import dev.whirlwind.cli.shared.NamedText;
import dev.whirlwind.cli.shared.Needs;
import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.cli.shared.Pages;
import dev.whirlwind.cli.shared.Texts;
import dev.whirlwind.cli.terminal.Table;
import dev.whirlwind.data.EvaluationWindows;
import dev.whirlwind.data.EvaluationWindows.Convention;
import dev.whirlwind.data.TokenDataset;
import dev.whirlwind.data.TokenSource;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Interpolation;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.files.WholeFile;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.config.Range;
import dev.whirlwind.training.evaluation.Evaluation;
import dev.whirlwind.training.report.LiveReport;
import dev.whirlwind.training.report.WeightsPage;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "merge",
        description = {
            "Makes a model between a base and what was trained from it, against forgetting.",
            "With --sweep it measures several such models on texts, and writes none."
        })
final class MergeCommand implements Callable<Integer> {
    private static final String GENERATION = "generation_config.json";

    @Spec
    private CommandSpec spec;

    @Option(names = "--base", required = true, paramLabel = "DIR", description = "The model before it was tuned.")
    private Path base;

    @Option(names = "--tuned", required = true, paramLabel = "DIR", description = "The model after.")
    private Path tuned;

    @Needs("--out")
    @Option(
            names = "--weight",
            paramLabel = "X",
            description = "Share of the tuned model: 0 is the base, 1 the tuned model.")
    private Double weight;

    @Needs("--weight")
    @Option(names = "--out", paramLabel = "DIR", description = "The new model folder.")
    private Path out;

    @Option(
            names = "--method",
            paramLabel = "HOW",
            defaultValue = "linear",
            description = "linear, or slerp: along the arc between each two tensors. Default: ${DEFAULT-VALUE}.")
    private Interpolation.Kind method;

    @Needs("--out")
    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            description = "Type of the saved weights: F32, BF16, F16 or F64. Default: the tuned model's.")
    private DType dtype;

    @Needs("--data")
    @Option(
            names = "--sweep",
            paramLabel = "X,X,...",
            split = ",",
            description = "Weights to measure, such as 0,0.25,0.5,0.75,1.")
    private List<Double> sweep = List.of();

    @Needs("--sweep")
    @Option(
            names = "--data",
            arity = "1..*",
            paramLabel = "NAME=PATH",
            description =
                    "Texts to measure on: files, folders, or prepared folders, of which the held-out part is read.")
    private List<String> data = List.of();

    @Needs(value = "--sweep", noted = true)
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
            description = "Windows that are computed at once. Default: ${DEFAULT-VALUE}.")
    private int batch;

    @Needs(value = "--sweep", noted = true)
    @Option(
            names = "--max-windows",
            paramLabel = "N",
            defaultValue = "0",
            description = "Most windows of each text to read, spread evenly over it; 0, the default, for all.")
    private int maxWindows;

    @Needs("--sweep")
    @Option(
            names = "--report",
            paramLabel = "FILE",
            description = "The page to draw the trade-off in. Default: sweep.html in the working folder.")
    private Path report;

    @Mixin
    private EngineOptions engines;

    @Mixin
    private Output output;

    /** What a model between the two makes of a text. */
    private record Point(
            double weight, String data, long predicted, double meanNll, double perplexity, double bitsPerByte) {}

    private record Sweep(String base, String tuned, String method, List<Point> results) {}

    @Override
    public Integer call() {
        if (sweep.isEmpty() == (out == null)) {
            throw new UsageException("give either --weight and --out DIR, to write a model, or --sweep and --data");
        }
        if (dtype != null && !dtype.convertible()) {
            throw new UsageException("--dtype " + dtype + " cannot hold weights; choose F32, BF16, F16 or F64");
        }
        Range.ONE_OR_MORE.check("--batch", batch);
        Range.NOT_NEGATIVE.check("--max-windows", maxWindows);
        Range.SEQUENCE.check("--sequence", sequence);
        for (Double x : sweep.isEmpty() ? List.of(weight) : sweep) {
            if (!(x >= 0 && x <= 1)) {
                throw new UsageException("a weight is " + x + "; it must be from 0, the base, to 1, the tuned model");
            }
        }
        try (Interpolation models = Interpolation.open(base, tuned)) {
            Optional<Tokenizer> tokenizer = tokenizer(models.config());
            if (out != null) {
                write(models, tokenizer);
            } else {
                sweep(models, tokenizer.orElseThrow());
            }
        }
        return 0;
    }

    /** Of both models: tokens must mean the same. One that is to be measured needs it. */
    private Optional<Tokenizer> tokenizer(ModelConfig config) {
        PrintWriter err = spec.commandLine().getErr();
        boolean none = config.vocabularySize() != 256 && !Tokenizer.isIn(base) && !Tokenizer.isIn(tuned);
        if (none && out != null) {
            return Optional.empty();
        }
        Tokenizer of = Models.tokenizer(tuned, config, err::println);
        Tokenizer before = Models.tokenizer(base, config, _ -> {});
        if (!Arrays.equals(of.fingerprint(), before.fingerprint())) {
            throw new UserException(
                    base + " and " + tuned + " have different tokenizers, so that their tokens do not mean"
                            + " the same; only a model and what was trained from it can be merged");
        }
        return Optional.of(of);
    }

    // ---------------------------------------------------------------------------------------------- one model

    private void write(Interpolation models, Optional<Tokenizer> tokenizer) {
        Models.requireEmpty(out);
        DType type = dtype == null ? models.dtype() : dtype;
        try {
            Storage.createFolders(out);
            models.save(out, method, weight, type, InitCommand.LARGEST_SHARD);
            tokenizer.ifPresent(present -> present.save(out));
            if (Files.exists(tuned.resolve(GENERATION))) {
                Storage.write(out.resolve(GENERATION), WholeFile.read(tuned.resolve(GENERATION), WholeFile.SETTINGS));
            }
            Storage.sync(out);
        } catch (UserException e) {
            // The folder was empty; a part of a model in it would pass for one.
            Models.delete(out);
            throw e;
        } catch (IOException e) {
            throw new UserException(out + ": cannot be written (" + Reason.of(e) + "); choose another --out", e);
        }
        PrintWriter to = spec.commandLine().getOut();
        if (output.isJson()) {
            Map<String, Object> result = new LinkedHashMap<>();
            result.put("out", out.toString());
            result.put("weight", weight);
            result.put("method", method());
            result.put("dtype", type);
            to.println(Output.json(result));
        } else {
            to.println(out);
        }
    }

    private String method() {
        return method.name().toLowerCase(Locale.ROOT);
    }

    // ---------------------------------------------------------------------------------------------- several

    private void sweep(Interpolation models, Tokenizer tokenizer) {
        Path page = report == null ? Path.of("sweep.html") : report;
        Pages.require(page, "--report");
        PrintWriter err = spec.commandLine().getErr();
        ModelConfig config = models.config();
        int length = Models.sequence(config, sequence);
        engines.memory().requireEvaluation(config, batch, length);
        Map<String, EvaluationWindows> texts = new LinkedHashMap<>();
        for (NamedText named : NamedText.of("--data", data)) {
            TokenSource text =
                    Texts.open(named.path(), TokenDataset.VALID, tokenizer, config.vocabularySize(), err::println);
            texts.put(named.name(), new EvaluationWindows(text, length, Convention.OVERLAPPING, maxWindows));
        }
        List<Point> points = new ArrayList<>();
        try (Engine engine = engines.open()) {
            engines.announce(engine, err);
            Parameters weights = new Parameters(engine, new ParameterLayout(config), "weights");
            Transformer transformer = Transformer.forEvaluation(engine, weights, batch, length);
            for (double x : sweep) {
                models.load(method, x, weights);
                texts.forEach((name, text) -> {
                    Evaluation e = Evaluation.of(transformer, text);
                    points.add(new Point(
                            x, name, e.predicted(), e.meanNll(), e.perplexity(), e.bitsPerByte(text.bytes(tokenizer))));
                });
            }
        }
        draw(page, points);
        if (output.isJson()) {
            spec.commandLine()
                    .getOut()
                    .println(Output.json(new Sweep(base.toString(), tuned.toString(), method(), points)));
        } else {
            print(points, new ArrayList<>(texts.keySet()));
        }
    }

    private void draw(Path page, List<Point> points) {
        SequencedMap<String, List<WeightsPage.Measured>> measured = new LinkedHashMap<>();
        points.forEach(point -> measured.computeIfAbsent(point.data(), _ -> new ArrayList<>())
                .add(new WeightsPage.Measured(point.weight(), point.perplexity(), point.bitsPerByte())));
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("base", base);
        facts.put("tuned", tuned);
        facts.put("method", method());
        facts.put("texts", String.join(", ", data));
        LiveReport.write(page, WeightsPage.of(measured, facts));
        spec.commandLine().getErr().println("the trade-off is drawn in " + page);
    }

    private void print(List<Point> points, List<String> names) {
        List<String> headings = new ArrayList<>(List.of("weight"));
        names.forEach(name -> headings.addAll(List.of(name + ": perplexity", "bits per byte")));
        Table table = new Table(headings.toArray(String[]::new));
        for (int i = 0; i < points.size(); i += names.size()) {
            List<String> cells =
                    new ArrayList<>(List.of(String.valueOf(points.get(i).weight())));
            for (Point point : points.subList(i, i + names.size())) {
                cells.add("%.3f".formatted(point.perplexity()));
                cells.add("%.4f".formatted(point.bitsPerByte()));
            }
            table.row(cells.toArray(String[]::new));
        }
        table.print(spec.commandLine().getOut());
    }
}
