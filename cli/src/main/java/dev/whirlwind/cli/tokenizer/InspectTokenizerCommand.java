package dev.whirlwind.cli.tokenizer;

import dev.whirlwind.cli.PrepareCommand;
import dev.whirlwind.cli.shared.Models;
import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.cli.shared.SourceOptions;
import dev.whirlwind.cli.terminal.Table;
import dev.whirlwind.cli.terminal.Terminal;
import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.data.tokenizers.BadText;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.data.tokenizers.TokenizerDescription;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.adapters.ModelFolder;
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
        name = "inspect",
        description = {
            "Shows what a tokenizer is, and what it makes of a text: bytes per token, how much of the vocabulary is used,",
            "and the tokens themselves."
        })
final class InspectTokenizerCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(
            names = {"--model", "--tokenizer"},
            required = true,
            paramLabel = "DIR",
            description = "The folder of a model or a tokenizer.")
    private Path model;

    @Option(
            names = "--data",
            arity = "1..*",
            paramLabel = "PATH",
            description = "Text to measure on, as prepare takes it.")
    private List<Path> data;

    @Option(names = "--text", paramLabel = "TEXT", description = "A text to show cut into tokens.")
    private String text;

    @Mixin
    private SourceOptions sources;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        PrintWriter err = spec.commandLine().getErr();
        Tokenizer tokenizer = Files.exists(model.resolve("config.json"))
                ? Models.tokenizer(model, ModelFolder.config(model), err::println)
                : Tokenizer.load(model);
        TokenUse use = null;
        if (data != null) {
            Corpus corpus = Corpus.of(sources.options(), data);
            use = TokenUse.of(corpus, tokenizer, new ReadingProgress(corpus.name(), err));
            use.findings().lines(corpus.name()).forEach(err::println);
        }
        Cut cut = null;
        try {
            cut = text == null ? null : Cut.of(tokenizer, text);
        } catch (BadText e) {
            throw new UserException("--text: " + e.getMessage() + "; give another text", e);
        }
        if (output.isJson()) {
            spec.commandLine().getOut().println(Output.json(json(tokenizer, use, cut)));
        } else {
            print(spec.commandLine().getOut(), tokenizer, use, cut);
        }
        return 0;
    }

    private void print(PrintWriter out, Tokenizer tokenizer, TokenUse use, Cut cut) {
        TokenizerDescription description = tokenizer.description();
        out.printf("%s: %s, %,d tokens%n", model, description.model(), tokenizer.vocabularySize());
        out.println(PrepareCommand.ends(tokenizer));
        Table special = new Table("special token", "id");
        description.special().forEach(token -> special.row(token.token(), Long.toString(token.id())));
        special.print(out);
        if (use != null) {
            out.println();
            int never = tokenizer.vocabularySize() - use.used();
            Table table = new Table("bytes", "tokens", "bytes per token", "tokens used", "never used", "unknown");
            table.row(
                    "%,d".formatted(use.bytes()),
                    "%,d".formatted(use.tokens()),
                    "%.3f".formatted(use.bytesPerToken()),
                    "%,d".formatted(use.used()),
                    "%.1f %%".formatted(100.0 * never / tokenizer.vocabularySize()),
                    "%,d".formatted(use.unknowns()));
            table.print(out);
        }
        if (cut != null) {
            out.println();
            out.println(cut.shown(Terminal.colours()));
            out.printf("%,d tokens%n", cut.pieces().size());
        }
    }

    private Map<String, Object> json(Tokenizer tokenizer, TokenUse use, Cut cut) {
        TokenizerDescription description = tokenizer.description();
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("tokenizer", model.toString());
        json.put("model", description.model());
        json.put("vocabulary", tokenizer.vocabularySize());
        json.put("special", description.special());
        json.put("end_of_text", tokenizer.endOfText().id());
        json.put("before", tokenizer.before());
        json.put("after", tokenizer.afterDocument());
        if (use != null) {
            Map<String, Object> text = new LinkedHashMap<>();
            text.put("documents", use.documents());
            text.put("bytes", use.bytes());
            text.put("tokens", use.tokens());
            text.put("bytes_per_token", use.bytesPerToken());
            text.put("used", use.used());
            text.put("never_used_share", 1 - (double) use.used() / tokenizer.vocabularySize());
            text.put("unknown", use.unknowns());
            json.put("data", text);
        }
        if (cut != null) {
            json.put("text", cut.pieces());
        }
        return json;
    }
}
