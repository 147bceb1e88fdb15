package dev.whirlwind.data;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/**
 * The sequences of a training run in their order. A position counts sequences from the start of the run, on through the
 * epochs; what lies there is a pure function of it, so a run resumes from the number of sequences it has seen.
 */
public interface TrainingSequences {
    /** Tokens predicted in a sequence. */
    int sequence();

    /** Positions in one pass over the data. */
    long perEpoch();

    /**
     * What a source gave.
     *
     * @param sequences how many
     * @param passes the same in passes over all that it has
     */
    record Share(long sequences, double passes) {}

    /**
     * Where a sequence comes from.
     *
     * @param source the name that {@link #shares} has
     * @param sequence its number there: it predicts tokens {@code sequence * length + 1} to {@code (sequence + 1) * length}
     */
    record Place(String source, long sequence) {}

    /** What lies at a position; where they are not shuffled, the sequence of that number. */
    default Place place(long position) {
        return new Place("data", position);
    }

    /** How the order comes about, where it is not told by what lies at the first positions; empty where it is. */
    default String recipe() {
        return "";
    }

    /** What each source gave to the sequences before a position, by the source's name. */
    default SequencedMap<String, Share> shares(long position) {
        SequencedMap<String, Share> shares = new LinkedHashMap<>();
        shares.put("data", new Share(position, (double) position / perEpoch()));
        return shares;
    }

    /**
     * Writes the sequence of a position: its tokens to {@code tokens[offset .. offset + sequence - 1]}, and for each the
     * token that comes after it to {@code targets} at the same place; -1 where none is predicted.
     */
    void read(long position, int[] tokens, int[] targets, int offset);

    /** How many tokens are predicted in the sequence of a position. */
    default int predicted(long position) {
        return sequence();
    }

    /**
     * Fills {@code [batch * sequence]} tokens and targets with the sequences of {@code rows} positions in turn; in rows
     * beyond them tokens are 0 and targets -1, so that nothing is predicted there.
     */
    default void fill(long position, int rows, int batch, int[] tokens, int[] targets) {
        for (int row = 0; row < rows; row++) {
            read(position + row, tokens, targets, row * sequence());
        }
        Arrays.fill(tokens, rows * sequence(), batch * sequence(), 0);
        Arrays.fill(targets, rows * sequence(), batch * sequence(), -1);
    }
}
