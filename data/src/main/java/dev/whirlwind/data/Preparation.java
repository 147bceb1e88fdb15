package dev.whirlwind.data;

import dev.whirlwind.data.DocumentPieces.Piece;
import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.data.sources.Findings;
import dev.whirlwind.data.sources.Hash;
import dev.whirlwind.data.sources.TextReader;
import dev.whirlwind.data.sources.formats.Kind;
import dev.whirlwind.data.tokenizers.BadText;
import dev.whirlwind.data.tokenizers.SpecialTokens;
import dev.whirlwind.data.tokenizers.Text;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.FolderLock;
import dev.whirlwind.model.files.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A corpus to a prepared folder: {@code train-00000.tokens}, ..., {@code valid-00000.tokens}, ..., and
 * {@code dataset.json} ({@link DatasetSummary}). The corpus is read twice, first to count and to decide what is held
 * out. Tokens are made on all cores in pieces and written in the corpus's order, so the files depend on neither the
 * number of threads nor the time they take; memory holds a few pieces per thread.
 */
public final class Preparation {
    private static final int PIECES_PER_THREAD = 4;

    /** Names that a preparation leaves behind when it is killed. */
    private static final String LEFTOVERS = "(train|valid)-\\d{5,}\\.tokens(\\.partial)?|dataset\\.json\\.partial";

    /**
     * How to prepare.
     *
     * @param heldOut fraction of the bytes to hold out for evaluation, in [0, 1)
     * @param seed decides, with a document's content, whether it is held out
     * @param shardTokens the most tokens in one file
     * @param threads that make tokens
     * @param badText what to do about a text that the tokenizer cannot read
     * @param specialTokens what their names are in documents
     */
    public record Options(
            double heldOut, long seed, long shardTokens, int threads, OnBadText badText, SpecialTokens specialTokens) {
        /** A twentieth held out, 100 million tokens per file, all cores; nothing is left out unasked. */
        public static final Options DEFAULT = new Options(
                0.05, 1, 100_000_000, Runtime.getRuntime().availableProcessors(), OnBadText.STOP, SpecialTokens.TEXT);

        /** The defaults, but for what is held out. */
        public static Options of(double heldOut, long seed) {
            return new Options(heldOut, seed, DEFAULT.shardTokens, DEFAULT.threads, DEFAULT.badText);
        }

        /** Names of special tokens are text. */
        public Options(double heldOut, long seed, long shardTokens, int threads, OnBadText badText) {
            this(heldOut, seed, shardTokens, threads, badText, SpecialTokens.TEXT);
        }

        public Options {
            if (!(heldOut >= 0 && heldOut < 1)) {
                throw new IllegalArgumentException("held-out fraction " + heldOut + " is not in [0, 1)");
            }
            if (shardTokens < 1 || threads < 1) {
                throw new IllegalArgumentException(shardTokens + " tokens per shard, " + threads + " threads");
            }
        }
    }

    /** What to do about a text that the tokenizer cannot read: stop, or leave it out and report it. */
    public enum OnBadText {
        STOP,
        SKIP
    }

    /** Hears how far it is. */
    public interface Progress {
        /** {@code bytes} of text are done, of {@code totalBytes}; they have become {@code tokens}. */
        void update(long bytes, long totalBytes, long tokens);
    }

    /** Tokens on their way to a split's shards, and the bytes of text that they are. */
    private record Pending(Future<int[]> ids, long bytes, Piece piece, Side side) {}

    private final class Side {
        final ShardWriter writer;
        final DocumentPieces pieces;
        long documents;

        Side(ShardWriter writer, BiConsumer<Side, Piece> out) {
            this.writer = writer;
            pieces = new DocumentPieces(tokenizer, DocumentPieces.LENGTH, piece -> out.accept(this, piece));
        }

        DatasetSummary.Split summary() {
            return new DatasetSummary.Split(
                    documents,
                    writer.sourceBytes(),
                    writer.tokens(),
                    writer.checksums().size(),
                    writer.checksums());
        }
    }

    private final Corpus corpus;
    private final Tokenizer tokenizer;
    private final Options options;
    private final Progress progress;
    private final Findings findings = new Findings();

    /** Prepares {@code corpus} for models that use {@code tokenizer}; {@code progress} is called as text is done. */
    public Preparation(Corpus corpus, Tokenizer tokenizer, Options options, Progress progress) {
        this.corpus = corpus;
        this.tokenizer = tokenizer;
        this.options = options;
        this.progress = progress;
    }

    /** What the corpus turned out to hold, once it has been read. */
    public Findings findings() {
        return findings;
    }

