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
import java.util.BitSet;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
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
    private static final String LEFTOVERS =
            "((train|valid)-\\d{5,}\\.tokens|left-out\\.jsonl|progress\\.json)(\\.partial)?"
                    + "|dataset\\.json\\.partial";

    /**
     * How to prepare.
     *
     * @param heldOut fraction of the bytes to hold out for evaluation, in [0, 1)
     * @param seed decides, with a document's content, whether it is held out
     * @param shardTokens the most tokens in one file
     * @param threads that make tokens
     * @param badText what to do about a text that the tokenizer cannot read
     * @param specialTokens what their names are in documents
     * @param deduplication which copies of documents are left out
     */
    public record Options(
            double heldOut,
            long seed,
            long shardTokens,
            int threads,
            OnBadText badText,
            SpecialTokens specialTokens,
            Deduplication deduplication) {
        /** A twentieth held out, 100 million tokens per file, all cores; only copies are left out unasked. */
        public static final Options DEFAULT =
                new Options(0.05, 1, 100_000_000, Runtime.getRuntime().availableProcessors(), OnBadText.STOP);

        /** The defaults, but for what is held out. */
        public static Options of(double heldOut, long seed) {
            return new Options(heldOut, seed, DEFAULT.shardTokens, DEFAULT.threads, DEFAULT.badText);
        }

        /** The same with other copies left out. */
        public Options with(Deduplication other) {
            return new Options(heldOut, seed, shardTokens, threads, badText, specialTokens, other);
        }

        /** Names of special tokens are text, and exact copies are left out. */
        public Options(double heldOut, long seed, long shardTokens, int threads, OnBadText badText) {
            this(heldOut, seed, shardTokens, threads, badText, SpecialTokens.TEXT, Deduplication.EXACT);
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

    /**
     * Which copies of documents are left out: those that are the same but for white space, those and such as share most of
     * their words' sequence, or none.
     */
    public enum Deduplication {
        EXACT,
        NEAR,
        NONE
    }

    /** Hears how far it is. */
    public interface Progress {
        /** {@code bytes} of text are done, of {@code totalBytes}; they have become {@code tokens}. */
        void update(long bytes, long totalBytes, long tokens);

        /** Before that, {@code bytes} have been read for the first time. */
        default void counted(long bytes) {}
    }

    /** Tokens on their way to a split's shards, and the bytes of text that they are. */
    private record Pending(Future<int[]> ids, long bytes, Piece piece, Side side) {}

    private final class Side {
        final ShardWriter writer;
        final DocumentPieces pieces;
        final PreparationJournal.Side before;
        PreparationJournal.Side done;
        long documents;

        /** Pieces that came, and that went to the writer. */
        long piecesIn;

        long piecesOut;

        Side(ShardWriter writer, PreparationJournal.Side before, BiConsumer<Side, Piece> out) {
            this.writer = writer;
            this.before = before;
            done = before;
            piecesOut = before.pieces();
            pieces = new DocumentPieces(tokenizer, DocumentPieces.LENGTH, piece -> out.accept(this, piece));
        }

        /** Whether the next piece is in shards already. */
        boolean isDone() {
            return piecesIn++ < before.pieces();
        }

        /** Writes a piece, but for what of it is in shards already. */
        void write(int[] ids, long bytes, ShardWriter.Listener listener) throws IOException {
            int from = piecesOut == before.pieces() ? before.tokens() : 0;
            writer.write(Arrays.copyOfRange(ids, from, ids.length), from > 0 ? 0 : bytes, n -> {
                boolean whole = from + n == ids.length;
                done = new PreparationJournal.Side(
                        piecesOut + (whole ? 1 : 0),
                        whole ? 0 : from + n,
                        writer.tokens(),
                        writer.sourceBytes(),
                        writer.checksums());
                listener.done(n);
            });
            piecesOut++;
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
     * Does it. In a folder with the shards of an interrupted preparation of the same texts it goes on behind them.
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
            requireLeftovers(output);
            Scan scan = new Scan();
            corpus.read(scan);
            scan.requireText();
            String identity = PreparationJournal.identity(
                    tokenizer, options, scan.documents, scan.characters, scan.bytes, scan.everything);
            PreparationJournal journal = PreparationJournal.read(output, identity)
                    .orElse(new PreparationJournal(
                            identity, PreparationJournal.Side.NOTHING, PreparationJournal.Side.NOTHING));
            clear(output, journal);
            DatasetSummary summary = write(output, scan, journal);
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

    private TokenStatistics statistics(Path output, DatasetSummary summary) {
        List<TokenDataset> splits = Stream.of(TokenDataset.TRAIN, TokenDataset.VALID)
                .filter(split -> (split.equals(TokenDataset.TRAIN) ? summary.train() : summary.valid()).tokens() > 0)
                .map(split -> TokenDataset.open(summary, output, split, tokenizer.vocabularySize(), output.toString()))
                .toList();
        return TokenStatistics.of(splits, tokenizer.vocabularySize(), tokenizer.endOfDocument());
    }

    /** After a failure, whose reason counts: what is whole stays, for the next one to go on. */
    private static void clearIfPossible(Path output) {
        try {
            if (!Files.exists(output.resolve(PreparationJournal.FILE))) {
                clear(output, null);
            }
        } catch (IOException | UserException e) {
            // Left to the next preparation.
            return;
        }
    }

    private static List<Path> requireLeftovers(Path output) throws IOException {
        try (Stream<Path> children = Files.list(output)) {
            List<Path> files =
                    children.filter(child -> !child.endsWith(FolderLock.NAME)).toList();
            boolean leftovers =
                    files.stream().allMatch(f -> f.getFileName().toString().matches(LEFTOVERS));
            if (!leftovers) {
                throw new UserException(output + " is not empty: name another output folder, or empty it first");
            }
            return files;
        }
    }

    /** @param kept what it goes on behind; null for nothing */
    private static void clear(Path output, PreparationJournal kept) throws IOException {
        boolean any = kept != null
                && !(kept.train().checksums().isEmpty()
                        && kept.valid().checksums().isEmpty());
        for (Path file : requireLeftovers(output)) {
            if (!any || !kept.has(file)) {
                Storage.delete(file);
            }
        }
    }

    /** The first reading: counts, and shows all documents to {@link HeldOut}. */
    private final class Scan implements Corpus.Sink {
        final HeldOut heldOut = new HeldOut(options.heldOut, options.seed);
        final TokenDocuments tokens = new TokenDocuments(tokenizer, this::ids);
        final HashSet64 hashes = new HashSet64();
        final NearDuplicates near = options.deduplication == Deduplication.NEAR ? new NearDuplicates() : null;
        final BitSet leftOut = new BitSet();

        /** The documents that copies are of. */
        final Map<Integer, Integer> copies = new HashMap<>();

        final BitSet nearCopies = new BitSet();
        int documents;
        long hash = Hash.EMPTY;
        long characters;
        long bytes;

        /** Of all that was read, in its order. */
        long everything;

        long bytesLeftOut;
        long bytesBefore;

        @Override
        public void text(String document, String piece, boolean last) {
            characters += piece.length();
            everything = Hash.mix(everything ^ piece.hashCode() ^ ((long) piece.length() << 32));
            bytes += Text.utf8Length(piece);
            hash = Hash.add(hash, piece);
            if (near != null) {
                near.add(piece);
            }
            progress.counted(bytes);
            end(last);
        }

        @Override
        public void tokens(String document, int[] ids, boolean last) {
            tokens.add(document, ids, last);
        }

        private void ids(String document, int[] ids, long more, boolean last) {
            characters += ids.length;
            bytes += more;
            everything = Hash.mix(everything ^ Arrays.hashCode(ids));
            hash = Hash.add(hash, ids);
            end(last);
        }

        private void end(boolean last) {
            if (last) {
                long length = bytes - bytesBefore;
                int first = options.deduplication == Deduplication.NONE
                        ? documents
                        : hashes.firstOf(Hash.mix(hash), documents);
                int alike = near == null ? documents : near.end(documents);
                if (first == documents && alike != documents) {
                    first = alike;
                    nearCopies.set(documents);
                }
                if (first == documents) {
                    heldOut.observe(hash, length);
                } else {
                    leftOut.set(documents);
                    copies.put(documents, first);
                    bytesLeftOut += length;
                }
                documents++;
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

    private DatasetSummary write(Path output, Scan scan, PreparationJournal before) throws IOException {
        try (ShardWriter train =
                        new ShardWriter(output, TokenDataset.TRAIN, tokenizer, options.shardTokens, before.train());
                ShardWriter valid =
                        new ShardWriter(output, TokenDataset.VALID, tokenizer, options.shardTokens, before.valid());
                LeftOut leftOut = new LeftOut(output)) {
            Encoding encoding = new Encoding(output, scan, before, train, valid, leftOut);
            encoding.run();
            train.complete();
            valid.complete();
            leftOut.complete();
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
                    findings.reasons(),
                    new DatasetSummary.LeftOut(
                            scan.copies.size() - scan.nearCopies.cardinality(),
                            scan.nearCopies.cardinality(),
                            scan.bytesLeftOut),
                    options.specialTokens.name().toLowerCase(Locale.ROOT),
                    null);
            summary = summary.with(statistics(output, summary));
            Storage.replace(output.resolve(DatasetSummary.FILE), summary.json());
            Storage.delete(output.resolve(PreparationJournal.FILE));
            return summary;
        }
    }

    /** The second reading: hands pieces to the workers and writes what comes back, in order. */
    private final class Encoding implements Corpus.Sink {
        final Path output;
        final Scan scan;
        final PreparationJournal before;
        final LeftOut leftOut;

        /** Names of documents that have copies, by their numbers. */
        final Map<Integer, String> originals = new HashMap<>();

        final BitSet haveCopies = new BitSet();
        final Side train;
        final Side valid;
        final boolean byPosition;
        final ExecutorService workers = Executors.newFixedThreadPool(options.threads);
        final Queue<Pending> pending = new ArrayDeque<>();
        final TokenDocuments tokens = new TokenDocuments(tokenizer, this::ids);
        boolean first = true;

        /** Whether a document could not be read, which no journal tells of. */
        boolean anyBad;

        int document;

        /** Of those that are not left out. */
        int kept;

        long characters;
        long bytes;
        long written;

        Encoding(
                Path output,
                Scan scan,
                PreparationJournal before,
                ShardWriter train,
                ShardWriter valid,
                LeftOut leftOut) {
            this.output = output;
            this.scan = scan;
            this.before = before;
            this.leftOut = leftOut;
            scan.copies.values().forEach(haveCopies::set);
            this.train = new Side(train, before.train(), this::encode);
            this.valid = new Side(valid, before.valid(), this::encode);
            byPosition = scan.heldOut.documents() == 1 && options.heldOut > 0;
        }

        void run() throws IOException {
            try {
                corpus.read(this);
                if (document != scan.documents || characters != scan.characters) {
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
            if (scan.leftOut.get(document)) {
                leaveOut(name, last);
            } else if (byPosition) {
                split(name, piece, last);
            } else {
                (scan.heldOut.contains(kept) ? valid : train).pieces.add(name, piece, last);
            }
            end(name, last);
        }

        private void end(String name, boolean last) {
            if (last) {
                if (haveCopies.get(document)) {
                    originals.put(document, name);
                }
                kept += scan.leftOut.get(document) ? 0 : 1;
                document++;
            }
        }

        private void leaveOut(String name, boolean last) {
            if (last) {
                try {
                    leftOut.add(
                            name,
                            (scan.nearCopies.get(document) ? "near copy of " : "copy of ")
                                    + originals.get(scan.copies.get(document)));
                } catch (IOException e) {
                    throw new WriteFailure(e);
                }
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
            if (scan.leftOut.get(document)) {
                leaveOut(name, last);
            } else if (byPosition) {
                split(name, ids, more, last);
            } else {
                give(scan.heldOut.contains(kept) ? valid : train, name, ids, more, last);
            }
            end(name, last);
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
            if (side.isDone()) {
                progress(bytes);
                return;
            }
            queue(new Pending(CompletableFuture.completedFuture(piece.around(tokenizer, ids)), bytes, piece, side));
        }

        private void encode(Side side, Piece piece) {
            side.documents += piece.first() ? 1 : 0;
            if (side.isDone()) {
                progress(Text.utf8Length(piece.text()));
                return;
            }
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
                next.side.write(next.ids.get(), next.bytes, _ -> journal());
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
            progress(next.bytes);
        }

        private void progress(long more) {
            written += more;
            progress.update(written, scan.bytes - scan.bytesLeftOut, train.writer.tokens() + valid.writer.tokens());
        }

        private void journal() throws IOException {
            if (!anyBad) {
                new PreparationJournal(before.of(), train.done, valid.done).write(output);
            }
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
            anyBad = true;
            Storage.delete(output.resolve(PreparationJournal.FILE));
            if (bad.piece.isWhole()) {
                bad.side.documents--;
                bad.side.piecesOut++;
            } else {
                bad.side.write(bad.piece.around(tokenizer, new int[0]), 0, _ -> {});
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
