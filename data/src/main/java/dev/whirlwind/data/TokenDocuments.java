package dev.whirlwind.data;

import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.UserException;
import java.util.Arrays;
import java.util.Set;

/**
 * Finds the documents in tokens that another program made: they end with end-of-text tokens, whether those were written
 * before or after them. Documents go on without these, and without what the tokenizer puts before a text.
 */
public final class TokenDocuments {
    /** Takes documents in pieces, the last of which may be empty. */
    public interface Out {
        /** Takes what comes next; {@code bytes} of text are what it stands for. */
        void take(String document, int[] ids, long bytes, boolean last);
    }

    private final Tokenizer tokenizer;

    /** Bytes of each id, once there are any. */
    private int[] byteLengths;

    private final int vocabulary;
    private final int[] before;
    private final Set<Integer> ends;
    private final Out out;
    private int[] piece = new int[1 << 12];
    private int length;
    private long number = 1;
    private boolean begun;
    private int skipped;

    /** For one model's tokens, all of one file before the next. */
    public TokenDocuments(Tokenizer tokenizer, Out out) {
        this.tokenizer = tokenizer;
        vocabulary = tokenizer.vocabularySize();
        before = tokenizer.before();
        int end = tokenizer.endOfText().id();
        ends = end < 0 ? Set.of() : Set.of(end);
        this.out = out;
    }

    /**
     * Takes what comes next.
     *
     * @param file errors call it so, and documents with a number behind
     * @param last whether a document ends here in any case
     * @throws UserException when the tokenizer knows no such token
     */
    public void add(String file, int[] ids, boolean last) {
        for (int id : ids) {
            if (id < 0 || id >= vocabulary) {
                throw new UserException(
                        file + ": holds the token " + Integer.toUnsignedString(id)
                                + ", which is beyond the vocabulary of " + vocabulary
                                + ": it was made with another tokenizer, or its tokens are of another type than they were read as");
            }
            if (ends.contains(id)) {
                end(file);
            } else if (!begun && skipped < before.length && id == before[skipped]) {
                skipped++;
            } else {
                for (int i = 0; !begun && i < skipped; i++) {
                    append(before[i]);
                }
                begun = true;
                append(id);
            }
        }
        if (begun && length > 0) {
            give(file, false);
        }
        if (last) {
            end(file);
            number = 1;
        }
    }

    private void append(int id) {
        if (length == piece.length) {
            piece = Arrays.copyOf(piece, 2 * length);
        }
        piece[length++] = id;
    }

    private void end(String file) {
        if (begun) {
            give(file, true);
            number++;
        }
        begun = false;
        skipped = 0;
    }

    private void give(String file, boolean last) {
        long bytes = 0;
        for (int i = 0; i < length; i++) {
            bytes += bytes(piece[i]);
        }
        out.take(file + "#" + number, Arrays.copyOf(piece, length), bytes, last);
        length = 0;
    }

    /** Of text that a token stands for. */
    int bytes(int id) {
        if (byteLengths == null) {
            byteLengths = tokenizer.byteLengths();
        }
        return byteLengths[id];
    }
}
