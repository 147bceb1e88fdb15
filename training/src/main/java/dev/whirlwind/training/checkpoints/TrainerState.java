package dev.whirlwind.training.checkpoints;

import dev.whirlwind.data.TrainingSequences;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.files.WholeFile;
import dev.whirlwind.training.config.OptimizerOptions.Method;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.metrics.Json;
import dev.whirlwind.training.optimizers.LossGuard;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.zip.CRC32C;
import tools.jackson.core.JacksonException;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.JsonNode;

/**
 * {@code trainer_state.json}: where a run stands, apart from weights and moments. Random numbers need no state: the
 * order of sequences and the dropout masks are functions of seed, position and step.
 */
public final class TrainerState {
    public static final String NAME = "trainer_state.json";
    private static final int CHECKED_SEQUENCES = 16;

    /** Optimizer steps done, skipped ones included. */
    public long step;

    /** Steps that changed the weights: the optimizer's t. */
    public long updates;

    /** Training tokens read. */
    public long tokens;

    /** Training sequences read: the position in the data order. */
    public long position;

    /** What the run that this one extends had of updates and, in the same data, of sequences when it began. */
    public long updatesBefore;

    public long positionBefore;

    public double elapsedSeconds;

    /** The last step after which the held-out sets were evaluated; -1 for none. */
    public long evaluatedStep = -1;

    /** The last step after which samples were drawn; -1 for none. */
    public long sampledStep = -1;

    /** Lowest loss so far of the held-out set that judges, in nats; null before the first evaluation. */
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

    /** The optimizer that the moments are those of; older versions had one only. */
    public String optimizer = Method.ADAMW.toString();

    /** Length of the run in optimizer steps; 0 where an older version did not record it. */
    public long totalSteps;

    /** Whether documents of a sequence are read apart. */
    public boolean documentMask;

    /** The {@link TrainConfig#lasting} options; null where an older version did not record them. */
    public SequencedMap<String, JsonNode> options;

    /** What tells {@link Companions}, by name; null where an older version did not record it. */
    public SequencedMap<String, String> companions;

    /** The state before the first step. */
    public static TrainerState start(TrainConfig config, TrainingSequences data) {
        TrainerState state = new TrainerState();
        state.seed = config.data().seed();
        state.batch = config.length().batch();
        state.sequence = data.sequence();
        state.accumulation = config.length().accumulation();
        state.sequencesPerEpoch = data.perEpoch();
        state.dataChecksum = checksum(data);
        state.optimizer = config.optimizer().optimizer().toString();
        state.totalSteps = config.length().totalSteps(state.sequencesPerEpoch, state.sequence);
        state.options = lasting(config);
        state.companions = Companions.of(config.regularisation());
        return state;
    }