    /**
     * Does it. A folder with what an interrupted preparation left behind is begun anew.
     *
     * @param output a folder that is empty or does not exist yet
     * @throws UserException when it is not empty, the corpus is empty or unreadable, or the disk is full
     */
    public DatasetSummary run(Path output) {
        if (tokenizer.afterDocument().length == 0 && tokenizer.before().length == 0) {
            throw new UserException("no end-of-text token of the model is named to put between documents: add"
                    + " \"eos_token_id\" to its config.json, or \"eos_token\" to its tokenizer_config.json");
        }
        FolderLock lock = new FolderLock(output);
        boolean done = false;
        try {
            clear(output);
            Scan scan = new Scan();
            corpus.read(scan);
            scan.requireText();
            DatasetSummary summary = write(output, scan);
            done = true;
            return summary;
        } catch (IOException e) {
            throw new UserException(
                    "cannot write to " + output + ": " + Reason.of(e) + ": make room or name another output folder", e);
        } finally {
            if (!done) {
                clearIfPossible(output);
            }
            lock.closeAndForget();
        }
    }

    /** After a failure, whose reason counts. */
    private static void clearIfPossible(Path output) {
        try {
            clear(output);
        } catch (IOException | UserException e) {
            // Left to the next preparation.
            return;
        }
    }

    private static void clear(Path output) throws IOException {
        try (Stream<Path> children = Files.list(output)) {
            List<Path> files =
                    children.filter(child -> !child.endsWith(FolderLock.NAME)).toList();
            boolean leftovers =
                    files.stream().allMatch(f -> f.getFileName().toString().matches(LEFTOVERS));
            if (!leftovers) {
                throw new UserException(output + " is not empty: name another output folder, or empty it first");
            }
            for (Path file : files) {
                Storage.delete(file);
            }
        }
    }

    /** The first reading: counts, and shows all documents to {@link HeldOut}. */
    private final class Scan implements Corpus.Sink {
        final HeldOut heldOut = new HeldOut(options.heldOut, options.seed);
        final TokenDocuments tokens = new TokenDocuments(tokenizer, this::ids);
        long hash = Hash.EMPTY;
        long characters;
        long bytes;
        long bytesBefore;

        @Override
        public void text(String document, String piece, boolean last) {
            characters += piece.length();
            bytes += Text.utf8Length(piece);
            hash = Hash.add(hash, piece);
            end(last);
        }

        @Override
        public void tokens(String document, int[] ids, boolean last) {
            tokens.add(document, ids, last);
        }

        private void ids(String document, int[] ids, long more, boolean last) {
            characters += ids.length;
            bytes += more;
            hash = Hash.add(hash, ids);
            end(last);
        }

        private void end(boolean last) {
            if (last) {
                heldOut.observe(hash, bytes - bytesBefore);
                bytesBefore = bytes;
                hash = Hash.EMPTY;
                findings.document();
            }
        }

        @Override
        public void passedOver(Corpus.PassedOver what) {
            findings.passedOver(what);
        }

        @Override
        public void found(Kind kind, String name) {
            findings.found(kind, name);
        }

        void requireText() {
            if (heldOut.documents() == 0) {
                String passedOver = findings.passedOver();
                throw new UserException(corpus.name() + " holds no text"
                        + (passedOver.isEmpty() ? "" : " (passed over " + passedOver + ")") + ": add UTF-8 text");
            }
            if (options.heldOut > 0 && heldOut.documents() > 1 && !heldOut.anyDiffer()) {
                throw new UserException(corpus.name() + " holds the same text " + heldOut.documents()
                        + " times, so nothing can be held out of it: add other text, or hold out nothing (0)");
            }
        }
    }

    private DatasetSummary write(Path output, Scan scan) throws IOException {
        try (ShardWriter train = new ShardWriter(output, TokenDataset.TRAIN, tokenizer, options.shardTokens);
                ShardWriter valid = new ShardWriter(output, TokenDataset.VALID, tokenizer, options.shardTokens)) {
            Encoding encoding = new Encoding(scan, train, valid);
            encoding.run();
            train.complete();
            valid.complete();
            DatasetSummary summary = new DatasetSummary(
                    HexFormat.of().formatHex(tokenizer.fingerprint()),
                    tokenizer.vocabularySize(),
                    tokenizer.endOfText().id(),
                    tokenizer.endOfText().token(),
                    tokenizer.endOfText().source(),
                    IntStream.of(tokenizer.before()).boxed().toList(),
                    IntStream.of(tokenizer.afterDocument()).boxed().toList(),
                    options.heldOut,
                    options.seed,
                    encoding.byPosition ? "position" : "document",
                    encoding.train.summary(),
                    encoding.valid.summary(),
                    findings.files(),
                    findings.rows(),
                    findings.reasons());
            Storage.replace(output.resolve(DatasetSummary.FILE), summary.json());
            return summary;
        }
    }

    /** The second reading: hands pieces to the workers and writes what comes back, in order. */
    private final class Encoding implements Corpus.Sink {
        final Scan scan;
        final Side train;
        final Side valid;
        final boolean byPosition;
        final ExecutorService workers = Executors.newFixedThreadPool(options.threads);
        final Queue<Pending> pending = new ArrayDeque<>();
        final TokenDocuments tokens = new TokenDocuments(tokenizer, this::ids);
        boolean first = true;
        int document;
        long characters;
        long bytes;
        long written;

        Encoding(Scan scan, ShardWriter train, ShardWriter valid) {
            this.scan = scan;
            this.train = new Side(train, this::encode);
            this.valid = new Side(valid, this::encode);
            byPosition = scan.heldOut.documents() == 1 && options.heldOut > 0;
        }

