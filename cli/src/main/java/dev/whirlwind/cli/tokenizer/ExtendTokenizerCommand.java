package dev.whirlwind.cli.tokenizer;

import dev.whirlwind.cli.shared.Engines;
import dev.whirlwind.cli.shared.Models;
import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.cli.shared.PlanOption;
import dev.whirlwind.cli.shared.SourceOptions;
import dev.whirlwind.cli.terminal.Interruption;
import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.data.tokenizers.ExtensibleTokenizer;
import dev.whirlwind.data.tokenizers.training.TokenizerExtension;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.VocabularyExtension;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.files.WholeFile;
import dev.whirlwind.training.memory.MemoryNeeds;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "extend",
        description = {
            "Adds tokens that are learnt from the text of a new domain or language to a model and its tokenizer.",
            "Old tokens keep their ids; a new one begins as the mean of those that it is made of."
        })
final class ExtendTokenizerCommand implements Callable<Integer> {
    private static final long BYTES_PER_MB = 1_000_000;
    private static final long LARGEST_SHARD = 5_000_000_000L;
    private static final String GENERATION = "generation_config.json";

    @Spec
    private CommandSpec spec;

    @Option(names = "--model", required = true, paramLabel = "DIR", description = "The model folder.")
    private Path model;

    @Option(
            names = "--data",
            required = true,
            arity = "1..*",
            paramLabel = "PATH",
            description = "Text of the domain or language, as prepare takes it.")
    private List<Path> data;

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "The new model folder.")
    private Path out;

    @Option(
            names = "--add",
            paramLabel = "N",
            defaultValue = "2000",
            description = "New tokens. Default: ${DEFAULT-VALUE}.")
    private int add;

    @Option(
            names = "--min-frequency",
            paramLabel = "N",
            defaultValue = "2",
            description = "How often two tokens must stand together to become one. Default: ${DEFAULT-VALUE}.")
    private long minimumFrequency;

    @Option(
            names = "--limit",
            paramLabel = "MB",
            description = "Read no more documents after so much text. Default: all is read.")
    private Long limit;

    @Mixin
    private SourceOptions sources;

    @Mixin
    private PlanOption plan;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        check();
        Models.requireEmpty(out);
        PrintWriter err = spec.commandLine().getErr();
        if (ModelFolder.isAdapter(model)) {
            throw new UserException(
                    model + ": is an adapter; make it part of its model by export --merge, and extend that");
        }
        ModelConfig config = ModelFolder.config(model);
        ExtensibleTokenizer tokenizer = ExtensibleTokenizer.open(model, Models.tokenizer(model, config, err::println));
        int first = tokenizer.tokenizer().vocabularySize();
        ModelConfig largest = VocabularyExtension.config(config, Math.addExact(first, add));
        plan.memory()
                .requireTask(
                        "tokenizer extend",
                        MemoryNeeds.weights(config) + Float.BYTES * new ParameterLayout(largest).length());
        Corpus corpus = Corpus.of(sources.options(), data, out);
        TokenizerExtension.Result result;
        ModelConfig extended;
        try (Interruption _ = Interruption.ending(err, "interrupted; what is in " + out + " is no whole model")) {
            result = TokenizerExtension.learn(
                    corpus,
                    tokenizer,
                    add,
                    minimumFrequency,
                    limit == null ? Long.MAX_VALUE : limit * BYTES_PER_MB,
                    new ReadingProgress(corpus.name(), err));
            extended = write(config, tokenizer, first, result);
        }
        result.findings().lines(corpus.name()).forEach(err::println);
        if (result.tokens().size() < add) {
            err.println("no more than %,d tokens: no other pair comes %,d times; give more text, or a smaller --add"
                    .formatted(result.tokens().size(), Math.max(1, minimumFrequency)));
        }
        report(result, first, config.vocabularySize(), extended.vocabularySize());
        return 0;
    }

    private void check() {
        if (add < 1 || add > 1_000_000) {
            throw new UsageException("--add " + add + ": give the number of new tokens, 1 to 1000000");
        }
        if (minimumFrequency < 0) {
            throw new UsageException("--min-frequency " + minimumFrequency + ": is below 0; give 0 or more");
        }
        if (limit != null && (limit < 1 || limit > Long.MAX_VALUE / BYTES_PER_MB)) {
            throw new UsageException("--limit " + limit + ": give the MB of text to read, 1 or more");
        }
    }

    private ModelConfig write(
            ModelConfig config, ExtensibleTokenizer tokenizer, int first, TokenizerExtension.Result result) {
        try (Engine engine = Engines.open("cpu", null, 1, Precision.FP32)) {
            HuggingFace.Loaded loaded =
                    HuggingFace.load(engine, model, config, spec.commandLine().getErr()::println);
            ModelConfig extended = VocabularyExtension.config(
                    loaded.weights().config(), first + result.tokens().size());
            Storage.createFolders(out);
            HuggingFace.save(
                    out,
                    VocabularyExtension.extend(engine, loaded.weights(), extended, first, result.pieces()),
                    loaded.dtype(),
                    LARGEST_SHARD);
            tokenizer.save(out, result.tokens(), result.merges());
            Path generation = model.resolve(GENERATION);
            if (Files.exists(generation)) {
                Storage.write(out.resolve(GENERATION), WholeFile.read(generation, WholeFile.SETTINGS));
            }
            Storage.sync(out);
            return extended;
        } catch (UserException e) {
            // The folder was empty; a part of a model in it would pass for one.
            Models.delete(out);
            throw e;
        } catch (IOException e) {
            throw new UserException(out + ": cannot be written (" + Reason.of(e) + "); choose another --out", e);
        }
    }

    private void report(TokenizerExtension.Result result, int first, int before, int after) {
        PrintWriter to = spec.commandLine().getOut();
        double bytesBefore = (double) result.bytes() / result.before();
        double bytesAfter = (double) result.bytes() / result.after();
        if (!output.isJson()) {
            to.printf(
                    "%s: %,d new tokens from %d on, vocabulary %,d (was %,d); the text has %.2f bytes per token (was %.2f)%n",
                    out, result.tokens().size(), first, after, before, bytesAfter, bytesBefore);
            return;
        }
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("out", out.toString());
        json.put("added", result.tokens().size());
        json.put("first_id", first);
        json.put("vocabulary", after);
        json.put("vocabulary_before", before);
        json.put("bytes", result.bytes());
        json.put("bytes_per_token", bytesAfter);
        json.put("bytes_per_token_before", bytesBefore);
        to.println(Output.json(json));
    }
}
