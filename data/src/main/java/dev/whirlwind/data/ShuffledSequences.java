package dev.whirlwind.data;

import dev.whirlwind.model.UserException;

/**
 * A token source cut into sequences, shuffled anew in each epoch. Sequence i predicts tokens {@code i * sequence + 1} to
 * {@code (i + 1) * sequence}, each from those before it, so that every token but the first is predicted once per epoch
 * (and up to {@code sequence - 1} at the end never).
 */
public final class ShuffledSequences implements TrainingSequences {
    private final TokenSource source;
    private final int sequence;
    private final long count;
    private final SequenceOrder order;

    /** @throws UserException when the source is shorter than one sequence */
    public ShuffledSequences(TokenSource source, int sequence, long seed) {
        if (sequence < 1) {
            throw new IllegalArgumentException("sequence of " + sequence + " tokens");
        }
        this.source = source;
        this.sequence = sequence;
        count = (source.tokens() - 1) / sequence;
        if (count < 1) {
            throw new UserException(source.name() + " holds " + source.tokens() + " tokens, but one sequence of "
                    + sequence + " needs " + (sequence + 1L) + ": add text or use a shorter sequence");
        }
        order = new SequenceOrder(count, seed);
    }

    @Override
    public int sequence() {
        return sequence;
    }

    @Override
    public long perEpoch() {
        return count;
    }

    @Override
    public Place place(long position) {
        return new Place("data", order.at(position));
    }

    @Override
    public void read(long position, int[] tokens, int[] targets, int offset) {
        long first = order.at(position) * sequence;
        source.read(first, tokens, offset, sequence);
        source.read(first + 1, targets, offset, sequence);
    }
}