    /** CRC-32C of some of the sequences in their order, which tells text that was changed since. */
    private static long checksum(TrainingSequences data) {
        int[] tokens = new int[data.sequence()];
        int[] targets = new int[data.sequence()];
        ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES * data.sequence());
        CRC32C crc = new CRC32C();
        crc.update(data.recipe().getBytes(StandardCharsets.UTF_8));
        for (int i = 0; i < CHECKED_SEQUENCES; i++) {
            data.read(data.perEpoch() * i / CHECKED_SEQUENCES, tokens, targets, 0);
            bytes.clear().asIntBuffer().put(tokens);
            crc.update(bytes);
        }
        return crc.getValue();
    }

    /**
     * A checkpoint's state.
     *
     * @throws UserException if it cannot be the state of any run
     */
    public static TrainerState read(Path checkpoint) {
        Path file = checkpoint.resolve(NAME);
        try {
            TrainerState state = Json.MAPPER.readValue(WholeFile.read(file, WholeFile.SETTINGS), TrainerState.class);
            if (state == null || !state.isSound()) {
                throw Manifest.damaged(file, "is not the state of a run");
            }
            return state;
        } catch (IOException e) {
            throw Manifest.damaged(file, "cannot be read: " + Reason.of(e));
        } catch (JacksonException e) {
            throw Manifest.damaged(file, "is not a trainer state (" + Reason.of(e) + ")");
        }
    }

    /** Goes on from the state of another run: its moments are taken over, and of the same data what it had not read yet. */
    public void extend(TrainerState other) {
        updatesBefore = other.updates;
        updates = other.updates;
        boolean sameData = other.seed == seed
                && other.sequence == sequence
                && other.sequencesPerEpoch == sequencesPerEpoch
                && other.dataChecksum == dataChecksum;
        positionBefore = sameData ? other.position : 0;
        position = positionBefore;
    }

    private boolean isSound() {
        return step > 0
                && updates >= 0
                && updatesBefore >= 0
                && updates <= step + updatesBefore
                && tokens >= 0
                && position >= 0
                && positionBefore >= 0
                && position <= positionBefore + (double) step * batch * accumulation
                && isFiniteAndNotNegative(elapsedSeconds)
                && evaluatedStep >= -1
                && evaluatedStep <= step
                && sampledStep >= -1
                && sampledStep <= step
                && (bestLoss == null || Double.isFinite(bestLoss))
                && bestStep >= 0
                && bestStep <= step
                && evaluationsSinceBest >= 0
                && lossGuard != null
                && Double.isFinite(lossGuard.mean)
                && isFiniteAndNotNegative(lossGuard.variance)
                && lossGuard.count >= 0
                && optimizer != null
                && totalSteps >= 0;
    }

    private static boolean isFiniteAndNotNegative(double value) {
        return value >= 0 && value < Double.POSITIVE_INFINITY;
    }

    /**
     * What a resumed run must have as this one had it, or its place in the data would be another.
     *
     * @throws UserException if it has not
     */
    public void requireSameData(Path checkpoint, TrainerState now) {
        Path file = checkpoint.resolve(NAME);
        same(file, "seed", seed, now.seed);
        same(file, "batch", batch, now.batch);
        same(file, "sequence", sequence, now.sequence);
        same(file, "accumulation", accumulation, now.accumulation);
        same(file, "training sequences per epoch", sequencesPerEpoch, now.sequencesPerEpoch);
        same(file, "training data of checksum", dataChecksum, now.dataChecksum);
    }

    /**
     * Moments of one optimizer mean nothing to another, and what was frozen has none.
     *
     * @throws UserException if the run so far had other ones
     */
    public void requireSameMoments(Path checkpoint, TrainConfig config) {
        Path file = checkpoint.resolve(NAME);
        Map<String, JsonNode> now = lasting(config);
        JsonNode frozen = options == null ? null : options.get("freeze");
        same(file, "optimizer", optimizer, config.optimizer().optimizer().toString());
        same(file, "freeze", frozen == null ? now.get("freeze") : frozen, now.get("freeze"));
    }

    /** The options that are no longer as they are recorded, in words. */
    public List<String> changes(TrainConfig config) {
        if (options == null) {
            return List.of();
        }
        boolean seamless = isSeamless(config);
        List<String> changes = new ArrayList<>();
        lasting(config).forEach((name, now) -> {
            JsonNode then = options.get(name);
            if (then != null && !then.toString().equals(now.toString()) && !(seamless && isLength(name))) {
                changes.add(name + " was " + then + " and is " + now);
            }
        });
        return changes;
    }

    /** What goes by the name of what the run began with, and holds something else, in words. */
    public List<String> replaced(TrainerState now) {
        List<String> replaced = new ArrayList<>();
        if (companions != null) {
            now.companions.forEach((name, hash) -> {
                String then = companions.get(name);
                if (then != null && !then.equals(hash)) {
                    replaced.add("%s holds something else than it did (SHA-256 was %.8s... and is %.8s...)"
                            .formatted(name, then, hash));
                }
            });
        }
        return replaced;
    }

    private static boolean isLength(String name) {
        return List.of("steps", "epochs", "tokens").contains(name);
    }

    /**
     * Whether the run may become longer or shorter than it was: the learning rate of the next step is the same either way,
     * as on the plateau of a schedule that has one.
     */
    public boolean isSeamless(TrainConfig config) {
        double before = config.schedule().over(totalSteps).at(step);
        return totalSteps > 0 && totalSteps(config) >= step && Math.abs(before - nextRate(config)) <= 1e-9 * before;
    }

    private long totalSteps(TrainConfig config) {
        return config.length().totalSteps(sequencesPerEpoch, sequence);
    }

    /** Learning rate of the step that comes next. */
    private double nextRate(TrainConfig config) {
        return config.schedule().over(totalSteps(config)).at(step);
    }

    /** What changed options make of the learning rate where the run stands, in words; empty if nothing. */
    public String jump(TrainConfig config) {
        if (options == null || totalSteps == 0) {
            return "";
        }
        Map<String, JsonNode> then = new LinkedHashMap<>(options);
        then.keySet().retainAll(config.lasting().keySet());
        double before = TrainConfig.of(then, NAME).schedule().over(totalSteps).at(step);
        double after = nextRate(config);
        return Math.abs(before - after) <= 1e-9 * before
                ? ""
                : "; the learning rate would jump from %.3g to %.3g".formatted(before, after);
    }

    /** As it is read back from a file. */
    private static SequencedMap<String, JsonNode> lasting(TrainConfig config) {
        return Json.MAPPER.readValue(
                Json.MAPPER.writeValueAsBytes(config.lasting()),
                new TypeReference<LinkedHashMap<String, JsonNode>>() {});
    }

    void write(Path folder) throws IOException {
        Storage.write(folder.resolve(NAME), Json.pretty(this));
    }

    private static void same(Path file, String what, Object then, Object now) {
        if (!then.equals(now)) {
            throw new UserException(file + ": the run so far had " + what + " " + then + ", and is now given " + now
                    + "; give it what it had, or start a new run with --model " + file.getParent());
        }
    }
}
