package dev.whirlwind.cli;

import dev.whirlwind.cli.evaluation.Result;
import dev.whirlwind.cli.run.Run;
import dev.whirlwind.cli.shared.EngineOptions;
import dev.whirlwind.cli.shared.Models;
import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.cli.terminal.Interruption;
import dev.whirlwind.cli.terminal.Table;
import dev.whirlwind.data.EvaluationWindows;
import dev.whirlwind.data.EvaluationWindows.Convention;
import dev.whirlwind.data.Preparation;
import dev.whirlwind.data.TokenDataset;
import dev.whirlwind.data.sources.JdkCorpus;
import dev.whirlwind.data.tokenizers.ByteTokenizer;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Sampler;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.evaluation.Evaluation;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "demo",
        description = {
            "Shows the main job in a few minutes, on text that every JDK brings: pre-trains a small model on the"
                    + " English of the JDK's Javadoc, continues it on the JDK's Java code with a part of the English mixed"
                    + " in, and measures both before and after.",
            "The same seed, engine and machine give the same figures again."
        })
final class DemoCommand implements Callable<Integer> {
    /** So small a batch makes many steps of few tokens, which is what a short run learns most from. */
    private static final int BATCH = 2;

    private static final int SEQUENCE = 256;
    private static final int TOKENS_PER_STEP = BATCH * SEQUENCE;
    private static final double REPLAY_FRACTION = 0.5;
    private static final int SAMPLE_TOKENS = 240;
    private static final String PROMPT = "    public static int ";
    private static final long SEED = 1234;

    /** Bytes of each text, and the fraction of its files that is held out, of which so many windows are measured. */
    private static final long CORPUS = 1_500_000;

    /** When only a part of all is done. */
    private static final long LEAST_CORPUS = 100_000;

    private static final double HELD_OUT = 0.05;
    private static final int MEASURED_WINDOWS = 160;

    /** The sources of a JDK have no copies that would matter; its documented figures are with all of them. */
    private static final Preparation.Options PREPARING =
            Preparation.Options.of(HELD_OUT, SEED).with(Preparation.Deduplication.NONE);

    /** How much is trained on prose, then on code, in tokens, which are bytes. */
    private record Size(long general, long code) {}

    private static final Size FULL = new Size(750_000, 400_000);
    private static final Size QUICK = new Size(140_000, 90_000);

    @Spec
    private CommandSpec spec;

    @Option(names = "--quick", description = "Train less, for about a minute.")
    private boolean quick;

