package dev.whirlwind.cli;

import dev.whirlwind.cli.shared.EngineOptions;
import dev.whirlwind.cli.shared.MemoryCheck;
import dev.whirlwind.cli.shared.Models;
import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.cli.shared.Texts;
import dev.whirlwind.cli.terminal.Table;
import dev.whirlwind.data.EvaluationWindows;
import dev.whirlwind.data.EvaluationWindows.Convention;
import dev.whirlwind.data.TokenDataset;
import dev.whirlwind.data.TokenSource;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.evaluation.Comparison;
import dev.whirlwind.training.evaluation.Evaluation;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "eval",
        description = {
            "Measures how well models predict texts: perplexity and bits per byte.",
            "Several models are compared with the first: the difference, its 95 %% interval and its p-value."
        })
final class EvalCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(names = "--model", required = true, arity = "1..*", paramLabel = "DIR", description = "Model folders.")
    private List<Path> models;

    @Option(
            names = "--data",
            required = true,
            arity = "1..*",
            paramLabel = "PATH",
            description =
                    "Texts: files, folders, zips or jsonl, read whole; or prepared folders, of which --split is read."
                            + " Each is measured for itself.")
    private List<Path> data;

    @Option(
            names = "--split",
            paramLabel = "SPLIT",
            defaultValue = TokenDataset.VALID,
            description = "What is read of a prepared folder: train or valid. Default: ${DEFAULT-VALUE}.")
    private String split;

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

    @Option(
            names = "--windows",
            paramLabel = "KIND",
            defaultValue = "overlapping",
            description =
                    "overlapping: every token but the text's first is predicted once (the default); separate: nor is"
                            + " the first of each window, as many published figures have it.")
    private Convention windows;

    @Mixin
    private EngineOptions engines;

    @Mixin
    private Output output;

    /** A row of the table; see DESIGN for the JSON. */
    record Result(
            String model,
            String data,
            long tokens,
            long predicted,
            double meanNll,
            double perplexity,
            double bitsPerByte) {
        static Result of(String model, String data, Evaluation e, double bytes) {
            return new Result(
                    model, data, e.tokens(), e.predicted(), e.meanNll(), e.perplexity(), e.bitsPerByte(bytes));
        }
    }

    /**
     * How a model compares with the first one; the difference is in nats per token, below 0 when it is better. Interval
     * and p-value are null when the text is too small to tell.
     */
    record Compared(
            String model,
            String against,
            String data,
            double difference,
            Double low,
            Double high,
            Double pValue,
            boolean significant,
            int parts,
            String unit) {
        static Compared of(String model, String against, String data, Comparison c) {
            return new Compared(
                    model,
                    against,
                    data,
                    c.difference(),
                    known(c.low()),
                    known(c.high()),
                    known(c.pValue()),
                    c.significant(),
                    c.parts(),
                    c.unit().name().toLowerCase(Locale.ROOT));
        }

        private static Double known(double value) {
            return Double.isNaN(value) ? null : value;
        }
    }

    private record Report(List<Result> results, List<Compared> comparisons) {}

    private record Measured(
            Path model, Tokenizer tokenizer, int sequence, List<Evaluation> evaluations, List<Result> results) {
        boolean comparable(Measured other) {
            return sequence == other.sequence && Arrays.equals(tokenizer.fingerprint(), other.tokenizer.fingerprint());
        }
    }

    @Override
    public Integer call() {
        if (!split.equals(TokenDataset.TRAIN) && !split.equals(TokenDataset.VALID)) {
            throw new UsageException("--split " + split + ": choose train or valid");
        }
        if (batches != null) {
            maxWindows = (int) Math.min(Integer.MAX_VALUE, 8L * batches);
        }
        if (batch < 1 || maxWindows < 0 || sequence < 0 || sequence == 1) {
            throw new UsageException("--batch must be 1 or more, --max-windows 0 or more, --sequence 0 or at least 2");
        }
        // What is wrong with the last model is told before the first is computed.
        for (Path model : models) {
            ModelConfig config = ModelConfig.read(model);
            Models.tokenizer(model, config, note -> {});
            ModelConfig stored = HuggingFace.check(model, config);
            int length = length(config);
            config.requirePositions(length);
            MemoryCheck.now().requireEvaluation(stored, batch, length);
        }
        List<Measured> measured = models.stream().map(this::measure).toList();
        List<Result> results =
                measured.stream().flatMap(one -> one.results().stream()).toList();
        List<Compared> comparisons = comparisons(measured);
        if (output.isJson()) {
            spec.commandLine().getOut().println(Output.json(new Report(results, comparisons)));
        } else {
            print(results, comparisons);
        }
        return 0;
    }

    private int length(ModelConfig config) {
        return sequence == 0 ? Math.min(config.maxPositions(), 1024) : sequence;
    }

    private Measured measure(Path model) {
        PrintWriter err = spec.commandLine().getErr();
        ModelConfig config = ModelConfig.read(model);
        Tokenizer tokenizer = Models.tokenizer(model, config, err::println);
        int length = length(config);
        List<TokenSource> sources = data.stream()
                .map(path -> Texts.open(path, split, tokenizer, config.vocabularySize(), err::println))
                .toList();
        // One engine per model: its memory goes back before the next is loaded.
        try (Engine engine = engines.open()) {
            Parameters weights = Models.load(engine, model, config, err);
            Transformer transformer = Transformer.forEvaluation(engine, weights, batch, length);
            engines.announce(engine, err);
            List<Evaluation> evaluations = new ArrayList<>();
            List<Result> results = new ArrayList<>();
            for (int i = 0; i < data.size(); i++) {
                EvaluationWindows text = new EvaluationWindows(sources.get(i), length, windows, maxWindows);
                Evaluation evaluation = Evaluation.of(transformer, text);
                if (!Double.isFinite(evaluation.meanNll())) {
                    throw new UserException(model + ": its loss on " + evaluation.data() + " is " + evaluation.meanNll()
                            + ": its weights are so large that computing with them overflows; take another checkpoint");
                }
                evaluations.add(evaluation);
                results.add(Result.of(model.toString(), data.get(i).toString(), evaluation, text.bytes(tokenizer)));
            }
            return new Measured(model, tokenizer, length, evaluations, results);
        }
    }

    private List<Compared> comparisons(List<Measured> measured) {
        List<Compared> comparisons = new ArrayList<>();
        Measured first = measured.getFirst();
        for (Measured one : measured.subList(1, measured.size())) {
            if (!one.comparable(first)) {
                spec.commandLine()
                        .getErr()
                        .println(one.model() + " and " + first.model()
                                + " do not share tokenizer and sequence length: compare their bits per byte only");
                continue;
            }
            for (int i = 0; i < data.size(); i++) {
                Comparison c = Comparison.of(
                        first.evaluations().get(i), one.evaluations().get(i));
                comparisons.add(Compared.of(
                        one.model().toString(),
                        first.model().toString(),
                        data.get(i).toString(),
                        c));
            }
        }
        return comparisons;
    }

    private void print(List<Result> results, List<Compared> comparisons) {
        PrintWriter out = spec.commandLine().getOut();
        Table table = new Table("model", "data", "tokens", "perplexity", "bits per byte", "mean nll");
        for (Result r : results) {
            table.row(
                    r.model(),
                    r.data(),
                    "%,d".formatted(r.predicted()),
                    "%.3f".formatted(r.perplexity()),
                    "%.4f".formatted(r.bitsPerByte()),
                    "%.4f".formatted(r.meanNll()));
        }
        table.print(out);
        for (Compared c : comparisons) {
            out.printf(
                    "%n%s against %s on %s: %+.4f nats per token (%s): %s%n",
                    c.model(), c.against(), c.data(), c.difference(), certainty(c), verdict(c));
        }
    }

    private static String certainty(Compared c) {
        boolean documents = c.unit().equals("documents");
        if (c.pValue() == null) {
            return "p unknown: too little text in too few " + (documents ? "documents" : "windows");
        }
        return "95 %% interval %+.4f to %+.4f, p = %.2g, over %d %s"
                .formatted(
                        c.low(),
                        c.high(),
                        c.pValue(),
                        c.parts(),
                        documents ? "documents" : "blocks of the text, as it has few documents");
    }

    private static String verdict(Compared c) {
        return c.pValue() == null
                ? "cannot be told, evaluate on more text"
                : !c.significant() ? "no significant difference" : c.difference() < 0 ? "better" : "worse";
    }
}
