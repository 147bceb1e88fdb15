package dev.whirlwind.cli.tokenizer;

import dev.whirlwind.data.DocumentPieces;
import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.data.sources.Findings;
import dev.whirlwind.data.sources.formats.Kind;
import dev.whirlwind.data.tokenizers.BadText;
import dev.whirlwind.data.tokenizers.Text;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.UserException;
import java.util.BitSet;
import java.util.function.LongConsumer;

/** What a tokenizer makes of a text: how many tokens, and which. What stands around documents does not count. */
final class TokenUse implements Corpus.Sink {
    private final DocumentPieces pieces;
    private final Findings findings = new Findings();
    private final BitSet used = new BitSet();
    private final LongConsumer progress;
    private final int unknown;
    private long documents;
    private long bytes;
    private long tokens;
    private long unknowns;

    private TokenUse(Corpus corpus, Tokenizer tokenizer, LongConsumer progress) {
        this.progress = progress;
        unknown = tokenizer.description().unknown();
        pieces = new DocumentPieces(tokenizer, DocumentPieces.LENGTH, piece -> {
            try {
                count(
                        piece.first()
                                ? tokenizer.encode(piece.text())
                                : tokenizer.encode(tokenizer.continuation(piece.text())));
            } catch (BadText e) {
                throw new UserException(
                        corpus.name() + ": " + piece.document() + ": " + e.getMessage() + "; remove it", e);
            }
        });
    }

    /**
     * Reads a corpus.
     *
     * @param progress is told of bytes that have been read
     * @throws UserException when it holds no text
     */
    static TokenUse of(Corpus corpus, Tokenizer tokenizer, LongConsumer progress) {
        TokenUse use = new TokenUse(corpus, tokenizer, progress);
        corpus.read(use);
        if (use.tokens == 0) {
            throw new UserException(corpus.name() + ": holds no text; add UTF-8 text files");
        }
        return use;
    }

    private void count(int[] ids) {
        tokens += ids.length;
        for (int id : ids) {
            used.set(id);
            unknowns += id == unknown ? 1 : 0;
        }
    }

    @Override
    public void text(String document, String piece, boolean last) {
        bytes += Text.utf8Length(Text.wellFormed(piece));
        pieces.add(document, piece, last);
        progress.accept(bytes);
        if (last) {
            documents++;
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

    Findings findings() {
        return findings;
    }

    long documents() {
        return documents;
    }

    long bytes() {
        return bytes;
    }

    long tokens() {
        return tokens;
    }

    double bytesPerToken() {
        return (double) bytes / tokens;
    }

    /** Different tokens. */
    int used() {
        return used.cardinality();
    }

    /** How often the token for what is not known came. */
    long unknowns() {
        return unknowns;
    }
}
