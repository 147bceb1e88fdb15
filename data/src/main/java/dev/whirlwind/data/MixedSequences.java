package dev.whirlwind.data;

import java.util.SequencedMap;

/**
 * New data with sequences of the old data mixed in, evenly, so that a model keeps what it knew while it learns ("replay":
 * Ibrahim et al., "Simple and scalable strategies to continually pre-train large language models", arXiv 2403.08763).
 * Among the first p positions exactly {@code floor(p * fraction)} are of the old data, whatever p.
 */
public final class MixedSequences implements TrainingSequences {
    private final TrainingSequences data;
    private final TrainingSequences replay;
    private final double fraction;

    /** The fraction times 2^64, as an unsigned number: positions are counted without rounding. */
    private final long scaled;

    /** @param fraction of sequences taken from {@code replay}, in [0, 1) */
    public MixedSequences(TrainingSequences data, TrainingSequences replay, double fraction) {
        if (!(fraction >= 0 && fraction < 1)) {
            throw new IllegalArgumentException("replay fraction " + fraction + " is not in [0, 1)");
        }
        if (data.sequence() != replay.sequence()) {
            throw new IllegalArgumentException("sequences of " + data.sequence() + " and " + replay.sequence());
        }
        this.data = data;
        this.replay = replay;
        this.fraction = fraction;
        scaled = (long) (fraction * 0x1p63) << 1;
    }

    @Override
    public int sequence() {
        return data.sequence();
    }

    /** Positions in which each of the new data comes once, with its share of the old. */
    @Override
    public long perEpoch() {
        // From above, as the division may round: the last position before the new data begin again.
        long positions = (long) Math.ceil(data.perEpoch() / (1 - fraction)) + 1;
        while (positions - replayedBefore(positions) > data.perEpoch()) {
            positions--;
        }
        return positions;
    }

    @Override
    public Place place(long position) {
        long replayed = replayedBefore(position);
        return replayedBefore(position + 1) > replayed
                ? new Place("replay", replay.place(replayed).sequence())
                : data.place(position - replayed);
    }

    @Override
    public void read(long position, int[] tokens, int[] targets, int offset) {
        long replayed = replayedBefore(position);
        if (replayedBefore(position + 1) > replayed) {
            replay.read(replayed, tokens, targets, offset);
        } else {
            data.read(position - replayed, tokens, targets, offset);
        }
    }

    @Override
    public int predicted(long position) {
        long replayed = replayedBefore(position);
        return replayedBefore(position + 1) > replayed
                ? replay.predicted(replayed)
                : data.predicted(position - replayed);
    }

    @Override
    public String recipe() {
        return data.recipe();
    }

    @Override
    public SequencedMap<String, Share> shares(long position) {
        long replayed = replayedBefore(position);
        SequencedMap<String, Share> shares = data.shares(position - replayed);
        shares.put("replay", new Share(replayed, (double) replayed / replay.perEpoch()));
        return shares;
    }

    private long replayedBefore(long position) {
        return Math.unsignedMultiplyHigh(position, scaled);
    }
}
