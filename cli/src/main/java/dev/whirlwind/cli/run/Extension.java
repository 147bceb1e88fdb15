package dev.whirlwind.cli.run;

import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.checkpoints.Checkpoints;
import dev.whirlwind.training.checkpoints.TrainerState;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.optimizers.Schedule;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/** {@code train --extend RUN}: a run that goes on where the plateau of another one ended. */
final class Extension {
    private Extension() {}

    /**
     * The options of the run, but for its length and folder: those of the other one, with the learning rate that its plateau
     * had, which stays until it falls as that one's did.
     */
    static TrainConfig of(Path run) {
        Path file = run.resolve(Run.CONFIG);
        Path plateau = run.resolve(Checkpoints.PLATEAU);
        if (!Files.isRegularFile(file)) {
            throw new UserException(run + ": is not the folder of a run (it has no " + Run.CONFIG + ")");
        }
        if (!Files.isDirectory(plateau)) {
            throw new UserException(
                    run + ": keeps no plateau to go on from; runs of the schedules wsd and infinite do, once"
                            + " they have come to its end; any run on a plateau is lengthened by resume --steps");
        }
        TrainConfig other = TrainConfig.of(ConfigFile.read(file), file.toString());
        TrainerState state = TrainerState.read(plateau);
        Schedule schedule = other.schedule().over(state.totalSteps);
        boolean infinite = schedule.shape() == Schedule.Shape.INFINITE;
        Map<String, Object> changes = new HashMap<>();
        changes.put("model", plateau.toString());
        changes.put("out", null);
        changes.put("log", null);
        changes.put("steps", null);
        changes.put("epochs", null);
        changes.put("tokens", null);
        changes.put("lr", schedule.at(state.step));
        changes.put("min_lr", schedule.min());
        changes.put("warmup", 0);
        changes.put("schedule", "wsd");
        changes.put("fall", infinite ? Schedule.Fall.EXPONENTIAL : schedule.fall());
        return other.with(changes, file.toString());
    }

    /** What cannot go on from there: an epoch would begin amid the other run's data, and its moments are those of its optimizer. */
    static void check(TrainConfig config) {
        Path plateau = Path.of(config.data().extend()).resolve(Checkpoints.PLATEAU);
        TrainerState.read(plateau).requireSameMoments(plateau, config);
        if (config.length().tokens() == null && config.length().steps() == null) {
            throw new UsageException("--extend needs --tokens or --steps: how much longer the run is to be");
        }
    }
}
