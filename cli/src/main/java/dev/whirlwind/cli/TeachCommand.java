package dev.whirlwind.cli;

import dev.whirlwind.cli.shared.EngineOptions;
import dev.whirlwind.cli.shared.Models;
import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.cli.shared.WeightsOption;
import dev.whirlwind.cli.terminal.Interruption;
import dev.whirlwind.cli.terminal.Shell;
import dev.whirlwind.cli.terminal.WorkProgress;
import dev.whirlwind.data.TokenDataset;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.training.checkpoints.Companions;
import dev.whirlwind.training.config.Range;
import dev.whirlwind.training.distillation.TeacherCacheWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "teach",
        sortOptions = false,
        description = {
            "Keeps a teacher's likeliest tokens, and their probabilities, for every place of a prepared text, so that train"
                    + " --teacher-cache learns them without the teacher.",
            "The probability of all other tokens is kept as one."
        })
final class TeachCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(names = "--model", required = true, paramLabel = "DIR", description = "The teacher.")
    private Path model;

    @Option(
            names = "--data",
            required = true,
            paramLabel = "DIR",
            description = "The folder, made by prepare, that train will be given as --data or --replay.")
    private Path data;

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "The new folder.")
    private Path out;

    @Option(
            names = "--top-k",
            paramLabel = "N",
            defaultValue = "64",
            description = "Tokens that are kept of each place. Default: ${DEFAULT-VALUE}.")
    private int top;

    @Option(
            names = "--temperature",
            paramLabel = "X",
            defaultValue = "2",
            description =
                    "What logits are divided by, as in train; the two must be the same. Default: ${DEFAULT-VALUE}.")
    private double temperature;

    @Option(
            names = "--sequence",
            paramLabel = "TOKENS",
            defaultValue = "0",
            description = "Tokens of a sequence, as in train; 0, the default, for the teacher's longest, 1024 at most.")
    private int sequence;

    @Option(
            names = "--batch",
            paramLabel = "N",
            defaultValue = "8",
            description = "Sequences that are computed at once. Default: ${DEFAULT-VALUE}.")
    private int batch;

    @Mixin
    private WeightsOption weightsOption;

    @Mixin
    private EngineOptions engines;

    @Mixin
    private Output output;

    /** What was kept. */
    private record Result(
            String out,
            String model,
            String data,
            long sequences,
            int sequence,
            int topK,
            double temperature,
            long bytes) {}

    @Override
    public Integer call() {
        Range.ONE_OR_MORE.check("--top-k", top);
        Range.ONE_OR_MORE.check("--batch", batch);
        Range.SEQUENCE.check("--sequence", sequence);
        if (!(temperature >= 0.01 && temperature <= 100)) {
            throw new UsageException("--temperature is " + temperature + "; it must be from 0.01 to 100");
        }
        PrintWriter err = spec.commandLine().getErr();
        ModelConfig config = ModelFolder.config(model).withDropout(0);
        if (top >= config.vocabularySize()) {
            throw new UsageException("--top-k is " + top + "; the model has " + config.vocabularySize()
                    + " tokens, and some must be left for the rest");
        }
        if (!TokenDataset.isPrepared(data)) {
            throw new UserException(
                    data + ": is not a prepared folder, in which a sequence has its place; make one with"
                            + " whirlwind prepare, and give it to train, too");
        }
        int length = Models.sequence(config, sequence);
        TokenDataset text = TokenDataset.open(data, TokenDataset.TRAIN, config.vocabularySize());
        text.requireTokenizer(Models.tokenizer(model, config, err::println));
        if (text.tokens() <= length) {
            throw new UserException(data + ": holds " + text.tokens() + " tokens, but one sequence of " + length
                    + " needs " + (length + 1) + "; give a shorter --sequence");
        }
        Models.requireEmpty(out);
        engines.memory().requireEvaluation(config, batch, length, weightsOption.format());
        TeacherCacheWriter writer;
        try (Interruption _ = Interruption.ending(err, "interrupted; " + out + " is of no use, and can be removed");
                Engine engine = engines.open()) {
            engines.announce(engine, err);
            Transformer teacher =
                    Transformer.forEvaluation(engine, weightsOption.load(engine, model, config, err), batch, length);
            writer = new TeacherCacheWriter(teacher, text, Companions.model(model), top, temperature);
            err.printf("%,d sequences of %d tokens: %,.1f MB%n", writer.sequences(), length, writer.bytes() * 1e-6);
            write(writer, err);
        }
        Result result = new Result(
                out.toString(),
                model.toString(),
                data.toString(),
                writer.sequences(),
                length,
                top,
                temperature,
                writer.bytes());
        if (output.isJson()) {
            spec.commandLine().getOut().println(Output.json(result));
        } else {
            err.println("next: whirlwind train --data " + Shell.word(data) + " --teacher-cache " + Shell.word(out)
                    + " --temperature " + temperature + " --sequence " + length + " ...");
            spec.commandLine().getOut().println(out);
        }
        return 0;
    }

    private void write(TeacherCacheWriter writer, PrintWriter err) {
        boolean existed = Files.exists(out);
        boolean done = false;
        try (WorkProgress progress = new WorkProgress(err, "teach")) {
            Storage.createFolders(out);
            writer.write(out, sequences -> progress.done((int) sequences, (int) writer.sequences()));
            done = true;
        } catch (IOException e) {
            throw new UserException(out + ": cannot be written (" + Reason.of(e) + "); make room, or name another", e);
        } finally {
            if (!done && !existed) {
                Models.delete(out);
            }
        }
    }
}
