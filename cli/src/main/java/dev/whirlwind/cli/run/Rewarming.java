package dev.whirlwind.cli.run;

import dev.whirlwind.model.UserException;
import dev.whirlwind.training.checkpoints.Checkpoints;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.optimizers.Schedule;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/** A new run with a model that another run of ours has made: its learning rate rises again from where that one's had come to. */
final class Rewarming {
    /** Of any length, the schedule ends the same. */
    private static final long ANY_LENGTH = 1000;

    private Rewarming() {}

    /** What there is to say about it; nothing of other models. */
    static Optional<String> of(TrainConfig config) {
        if (config.data().extend() != null) {
            return Optional.empty();
        }
        Path model = Path.of(config.data().model()).toAbsolutePath().normalize();
        return Stream.of(
                        model.getParent(),
                        model.getParent() == null ? null : model.getParent().getParent())
                .filter(run -> run != null && Files.isRegularFile(run.resolve(Run.CONFIG)))
                .findFirst()
                .flatMap(run -> words(run, config));
    }

    private static Optional<String> words(Path run, TrainConfig config) {
        Schedule before;
        try {
            before = TrainConfig.of(ConfigFile.read(run.resolve(Run.CONFIG)), run.toString())
                    .schedule()
                    .over(ANY_LENGTH);
        } catch (UserException _) {
            // Not one of ours.
            return Optional.empty();
        }
        double last = before.at(ANY_LENGTH);
        double peak = config.schedule().lr();
        String extend = Files.isDirectory(run.resolve(Checkpoints.PLATEAU))
                ? "; train --extend " + run + " goes on from its plateau instead"
                : "";
        return Optional.of(
                ("this begins a new run: the learning rate of %s peaked at %.3g and came to %.3g, and now rises"
                                + " again to %.3g, %.3g times its old peak, with new moments; the loss may rise at first, and more is"
                                + " forgotten the higher it is (arXiv 2403.08763)%s")
                        .formatted(run, before.peak(), last, peak, peak / before.peak(), extend));
    }
}
