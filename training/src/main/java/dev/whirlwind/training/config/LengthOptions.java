package dev.whirlwind.training.config;

import dev.whirlwind.model.UserException;
import java.util.Objects;
import java.util.stream.Stream;

/** How long a run is, and what a step reads. */
public record LengthOptions(
        @Option(range = Range.POSITIVE, help = "Length of the run in optimizer steps; or give --epochs or --tokens.")
        Long steps,

        @Option(range = Range.POSITIVE, help = "Length of the run in passes over --data. One when no length is given.")
        Double epochs,

        @Option(range = Range.POSITIVE, help = "Length of the run in tokens.")
        Long tokens,

        @Option(value = "8", range = Range.ONE_OR_MORE, help = "Sequences that are computed at once.")
        int batch,

        @Option(
                value = "0",
                label = "TOKENS",
                range = Range.SEQUENCE,
                help = "Tokens of a sequence; 0 for the model's longest, 1024 at most.")
        int sequence,

        @Option(
                label = "TYPE:X",
                help =
                        "Make the model one for X times longer texts, by scaled rotations: linear, dynamic, yarn or llama3, such"
                                + " as yarn:4; config.json of what is saved says so.")
        String ropeScaling,

        @Option(
                value = "1",
                range = Range.ONE_OR_MORE,
                help = "Batches of which an optimizer step adds up the gradients.")
        int accumulation) {

    public LengthOptions {
        if (Stream.of(steps, epochs, tokens).filter(Objects::nonNull).count() > 1) {
            throw new UserException("steps, epochs and tokens each give the length of the run; keep one of them");
        }
    }

    /**
     * Optimizer steps of the whole run.
     *
     * @param sequencesPerEpoch training sequences in one pass over {@code data}, replayed ones included
     * @param sequenceLength tokens of a sequence
     */
    public long totalSteps(long sequencesPerEpoch, int sequenceLength) {
        long perStep = (long) batch * accumulation;
        if (steps != null) {
            return steps;
        }
        if (tokens != null) {
            return Math.max(1, Math.ceilDiv(tokens, perStep * sequenceLength));
        }
        return Math.ceilDiv(totalSequences(sequencesPerEpoch), perStep);
    }

    /**
     * Training sequences of the whole run. Epochs are exact: the last step reads what is left of them, as the last batch
     * of transformers' Trainer does, so that no sequence is left out and none comes once more than others. Steps and
     * tokens set no bound; all their steps are full.
     */
    public long totalSequences(long sequencesPerEpoch) {
        boolean byEpochs = steps == null && tokens == null;
        return byEpochs ? (long) Math.ceil((epochs == null ? 1 : epochs) * sequencesPerEpoch) : Long.MAX_VALUE;
    }

    /** Tokens of a sequence, for a model of so many positions. */
    public int sequenceLength(int maxPositions) {
        return sequenceLength(sequence, maxPositions);
    }

    /** What 0 means: the model's longest, as far as that is usual. */
    public static int sequenceLength(int sequence, int maxPositions) {
        return sequence == 0 ? Math.min(maxPositions, 1024) : sequence;
    }
}