    /** What would take minutes can be tried in seconds, by tests. */
    @Option(names = "--fraction", hidden = true, defaultValue = "1", description = "Do this part of all only.")
    private double fraction;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description = "Where everything is kept. Default: runs/demo, or runs/demo-2 and so on where that exists.")
    private Path out;

    @Mixin
    private EngineOptions engines;

    @Mixin
    private Output output;

    /** What a model makes of both texts, and of a prompt. */
    private record Measured(Path model, Result prose, Result code, String sample) {}

    @Override
    public Integer call() {
        PrintWriter err = spec.commandLine().getErr();
        Path folder = out == null ? unused() : out;
        Models.requireEmpty(folder);
        // While one of its runs trains, that is stopped and saved instead.
        try (Interruption _ = Interruption.ending(
                err, "interrupted; the demo begins anew the next time; what there is of this one is in " + folder)) {
            return demonstrate(folder, err);
        }
    }

    private int demonstrate(Path folder, PrintWriter err) {
        long start = System.nanoTime();
        Size size = quick ? QUICK : FULL;
        Tokenizer tokenizer = new ByteTokenizer();

        Path sources = JdkCorpus.findSources();
        err.println("text: " + sources);
        Path prose = folder.resolve("text/prose");
        Path code = folder.resolve("text/code");
        long bytes = Math.max(LEAST_CORPUS, part(CORPUS));
        PrepareCommand.prepare(JdkCorpus.prose(sources, bytes), tokenizer, PREPARING, prose, err);
        PrepareCommand.prepare(JdkCorpus.code(sources, bytes), tokenizer, PREPARING, code, err);
        Path fresh = folder.resolve("fresh");
        InitCommand.write(fresh, ModelConfig.preset("byte-tiny"), Optional.of(tokenizer), SEED, DType.F32);

        Path general = folder.resolve("general");
        Path continued = folder.resolve("continued");
        if (train(options(fresh, prose, general, 2e-3, size.general()), "pre-train on prose", err)) {
            return Interruption.EXIT_CODE;
        }
        Measured before = measure(general.resolve("final"), prose, code);
        TrainConfig continuation = options(general.resolve("final"), code, continued, 1e-3, size.code())
                .with(Map.of("replay", List.of(prose.toString()), "replay_fraction", REPLAY_FRACTION), "demo");
        if (train(continuation, "continue on code", err)) {
            return Interruption.EXIT_CODE;
        }
        Measured after = measure(continued.resolve("final"), prose, code);
        double seconds = (System.nanoTime() - start) * 1e-9;
        if (output.isJson()) {
            spec.commandLine().getOut().println(Output.json(json(folder, before, after, seconds)));
        } else {
            print(folder, before, after, seconds);
        }
        return 0;
    }

    /** Whether it was interrupted. */
    private static boolean train(TrainConfig options, String name, PrintWriter err) {
        try (Run run = Run.create(options, name, err)) {
            return run.train(err).interrupted();
        }
    }

    private static Path unused() {
        Path folder = Path.of("runs", "demo");
        for (int i = 2; Files.exists(folder); i++) {
            folder = Path.of("runs", "demo-" + i);
        }
        return folder;
    }

    private long part(long whole) {
        return Math.max(1, Math.round(whole * fraction));
    }

    private TrainConfig options(Path model, Path data, Path run, double lr, long tokens) {
        Map<String, Object> options = new LinkedHashMap<>();
        options.put("model", model.toString());
        options.put("data", List.of(data.toString()));
        options.put("out", run.toString());
        options.put("batch", BATCH);
        options.put("sequence", SEQUENCE);
        options.put("steps", part(tokens / TOKENS_PER_STEP));
        options.put("lr", lr);
        options.put("warmup", 0.05);
        options.put("eval_every", 0);
        options.put("eval_windows", part(40));
        options.put("seed", SEED);
        options.put("engine", engines.name());
        options.put("device", engines.device());
        options.put("threads", engines.given());
        return TrainConfig.of(options, "demo");
    }

    private Measured measure(Path folder, Path prose, Path code) {
        ModelConfig config = ModelFolder.config(folder);
        Tokenizer tokenizer = Models.tokenizer(folder, config, note -> {});
        try (Engine engine = engines.open()) {
            Parameters weights =
                    Models.load(engine, folder, config, spec.commandLine().getErr());
            Transformer model = Transformer.forEvaluation(engine, weights, BATCH, SEQUENCE);
            StringBuilder sample = new StringBuilder(PROMPT);
            GenerateCommand.generate(
                    engine,
                    weights,
                    tokenizer,
                    PROMPT,
                    (int) part(SAMPLE_TOKENS),
                    new Sampler(0.7, 0, 0.95, SEED),
                    sample::append);
            return new Measured(
                    folder,
                    evaluate(folder, model, tokenizer, prose, "prose"),
                    evaluate(folder, model, tokenizer, code, "code"),
                    sample.toString());
        }
    }

    private Result evaluate(Path folder, Transformer model, Tokenizer tokenizer, Path text, String name) {
        TokenDataset heldOut = TokenDataset.open(
                text, TokenDataset.VALID, model.weights().config().vocabularySize());
        EvaluationWindows windows =
                new EvaluationWindows(heldOut, SEQUENCE, Convention.OVERLAPPING, (int) part(MEASURED_WINDOWS));
        return Result.of(folder.toString(), name, Evaluation.of(model, windows), windows.bytes(tokenizer));
    }

    private static Map<String, Object> json(Path folder, Measured before, Measured after, double seconds) {
        List<Result> results = new ArrayList<>();
        for (Measured measured : List.of(before, after)) {
            results.add(measured.prose());
            results.add(measured.code());
        }
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("folder", folder.toString());
        json.put("seconds", seconds);
        json.put("results", results);
        return json;
    }

    private void print(Path folder, Measured before, Measured after, double seconds) {
        PrintWriter out = spec.commandLine().getOut();
        out.printf("%nHeld-out text, before and after continuing on code (lower is better):%n%n");
        Table table =
                new Table("text", "bytes", "perplexity before", "after", "bits per byte before", "after", "change");
        row(table, "prose (general)", before.prose(), after.prose());
        row(table, "code (new domain)", before.code(), after.code());
        table.print(out);
        out.printf("%nBefore, continuing \"%s\":%n%s%n", PROMPT.strip(), indented(before.sample()));
        out.printf("%nAfter:%n%s%n", indented(after.sample()));
        out.printf(
                "%n%.0f seconds. Everything is in %s; the model before is %s, after is %s.%n",
                seconds, folder, before.model(), after.model());
        out.printf("""
                %nNow with your own model and text:
                  ./whirlwind train --model path/to/model --data path/to/texts --out runs/mine
                  ./whirlwind eval --model path/to/model runs/mine/final --data path/to/held-out-texts
                  ./whirlwind generate --model runs/mine/final --prompt "Once"
                """);
        out.printf("%nHow the continuation went, for a browser: %s%n", folder.resolve("continued/report.html"));
    }

    private static void row(Table table, String name, Result before, Result after) {
        table.row(
                name,
                "%,d".formatted(before.predicted()),
                "%.3f".formatted(before.perplexity()),
                "%.3f".formatted(after.perplexity()),
                "%.3f".formatted(before.bitsPerByte()),
                "%.3f".formatted(after.bitsPerByte()),
                "%+.1f %%".formatted(100 * (after.bitsPerByte() / before.bitsPerByte() - 1)));
    }

    private static String indented(String text) {
        return text.lines()
                .map(line -> "  | " + line)
                .reduce((a, b) -> a + "\n" + b)
                .orElse("");
    }
}
