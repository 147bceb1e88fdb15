package dev.whirlwind.training;

import dev.whirlwind.data.TrainingSequences;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32C;
import tools.jackson.core.JacksonException;

/**
 * {@code trainer_state.json}: where a run stands, apart from weights and moments. Random numbers need no state: the
 * order of sequences and the dropout masks are functions of seed, position and step.
 */
final class TrainerState {
    static final String NAME = "trainer_state.json";
    private static final int CHECKED_SEQUENCES = 16;

    /** Optimizer steps done, skipped ones included. */
    public long step;

    /** Steps that changed the weights: AdamW's t. */
    public long updates;

    /** Training tokens read. */
    public long tokens;

    /** Training sequences read: the position in the data order. */
    public long position;

    public double elapsedSeconds;

    /** The last step after which the held-out sets were evaluated; -1 for none. */
    public long evaluatedStep = -1;

    /** Lowest loss so far of the first held-out set, in nats; null before the first evaluation. */
    public Double bestLoss;

    public long bestStep;

    /** Evaluations since then. */
    public int evaluationsSinceBest;

    public LossGuard lossGuard = new LossGuard();

    /** What must stay the same for a resumed run to be the same run. */
    public long seed;

    public int batch;
    public int sequence;
    public int accumulation;
    public long sequencesPerEpoch;
    public long dataChecksum;

    /** The state before the first step. */
    static TrainerState start(TrainConfig config, TrainingSequences data) {
        TrainerState state = new TrainerState();
        state.seed = config.seed();
        state.batch = config.batch();
        state.sequence = data.sequence();
        state.accumulation = config.accumulation();
        state.sequencesPerEpoch = data.perEpoch();
        state.dataChecksum = checksum(data);
        return state;
    }

    /** CRC-32C of some of the sequences in their order, which tells text that was changed since. */
    private static long checksum(TrainingSequences data) {
        int[] tokens = new int[data.sequence()];
        int[] targets = new int[data.sequence()];
        ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES * data.sequence());
        CRC32C crc = new CRC32C();
        for (int i = 0; i < CHECKED_SEQUENCES; i++) {
            data.read(data.perEpoch() * i / CHECKED_SEQUENCES, tokens, targets, 0);
            bytes.clear().asIntBuffer().put(tokens);
            crc.update(bytes);
        }
        return crc.getValue();
    }

    /** A checkpoint's state, which must fit what the run is now asked for. */
    static TrainerState read(Path checkpoint, TrainerState start) {
        Path file = checkpoint.resolve(NAME);
        TrainerState state;
        try {
            state = Json.MAPPER.readValue(Files.readAllBytes(file), TrainerState.class);
        } catch (IOException e) {
            throw new UserException(file + ": cannot be read (" + Reason.of(e) + ")", e);
        } catch (JacksonException e) {
            throw new UserException(file + ": is not a trainer state (" + Reason.of(e) + ")", e);
        }
        same(file, "seed", state.seed, start.seed);
        same(file, "batch", state.batch, start.batch);
        same(file, "sequence", state.sequence, start.sequence);
        same(file, "accumulation", state.accumulation, start.accumulation);
        same(file, "training sequences per epoch", state.sequencesPerEpoch, start.sequencesPerEpoch);
        same(file, "training data of checksum", state.dataChecksum, start.dataChecksum);
        return state;
    }

    void write(Path folder) throws IOException {
        Files.write(
                folder.resolve(NAME),
                Json.MAPPER.writerWithDefaultPrettyPrinter().writeValueAsBytes(this));
    }

    private static void same(Path file, String what, long then, long now) {
        if (then != now) {
            throw new UserException(file + ": the run so far had " + what + " " + then + ", and is now given " + now
                    + "; give it what it had, or start a new run with --model " + file.getParent());
        }
    }
}
