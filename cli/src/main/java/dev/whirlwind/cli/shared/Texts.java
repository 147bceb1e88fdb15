package dev.whirlwind.cli.shared;

import dev.whirlwind.data.DocumentPieces;
import dev.whirlwind.data.TokenDataset;
import dev.whirlwind.data.TokenDocuments;
import dev.whirlwind.data.TokenSource;
import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.data.sources.Findings;
import dev.whirlwind.data.sources.formats.Kind;
import dev.whirlwind.data.tokenizers.BadText;
import dev.whirlwind.data.tokenizers.SpecialTokens;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.UserException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/** Texts to be measured on: a split of a prepared folder, or files and folders read into memory as they are. */
public final class Texts {
    private Texts() {}

    /**
     * The tokens of a prepared folder's split, or of all the text found under a path.
     *
     * @param notes told of what was read as what, and of what was passed over
     */
    public static TokenSource open(
            Path path, String split, Tokenizer tokenizer, int vocabulary, Consumer<String> notes) {
        if (TokenDataset.isPrepared(path)) {
            TokenDataset dataset = TokenDataset.open(path, split, vocabulary);
            dataset.requireTokenizer(tokenizer);
            if (!dataset.isChecked()) {
                notes.accept(path + " was prepared before shards had checksums, so damage in it is not noticed; to have"
                        + " them, prepare it again");
            }
            return dataset;
        }
        return read(Corpus.of(List.of(path)), tokenizer, vocabulary, notes);
    }

    /** The same of several: one prepared folder, or whatever else together. */
    public static TokenSource open(
            List<Path> paths, String split, Tokenizer tokenizer, int vocabulary, Consumer<String> notes) {
        return paths.size() == 1
                ? open(paths.getFirst(), split, tokenizer, vocabulary, notes)
                : read(Corpus.of(paths), tokenizer, vocabulary, notes);
    }

    /** A whole corpus in memory, its documents as {@code prepare} would join them. */
    static TokenSource read(Corpus corpus, Tokenizer tokenizer, int vocabulary, Consumer<String> notes) {
        Collector collector = new Collector(corpus, tokenizer);
        corpus.read(collector);
        if (collector.bytes == 0) {
            String passedOver = collector.findings.passedOver();
            throw new UserException(corpus.name() + ": holds no text"
                    + (passedOver.isEmpty() ? "" : " (passed over " + passedOver + ")") + "; add UTF-8 text files");
        }
        collector.findings.lines(corpus.name()).forEach(notes);
        return TokenSource.of(
                corpus.name(),
                Arrays.copyOf(collector.tokens, collector.count),
                collector.bytes,
                vocabulary,
                tokenizer.endOfDocument());
    }

    private static final class Collector implements Corpus.Sink {
        private final DocumentPieces pieces;
        private int[] tokens = new int[1 << 16];
        private int count;
        private long bytes;
        private final Findings findings = new Findings();
        private final TokenDocuments tokenDocuments;
        private boolean first = true;

        Collector(Corpus corpus, Tokenizer tokenizer) {
            tokenDocuments = new TokenDocuments(tokenizer, (document, ids, more, last) -> {
                append(new DocumentPieces.Piece(document, "", first, last).around(tokenizer, ids));
                bytes += more;
                first = last;
                if (last) {
                    findings.document();
                }
            });
            pieces = new DocumentPieces(tokenizer, DocumentPieces.LENGTH, piece -> {
                try {
                    append(piece.tokens(tokenizer, SpecialTokens.TEXT));
                } catch (BadText e) {
                    throw new UserException(
                            corpus.name() + ": " + piece.document() + ": " + e.getMessage() + "; remove it", e);
                }
            });
        }

        @Override
        public void text(String document, String piece, boolean last) {
            bytes += piece.getBytes(StandardCharsets.UTF_8).length;
            pieces.add(document, piece, last);
            if (last) {
                findings.document();
            }
        }

        @Override
        public void tokens(String file, int[] ids, boolean last) {
            tokenDocuments.add(file, ids, last);
        }

        private void append(int[] more) {
            if (count + more.length > tokens.length) {
                tokens = Arrays.copyOf(tokens, Math.max(count + more.length, Math.multiplyExact(2, tokens.length)));
            }
            System.arraycopy(more, 0, tokens, count, more.length);
            count += more.length;
        }

        @Override
        public void passedOver(Corpus.PassedOver what) {
            findings.passedOver(what);
        }

        @Override
        public void found(Kind kind, String name) {
            findings.found(kind, name);
        }
    }
}
