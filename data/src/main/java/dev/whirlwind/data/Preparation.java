package dev.whirlwind.data;

import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.data.sources.Findings;
import dev.whirlwind.data.sources.Hash;
import dev.whirlwind.data.sources.TextReader;
import dev.whirlwind.data.tokenizers.Text;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.FolderLock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
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
     * @param heldOut fraction of the documents to hold out for evaluation, in [0, 1)
     * @param seed decides, with a document's content, whether it is held out
     * @param shardTokens the most tokens in one file
     * @param threads that make tokens
     */
    public record Options(double heldOut, long seed, long shardTokens, int threads) {
        /** A twentieth held out, 100 million tokens per file, all cores. */
        public static final Options DEFAULT =
                new Options(0.05, 1, 100_000_000, Runtime.getRuntime().availableProcessors());

        public Options {
            if (!(heldOut >= 0 && heldOut < 1)) {
                throw new IllegalArgumentException("held-out fraction " + heldOut + " is not in [0, 1)");
            }
            if (shardTokens < 1 || threads < 1) {
                throw new IllegalArgumentException(shardTokens + " tokens per shard, " + threads + " threads");
            }
        }
    }

    /** Hears how far it is. */
    public interface Progress {
        /** {@code bytes} of text are done, of {@code totalBytes}; they have become {@code tokens}. */
        void update(long bytes, long totalBytes, long tokens);
    }

    /** Tokens on their way to a split's shards. */
    private record Pending(Future<int[]> ids, long bytes, Side side) {}

    private static final class Side {
        final ShardWriter writer;
        long documents;
        int lastDocument = -1;

        Side(ShardWriter writer) {
            this.writer = writer;
        }

        void count(int document) {
            if (document != lastDocument) {
                lastDocument = document;
                documents++;
            }
        }

        DatasetSummary.Split summary() {
            return new DatasetSummary.Split(documents, writer.sourceBytes(), writer.tokens(), writer.shards());
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
        if (tokenizer.endOfText() < 0) {
            throw new UserException("the tokenizer names no end-of-text token to put between documents: add"
                    + " \"eos_token\" to its tokenizer_config.json");
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
                Files.delete(file);
            }
        }
    }

    /** The first reading: counts, and shows all documents to {@link HeldOut}. */
    private final class Scan implements Corpus.Sink {
        final HeldOut heldOut = new HeldOut(options.heldOut, options.seed);
        long hash = Hash.EMPTY;
        long bytes;

        @Override
        public void text(String document, String piece, boolean last) {
            bytes += Text.utf8Length(piece);
            hash = Hash.add(hash, piece);
            if (last) {
                heldOut.observe(hash);
                hash = Hash.EMPTY;
                findings.document();
            }
        }

        @Override
        public void passedOver(Corpus.PassedOver what) {
            findings.passedOver(what);
        }

        @Override
        public void found(Corpus.Kind kind, String name) {
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
            Encoding encoding = new Encoding(scan, new Side(train), new Side(valid));
            encoding.run();
            train.complete();
            valid.complete();
            DatasetSummary summary = new DatasetSummary(
                    HexFormat.of().formatHex(tokenizer.fingerprint()),
                    tokenizer.vocabularySize(),
                    tokenizer.endOfText(),
                    options.heldOut,
                    options.seed,
                    encoding.byPosition ? "position" : "document",
                    encoding.train.summary(),
                    encoding.valid.summary(),
                    findings.files(),
                    findings.rows(),
                    findings.reasons());
            Path partial = output.resolve(DatasetSummary.FILE + ShardWriter.PARTIAL);
            Files.write(partial, summary.json());
            Files.move(partial, output.resolve(DatasetSummary.FILE), StandardCopyOption.ATOMIC_MOVE);
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
        int document;
        long read;
        long written;

        Encoding(Scan scan, Side train, Side valid) {
            this.scan = scan;
            this.train = train;
            this.valid = valid;
            byPosition = scan.heldOut.documents() == 1 && options.heldOut > 0;
        }

        void run() throws IOException {
            try {
                corpus.read(this);
                if (document != scan.heldOut.documents() || read != scan.bytes) {
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
            long bytes = Text.utf8Length(piece);
            long toTrain = (long) ((1 - options.heldOut) * scan.bytes) - read;
            read += bytes;
            if (!byPosition) {
                encode(scan.heldOut.contains(document) ? valid : train, document, piece, last);
            } else if (toTrain <= 0) {
                encode(valid, document, piece, last);
            } else if (toTrain >= bytes) {
                encode(train, document, piece, last);
            } else {
                int cut = TextReader.boundary(piece, (int) (piece.length() * toTrain / bytes));
                encode(train, document, piece.substring(0, cut), false);
                encode(valid, document, piece.substring(cut), last);
            }
            if (last) {
                document++;
            }
        }

        private void encode(Side side, int document, String piece, boolean last) {
            side.count(document);
            Future<int[]> ids = workers.submit(() -> {
                int[] encoded = tokenizer.encode(piece);
                if (last) {
                    encoded = Arrays.copyOf(encoded, encoded.length + 1);
                    encoded[encoded.length - 1] = tokenizer.endOfText();
                }
                return encoded;
            });
            pending.add(new Pending(ids, Text.utf8Length(piece), side));
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
                throw new IllegalStateException("the tokenizer failed on a text", e.getCause());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new UserException("preparation was interrupted: run it again", e);
            }
            written += next.bytes;
            progress.update(written, scan.bytes, train.writer.tokens() + valid.writer.tokens());
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
