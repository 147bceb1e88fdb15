package dev.whirlwind.data;

import dev.whirlwind.data.tokenizers.SpecialTokens;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.UserException;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/**
 * Documents on their way to a tokenizer. They come in pieces of any kind, and go in pieces that together have the tokens
 * of the whole: where no place to cut is known, the document is one piece.
 */
public final class DocumentPieces {
    /** Characters of a piece, of which there may be twice as many: large beside a word, small beside memory. */
    public static final int LENGTH = 1 << 18;

    /** Characters that can be encoded at once. */
    private static final int LONGEST = 1 << 28;

    /**
     * A piece of a document.
     *
     * @param first whether the document begins with it
     * @param last whether the document ends with it
     */
    public record Piece(String document, String text, boolean first, boolean last) {
        /**
         * Its tokens, with those that stand before a document and after it.
         *
         * @param names what those of special tokens are
         *
         * @throws dev.whirlwind.data.tokenizers.BadText when the tokenizer cannot read it
         */
        public int[] tokens(Tokenizer tokenizer, SpecialTokens names) {
            return around(tokenizer, names.encode(tokenizer, first ? text : tokenizer.continuation(text)));
        }

        /** Tokens of its own, with those that stand before a document and after it. */
        public int[] around(Tokenizer tokenizer, int[] own) {
            IntStream tokens = IntStream.of(own);
            if (first) {
                tokens = IntStream.concat(IntStream.of(tokenizer.before()), tokens);
            }
            return (last ? IntStream.concat(tokens, IntStream.of(tokenizer.afterDocument())) : tokens).toArray();
        }

        boolean isWhole() {
            return first && last;
        }
    }

    private final Tokenizer tokenizer;
    private final int length;
    private final Consumer<Piece> out;
    private final StringBuilder text = new StringBuilder();
    private boolean first = true;

    /** Up to here there is no place to cut. */
    private int searched;

    /**
     * Takes a corpus's documents one after the other.
     *
     * @param length of a piece at least, in characters, except for a document's last
     * @param out is given the pieces as soon as they are known
     */
    public DocumentPieces(Tokenizer tokenizer, int length, Consumer<Piece> out) {
        this.tokenizer = tokenizer;
        this.length = length;
        this.out = out;
    }

    /** Takes what comes next, all of one document before the next one. */
    public void add(String document, String piece, boolean last) {
        if (text.length() > LONGEST - piece.length()) {
            throw new UserException(document + ": is longer than " + LONGEST
                    + " characters, and has no place at which this tokenizer's tokens can be cut; split the file");
        }
        text.append(piece);
        if (last) {
            give(document, text.length(), true);
            first = true;
        } else if (text.length() - searched > length) {
            int cut = tokenizer.boundary(text, searched, text.length());
            if (cut > 0) {
                give(document, cut, false);
            } else {
                // The last place is searched again: it depends on what follows.
                searched = text.length() - 1;
            }
        }
    }

    /** Gives out what waits, without the document's end. */
    void breakOff(String document) {
        if (!text.isEmpty()) {
            give(document, text.length(), false);
        }
        first = true;
    }

    private void give(String document, int cut, boolean last) {
        out.accept(new Piece(document, text.substring(0, cut), first, last));
        text.delete(0, cut);
        first = false;
        searched = 0;
    }
}