        void run() throws IOException {
            try {
                corpus.read(this);
                if (document != scan.heldOut.documents() || characters != scan.characters) {
                    throw new UserException(corpus.name()
                            + " changed while it was being read: prepare it again when nothing writes to it");
                }
                while (!pending.isEmpty()) {
                    writeNext();
                }
            } catch (WriteFailure e) {
                throw e.cause;
            } finally {
                workers.shutdownNow();
            }
        }

        @Override
        public void text(String name, String piece, boolean last) {
            characters += piece.length();
            if (byPosition) {
                split(name, piece, last);
            } else {
                (scan.heldOut.contains(document) ? valid : train).pieces.add(name, piece, last);
            }
            if (last) {
                document++;
            }
        }

        /** The end of a single document is what is held out of it. */
        private void split(String name, String piece, boolean last) {
            long toTrain = (long) ((1 - options.heldOut) * scan.bytes) - bytes;
            long more = Text.utf8Length(piece);
            bytes += more;
            if (toTrain <= 0) {
                valid.pieces.add(name, piece, last);
            } else if (toTrain >= more) {
                train.pieces.add(name, piece, last);
            } else {
                int cut = TextReader.boundary(piece, (int) (piece.length() * toTrain / more));
                train.pieces.add(name, piece.substring(0, cut), false);
                train.pieces.breakOff(name);
                valid.pieces.add(name, piece.substring(cut), last);
            }
        }

        @Override
        public void tokens(String name, int[] ids, boolean last) {
            tokens.add(name, ids, last);
        }

        private void ids(String name, int[] ids, long more, boolean last) {
            characters += ids.length;
            if (byPosition) {
                split(name, ids, more, last);
            } else {
                give(scan.heldOut.contains(document) ? valid : train, name, ids, more, last);
            }
            document += last ? 1 : 0;
        }

        private void split(String name, int[] ids, long more, boolean last) {
            long toTrain = (long) ((1 - options.heldOut) * scan.bytes) - bytes;
            bytes += more;
            int cut = 0;
            long before = 0;
            while (cut < ids.length && before < toTrain) {
                before += tokens.bytes(ids[cut++]);
            }
            if (cut > 0) {
                give(train, name, Arrays.copyOf(ids, cut), before, false);
            }
            if (cut < ids.length || last) {
                first |= valid.documents == 0;
                give(valid, name, Arrays.copyOfRange(ids, cut, ids.length), more - before, last);
            }
        }

        private void give(Side side, String name, int[] ids, long bytes, boolean last) {
            Piece piece = new Piece(name, "", first, last);
            side.documents += first ? 1 : 0;
            first = last;
            queue(new Pending(CompletableFuture.completedFuture(piece.around(tokenizer, ids)), bytes, piece, side));
        }

        private void encode(Side side, Piece piece) {
            side.documents += piece.first() ? 1 : 0;
            queue(new Pending(
                    workers.submit(() -> piece.tokens(tokenizer, options.specialTokens)),
                    Text.utf8Length(piece.text()),
                    piece,
                    side));
        }

        private void queue(Pending next) {
            pending.add(next);
            if (pending.size() >= PIECES_PER_THREAD * options.threads) {
                try {
                    writeNext();
                } catch (IOException e) {
                    throw new WriteFailure(e);
                }
            }
        }

        private void writeNext() throws IOException {
            Pending next = pending.remove();
            try {
                next.side.writer.write(next.ids.get(), next.bytes);
            } catch (ExecutionException e) {
                switch (e.getCause()) {
                    case BadText bad -> leaveOut(next, bad);
                    case UserException user -> throw user;
                    default -> throw new IllegalStateException("the tokenizer failed on a text", e.getCause());
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new UserException("preparation was interrupted: run it again", e);
            }
            written += next.bytes;
            progress.update(written, scan.bytes, train.writer.tokens() + valid.writer.tokens());
        }

        /** Of a long document only the piece is left out, and what stands before or after a document stays. */
        private void leaveOut(Pending bad, BadText reason) throws IOException {
            String place = corpus.name() + ": " + bad.piece.document();
            if (options.badText == OnBadText.STOP) {
                throw new UserException(
                        place + ": " + reason.getMessage()
                                + "; remove it, or leave such texts out with prepare --on-bad-text skip",
                        reason);
            }
            if (bad.piece.isWhole()) {
                bad.side.documents--;
            } else {
                bad.side.writer.write(bad.piece.around(tokenizer, new int[0]), 0);
            }
            findings.passedOver(new Corpus.PassedOver(
                    Corpus.PassedOver.Unit.DOCUMENT, bad.piece.document(), place, reason.getMessage()));
        }

        @Override
        public void passedOver(Corpus.PassedOver what) {
            // Counted at the first reading.
        }
    }

    /** Carries a failure to write out through the corpus, which takes an IOException for one of reading. */
    private static final class WriteFailure extends RuntimeException {
        private static final long serialVersionUID = 1;

        @SuppressWarnings("serial")
        private final IOException cause;

        WriteFailure(IOException cause) {
            super(cause);
            this.cause = cause;
        }
    }
}
