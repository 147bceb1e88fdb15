package dev.whirlwind.cli.tokenizer;

import dev.whirlwind.cli.shared.Models;
import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.cli.shared.SourceOptions;
import dev.whirlwind.cli.terminal.Interruption;
import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.data.tokenizers.Words;
import dev.whirlwind.data.tokenizers.training.BpeTrainer;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "train",
        description = {
            "Trains a tokenizer on text: byte-level BPE, as GPT-2, Llama 3 and Qwen have it.",
            "Its tokens are those that Hugging Face's tokenizers would learn. init --tokenizer takes the folder."
        })
final class TrainTokenizerCommand implements Callable<Integer> {
    private static final long BYTES_PER_MB = 1_000_000;

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--data",
            required = true,
            arity = "1..*",
            paramLabel = "PATH",
            description = "Text, as prepare takes it.")
    private List<Path> data;

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "The new folder of the tokenizer.")
    private Path out;

    @Option(
            names = "--vocab",
            paramLabel = "N",
            defaultValue = "8192",
            description = "Tokens, with the 256 bytes and special ones. Default: ${DEFAULT-VALUE}.")
    private int vocabulary;

    @Option(
            names = "--words",
            paramLabel = "gpt2|llama3|qwen2",
            defaultValue = "gpt2",
            description =
                    "Whose expression cuts texts into words, over whose ends no token goes. Default: ${DEFAULT-VALUE}.")
    private Words words;

    @Option(
            names = "--min-frequency",
            paramLabel = "N",
            defaultValue = "2",
            description = "How often two tokens must stand together to become one. Default: ${DEFAULT-VALUE}.")
    private long minimumFrequency;

    @Option(
            names = "--special",
            arity = "1..*",
            paramLabel = "TOKEN",
            defaultValue = "<|endoftext|>",
            description = "Tokens that stand for no text; the first ends a text. Default: ${DEFAULT-VALUE}.")
    private List<String> special;

    @Option(
            names = "--limit",
            paramLabel = "MB",
            description = "Read no more documents after so much text. Default: all is read.")
    private Long limit;

    @Mixin
    private SourceOptions sources;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        long most = limit == null ? Long.MAX_VALUE : Math.multiplyExact(limit, BYTES_PER_MB);
        BpeTrainer.Options options = new BpeTrainer.Options(words, vocabulary, minimumFrequency, special, most);
        check(options);
        Models.requireEmpty(out);
        PrintWriter err = spec.commandLine().getErr();
        Corpus corpus = Corpus.of(sources.options(), data, out);
        BpeTrainer.Result result;
        try (Interruption _ = Interruption.ending(err, "interrupted; nothing is written yet")) {
            result = BpeTrainer.train(corpus, options, new ReadingProgress(corpus.name(), err));
            write(result);
        }
        result.findings().lines(corpus.name()).forEach(err::println);
        if (result.forgotten() > 0) {
            err.println("%s: there are more different words than are kept; %,d occurrences of the rarest do not count"
                    .formatted(corpus.name(), result.forgotten()));
        }
        int size = result.tokenizer().vocabulary().size();
        if (size < vocabulary) {
            err.println("no more than %,d tokens: no other pair comes %,d times; give more text, or a smaller --vocab"
                    .formatted(size, Math.max(1, minimumFrequency)));
        }
        report(result, size);
        return 0;
    }

    private void check(BpeTrainer.Options options) {
        if (special.contains("")) {
            throw new UsageException("--special: a token is empty; give its name, as <|endoftext|>");
        }
        if (new HashSet<>(special).size() < special.size()) {
            throw new UsageException("--special: a token is given twice; name each once");
        }
        if (vocabulary < options.smallest()) {
            throw new UsageException("--vocab %d: is less than the 256 bytes and %d special; give %d or more"
                    .formatted(vocabulary, special.size(), options.smallest()));
        }
        if (minimumFrequency < 0) {
            throw new UsageException("--min-frequency " + minimumFrequency + ": is below 0; give 0 or more");
        }
        if (limit != null && (limit < 1 || limit > Long.MAX_VALUE / BYTES_PER_MB)) {
            throw new UsageException("--limit " + limit + ": give the MB of text to read, 1 or more");
        }
    }

    private void write(BpeTrainer.Result result) {
        try {
            Storage.createFolders(out);
            result.tokenizer().save(out);
            Storage.sync(out);
        } catch (UserException e) {
            // The folder was empty; a part of a tokenizer in it would pass for one.
            Models.delete(out);
            throw e;
        } catch (IOException e) {
            throw new UserException(out + ": cannot be written (" + Reason.of(e) + "); choose another --out", e);
        }
    }

    private void report(BpeTrainer.Result result, int size) {
        double bytesPerToken = (double) result.bytes() / result.tokens();
        PrintWriter to = spec.commandLine().getOut();
        if (!output.isJson()) {
            to.printf(
                    "%s: %,d tokens; the %,d bytes read have %,d of them, %.2f bytes each%n",
                    out, size, result.bytes(), result.tokens(), bytesPerToken);
            return;
        }
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("out", out.toString());
        json.put("vocabulary", size);
        json.put("merges", result.tokenizer().merges().size());
        json.put("special", special);
        json.put("words", words.name().toLowerCase(Locale.ROOT));
        json.put("bytes", result.bytes());
        json.put("tokens", result.tokens());
        json.put("bytes_per_token", bytesPerToken);
        json.put("different_words", result.words());
        to.println(Output.json(json));
    }
}
