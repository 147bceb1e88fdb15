package dev.whirlwind.cli;

import dev.whirlwind.cli.shared.Models;
import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.cli.shared.SourceOptions;
import dev.whirlwind.cli.terminal.Interruption;
import dev.whirlwind.cli.terminal.Table;
import dev.whirlwind.data.DatasetSummary;
import dev.whirlwind.data.Preparation;
import dev.whirlwind.data.Preparation.Deduplication;
import dev.whirlwind.data.Preparation.OnBadText;
import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.data.tokenizers.SpecialTokens;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.training.config.Range;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "prepare",
        description = "Turns text into token shards, once for many runs. train and eval take the folder as --data.")
public final class PrepareCommand implements Callable<Integer> {
    private static final long NANOS_BETWEEN_LINES = 10_000_000_000L;

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--model",
            required = true,
            paramLabel = "DIR",
            description = "The model folder whose tokenizer makes the tokens.")
    private Path model;

    @Option(
            names = "--data",
            required = true,
            arity = "1..*",
            paramLabel = "PATH",
            description =
                    "Files, folders, archives, patterns of names, pipes, or - for the standard input: plain text, JSON"
                            + " rows, CSV, Parquet, Arrow, HTML, PDF, WARC, a MediaWiki dump, others' tokens; compressed or not.")
    private List<Path> data;

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "The new folder of shards.")
    private Path out;

    @Option(
            names = "--held-out",
            paramLabel = "X",
            defaultValue = "0.05",
            description =
                    "Fraction of the bytes kept for evaluation only, in whole documents. Default: ${DEFAULT-VALUE}.")
    private double heldOut;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "1234",
            description = "Decides which documents are held out. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @Option(
            names = "--on-bad-text",
            paramLabel = "stop|skip",
            defaultValue = "stop",
            description = "What to do about a document that the tokenizer cannot read: stop and name it (the default),"
                    + " or leave it out and report it.")
    private OnBadText badText;

    @Option(
            names = "--special-tokens",
            paramLabel = "text|parse",
            defaultValue = "text",
            description =
                    "What the name of a special token is in a document: text like any other (the default), or the token.")
    private SpecialTokens specialTokens;

    @Option(
            names = "--dedup",
            paramLabel = "exact|near|none",
            defaultValue = "exact",
            description =
                    "Documents that are left out: those that say the same as one before but for white space (exact, the"
                            + " default), also those that share four fifths of their runs of five words with one (near), or none."
                            + " left-out.jsonl in DIR names them.")
    private Deduplication dedup;

    @Option(
            names = "--show",
            paramLabel = "N",
            arity = "0..1",
            fallbackValue = "10",
            defaultValue = "0",
            description =
                    "Prints N documents, drawn at random, as the model will see them. Without N: ${FALLBACK-VALUE}.")
    private int show;

    @Mixin
    private SourceOptions sources;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        Range.FRACTION.check("--held-out", heldOut);
        // A folder with a tokenizer only will do; where there is a model as well, both must fit.
        Tokenizer tokenizer = Files.exists(model.resolve("config.json"))
                ? Models.tokenizer(
                        model, ModelFolder.config(model), spec.commandLine().getErr()::println)
                : Tokenizer.load(model);
        PrintWriter err = spec.commandLine().getErr();
        DatasetSummary summary;
        try (Interruption _ = Interruption.ending(
                err, "interrupted; shards that are whole stay, and the same command goes on behind them in " + out)) {
            summary = prepare(Corpus.of(sources.options(), data, out), tokenizer, options(), out, err);
        }
        err.println(ends(tokenizer));
        summary.heldOutWarning().ifPresent(err::println);
        if (output.isJson()) {
            spec.commandLine().getOut().println(Output.json(summary));
        } else {
            Table table = new Table("split", "documents", "bytes", "tokens", "shards");
            row(table, "train", summary.train());
            row(table, "valid", summary.valid());
            table.print(spec.commandLine().getOut());
            PreparedText.statistics(summary).forEach(spec.commandLine().getOut()::println);
        }
        PreparedText.show(out, tokenizer, show, seed, spec.commandLine().getOut());
        return 0;
    }

    private static void row(Table table, String name, DatasetSummary.Split split) {
        table.row(
                name,
                "%,d".formatted(split.documents()),
                "%,d".formatted(split.bytes()),
                "%,d".formatted(split.tokens()),
                "%,d".formatted(split.shards()));
    }

    /** What stands before documents and after them, and who says so. */
    public static String ends(Tokenizer tokenizer) {
        int[] after = tokenizer.afterDocument();
        String begin = tokenizer.before().length == 0
                ? "; nothing is put before them"
                : "; before them the tokenizer puts " + named(tokenizer, tokenizer.before());
        if (after.length == 0) {
            return "documents are not joined by a token of their own" + begin;
        }
        String source = tokenizer.after().length > 0
                ? "which the tokenizer puts there"
                : "by " + tokenizer.endOfText().source();
        return "documents end with " + named(tokenizer, after) + ", " + source + begin;
    }

    private static String named(Tokenizer tokenizer, int[] ids) {
        return IntStream.of(ids)
                .mapToObj(id -> tokenizer.decode(new int[] {id}) + " (" + id + ")")
                .collect(Collectors.joining(" "));
    }

    private Preparation.Options options() {
        Preparation.Options defaults = Preparation.Options.DEFAULT;
        return new Preparation.Options(
                heldOut, seed, defaults.shardTokens(), defaults.threads(), badText, specialTokens, dedup);
    }

    /** Prepares a corpus, and says how far it is and what was passed over. */
    public static DatasetSummary prepare(
            Corpus corpus, Tokenizer tokenizer, Preparation.Options options, Path out, PrintWriter err) {
        Preparation preparation = new Preparation(corpus, tokenizer, options, new Lines(corpus.name(), err));
        DatasetSummary summary = preparation.run(out);
        preparation.findings().lines(corpus.name()).forEach(err::println);
        if (summary.leftOut().bytes() > 0) {
            err.println(
                    "%s: left out %,d copies and %,d near copies of documents before them (%,d of %,d bytes): %s names them"
                            .formatted(
                                    corpus.name(),
                                    summary.leftOut().copies(),
                                    summary.leftOut().nearCopies(),
                                    summary.leftOut().bytes(),
                                    summary.leftOut().bytes()
                                            + summary.train().bytes()
                                            + summary.valid().bytes(),
                                    out.resolve("left-out.jsonl")));
        }
        return summary;
    }

    /** A line now and then that says how far it is. */
    private static final class Lines implements Preparation.Progress {
        private final String name;
        private final PrintWriter err;
        private long lastLine = System.nanoTime();
        private long begin;
        private long doneBefore;

        Lines(String name, PrintWriter err) {
            this.name = name;
            this.err = err;
        }

        @Override
        public void counted(long bytes) {
            if (isDue()) {
                err.println("%s: reading, %,d MB so far".formatted(name, bytes / 1_000_000));
            }
        }

        @Override
        public void update(long bytes, long totalBytes, long tokens) {
            if (begin == 0) {
                begin = System.nanoTime();
                doneBefore = bytes;
            }
            if (isDue()) {
                double seconds = 1e-9 * (System.nanoTime() - begin);
                long left = Math.round(seconds * (totalBytes - bytes) / Math.max(1, bytes - doneBefore));
                err.println("%s: %,d of %,d MB, %,d tokens, %d:%02d left"
                        .formatted(name, bytes / 1_000_000, totalBytes / 1_000_000, tokens, left / 60, left % 60));
            }
        }

        private boolean isDue() {
            long now = System.nanoTime();
            boolean due = now - lastLine >= NANOS_BETWEEN_LINES;
            lastLine = due ? now : lastLine;
            return due;
        }
    }
}
