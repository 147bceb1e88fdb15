package dev.whirlwind.cli.run;

import dev.whirlwind.cli.shared.EngineOptions;
import dev.whirlwind.cli.shared.Models;
import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.cli.shared.Pages;
import dev.whirlwind.cli.shared.Texts;
import dev.whirlwind.cli.terminal.Interruption;
import dev.whirlwind.cli.terminal.Table;
import dev.whirlwind.data.ShuffledSequences;
import dev.whirlwind.data.TokenDataset;
import dev.whirlwind.data.TrainingSequences;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Saving;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.training.config.Range;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.optimizers.Optimizer;
import dev.whirlwind.training.optimizers.RateFactors;
import dev.whirlwind.training.optimizers.RateSweep;
import dev.whirlwind.training.report.LiveReport;
import dev.whirlwind.training.report.RatesPage;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "lr-find",
        sortOptions = false,
        description = {
            "Looks for a learning rate: trains a copy of the model or adapter, in memory only, for a few steps while the rate rises"
                    + " exponentially, until the loss explodes (Smith, arXiv 1506.01186).",
            "The suggestion is a peak for a short run of batches of this size: of the rate where the loss falls fastest and a"
                    + " tenth of that where it is lowest, the smaller one. Nothing but a page with the curve is written."
        })
public final class LrFindCommand implements Callable<Integer> {
    private static final int ROWS = 16;

    /** Fewer points are no curve. */
    private static final int LEAST_STEPS = 10;

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--model",
            required = true,
            paramLabel = "DIR",
            description = "The model or adapter to train a copy of.")
    private Path model;

    @Option(names = "--data", required = true, paramLabel = "PATH", description = "Text to train on; prepared or not.")
    private Path data;

    @Option(
            names = "--from",
            paramLabel = "X",
            defaultValue = "1e-7",
            description = "First rate. Default: ${DEFAULT-VALUE}.")
    private double from;

    @Option(names = "--to", paramLabel = "X", defaultValue = "1", description = "Last rate. Default: ${DEFAULT-VALUE}.")
    private double to;

    @Option(
            names = "--steps",
            paramLabel = "N",
            defaultValue = "100",
            description = "Steps. Default: ${DEFAULT-VALUE}.")
    private int steps;

    @Option(
            names = "--batch",
            paramLabel = "N",
            defaultValue = "8",
            description = "Sequences a step. Default: ${DEFAULT-VALUE}.")
    private int batch;

    @Option(
            names = "--sequence",
            paramLabel = "TOKENS",
            defaultValue = "0",
            description = "Tokens of a sequence; 0 for the model's longest, 1024 at most. Default: ${DEFAULT-VALUE}.")
    private int sequence;

    @Option(
            names = "--report",
            paramLabel = "FILE",
            defaultValue = "lr-find.html",
            description = "The page to write, with the curve. Default: ${DEFAULT-VALUE} in the working folder.")
    private Path report;

    @Mixin
    private EngineOptions engines;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        Range.LEARNING_RATE.check("--from", from);
        Range.LEARNING_RATE.check("--to", to);
        Range.require(to > from, "--to", to, "above --from");
        Range.require(steps >= LEAST_STEPS, "--steps", steps, LEAST_STEPS + " or more");
        Range.ONE_OR_MORE.check("--batch", batch);
        Range.SEQUENCE.check("--sequence", sequence);
        Pages.require(report, "--report");
        PrintWriter err = spec.commandLine().getErr();
        ModelConfig config = ModelFolder.config(model);
        Tokenizer tokenizer = Models.tokenizer(model, config, err::println);
        int length = Models.sequence(config, sequence);
        engines.memory()
                .requireTraining(
                        config,
                        Map.of("model", model.toString(), "batch", batch, "sequence", length),
                        Set.of("batch", "sequence"),
                        0);
        TrainingSequences sequences = new ShuffledSequences(
                Texts.open(data, TokenDataset.TRAIN, tokenizer, config.vocabularySize(), err::println),
                length,
                TrainConfig.DEFAULTS.data().seed());
        RateSweep sweep = new RateSweep(from, to, steps);
        try (Interruption _ = Interruption.ending(err, "interrupted; nothing was written");
                Engine engine = engines.open()) {
            engines.announce(engine, err);
            Parameters weights = Models.load(engine, model, config, err);
            // Of an adapter's folder that is what is trained.
            RateFactors factors = TrainConfig.of(Map.of("model", model.toString()), "command line")
                    .factors(weights.layout());
            Transformer transformer =
                    Transformer.forTraining(engine, weights, batch, length, Saving.NOTHING, factors::trains);
            if (TrainConfig.DEFAULTS.data().documentMask().applies(config, tokenizer.endOfText(), false)) {
                transformer.maskDocuments(tokenizer.endOfText().id());
            }
            Optimizer optimizer = new Optimizer(
                    engine,
                    transformer,
                    TrainConfig.DEFAULTS.optimizer().rule(),
                    factors,
                    TrainConfig.DEFAULTS.optimizer().clip());
            train(transformer, optimizer, sequences, sweep);
        }
        write(sweep, length);
        print(sweep);
        return 0;
    }

    private void write(RateSweep sweep, int length) {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("model", model);
        facts.put("data", data);
        facts.put("optimizer", TrainConfig.DEFAULTS.optimizer().optimizer());
        facts.put("sequences a step", batch);
        facts.put("tokens of a sequence", length);
        facts.put("steps", sweep.result().points().size());
        facts.put("rates", from + " to " + to);
        LiveReport.write(report, RatesPage.of(sweep.result(), facts));
        spec.commandLine().getErr().println("the curve is in " + report);
    }

    private void train(Transformer transformer, Optimizer optimizer, TrainingSequences sequences, RateSweep sweep) {
        transformer.inputs().lossScale = 1f / (batch * transformer.sequence());
        for (int step = 0; step < steps && !sweep.hasExploded(); step++) {
            transformer.inputs().step = step;
            sequences.fill(
                    (long) step * batch, batch, batch, transformer.inputs().tokens, transformer.inputs().targets);
            double loss = transformer.forwardBackward() / ((double) batch * transformer.sequence());
            sweep.add(loss);
            if (!sweep.hasExploded()) {
                optimizer.update(sweep.rate(step), optimizer.gradientNorm());
            }
        }
    }

    private void print(RateSweep sweep) {
        PrintWriter out = spec.commandLine().getOut();
        if (output.isJson()) {
            out.println(Output.json(sweep.result()));
            return;
        }
        RateSweep.Result result = sweep.result();
        Table table = new Table("lr", "loss, smoothed", "");
        double low = result.points().stream()
                .mapToDouble(RateSweep.Point::smoothed)
                .min()
                .orElse(0);
        double high = result.points().getFirst().smoothed();
        int every = Math.ceilDiv(result.points().size(), ROWS);
        for (int i = 0; i < result.points().size(); i += every) {
            RateSweep.Point point = result.points().get(i);
            double height = Math.clamp((point.smoothed() - low) / Math.max(1e-9, high - low), 0, 1.5);
            table.row(
                    "%.2e".formatted(point.lr()),
                    "%.4f".formatted(point.smoothed()),
                    "#".repeat(1 + (int) (20 * height)));
        }
        table.print(out);
        out.printf(
                "falls fastest at %.2e, lowest at %.2e; suggested: --lr %.1e%n",
                result.steepest(), result.lowest(), result.suggested());
    }
}
