package dev.whirlwind.cli;

import dev.whirlwind.cli.shared.EngineOptions;
import dev.whirlwind.cli.shared.Models;
import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.cli.shared.Texts;
import dev.whirlwind.cli.terminal.Interruption;
import dev.whirlwind.cli.terminal.Shell;
import dev.whirlwind.cli.terminal.WorkProgress;
import dev.whirlwind.data.ShuffledSequences;
import dev.whirlwind.data.TokenDataset;
import dev.whirlwind.data.TrainingSequences;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.checkpoints.Companions;
import dev.whirlwind.training.config.Range;
import dev.whirlwind.training.memory.MemoryNeeds;
import dev.whirlwind.training.optimizers.Fisher;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "fisher",
        sortOptions = false,
        description = {
            "Estimates how much a text depends on each weight of a model, for train --ewc, against forgetting: the diagonal of"
                    + " the empirical Fisher information.",
            "It is the mean over sequences of the squared gradient of a sequence's summed negative log-likelihood, per token."
        })
final class FisherCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(
            names = "--model",
            required = true,
            paramLabel = "DIR",
            description = "The model that a run will start from.")
    private Path model;

    @Option(
            names = "--data",
            required = true,
            arity = "1..*",
            paramLabel = "PATH",
            description =
                    "General text that is not to be forgotten; or one prepared folder, of which the training part is"
                            + " read.")
    private List<Path> data;

    @Option(names = "--out", required = true, paramLabel = "FILE", description = "The new safetensors file.")
    private Path out;

    @Option(
            names = "--sequences",
            paramLabel = "N",
            defaultValue = "512",
            description = "Sequences to read, drawn from all of the text. Default: ${DEFAULT-VALUE}.")
    private int sequences;

    @Option(
            names = "--sequence",
            paramLabel = "TOKENS",
            defaultValue = "0",
            description = "Tokens of a sequence; 0, the default, for the model's longest, 1024 at most.")
    private int sequence;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "1234",
            description = "Seed of the choice of sequences. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @Mixin
    private EngineOptions engines;

    @Mixin
    private Output output;

    /** What was estimated of what. */
    private record Result(String out, String model, long sequences, int sequence, double meanNll) {}

    @Override
    public Integer call() {
        Range.ONE_OR_MORE.check("--sequences", sequences);
        Range.SEQUENCE.check("--sequence", sequence);
        Path parent = out.toAbsolutePath().getParent();
        if (Files.exists(out) || !Files.isDirectory(parent)) {
            throw new UserException(
                    out + (Files.exists(out) ? " exists already; name a new file" : ": there is no folder " + parent));
        }
        PrintWriter err = spec.commandLine().getErr();
        ModelConfig config = ModelConfig.read(model).withDropout(0);
        Tokenizer tokenizer = Models.tokenizer(model, config, err::println);
        int length = Models.sequence(config, sequence);
        engines.memory().requireTask("fisher", MemoryNeeds.fisher(config, length));
        TrainingSequences texts = new ShuffledSequences(
                Texts.open(data, TokenDataset.TRAIN, tokenizer, config.vocabularySize(), err::println), length, seed);
        int count = (int) Math.min(sequences, texts.perEpoch());
        if (count < sequences) {
            err.printf("the text has %,d sequences of %d tokens; all are read%n", count, length);
        }
        double nll = 0;
        try (Interruption _ = Interruption.ending(err, "interrupted; nothing was written");
                Engine engine = engines.open()) {
            engines.announce(engine, err);
            Fisher fisher = new Fisher(engine, Models.load(engine, model, config, err), length);
            try (WorkProgress progress = new WorkProgress(err, "fisher")) {
                for (int i = 0; i < count; i++) {
                    texts.read(i, fisher.inputs().tokens, fisher.inputs().targets, 0);
                    nll += fisher.add();
                    progress.done(i + 1, count);
                }
            }
            fisher.write(out, Companions.model(model));
        }
        Result result = new Result(out.toString(), model.toString(), count, length, nll / ((double) count * length));
        if (output.isJson()) {
            spec.commandLine().getOut().println(Output.json(result));
        } else {
            err.printf(
                    "%,d sequences of %d tokens, %.4f nats a token; next: whirlwind train --model %s --ewc %s ...%n",
                    count, length, result.meanNll(), Shell.word(model), Shell.word(out));
            spec.commandLine().getOut().println(out);
        }
        return 0;
    }
}
