package dev.whirlwind.training.config;

import dev.whirlwind.model.UserException;
import dev.whirlwind.training.optimizers.Schedule;
import dev.whirlwind.training.optimizers.Schedule.Fall;
import dev.whirlwind.training.optimizers.Schedule.Shape;

/** The learning rate of each step. */
public record ScheduleOptions(
        @Option(value = "1e-4", range = Range.LEARNING_RATE, help = "Highest learning rate.")
        double lr,

        @Option(needs = "schedule!=constant", help = "Learning rate at the end. Default: a tenth of --lr.")
        Double minLr,

        @Option(
                value = "cosine",
                label = "SHAPE",
                help = "After the warm-up: cosine, linear, constant, wsd, infinite, inverseSqrt.")
        Shape schedule,

        @Option(
                value = "0.02",
                label = "N|X",
                range = Range.NOT_NEGATIVE,
                help = "Steps in which the learning rate rises; below 1 a fraction of all.")
        double warmup,

        @Option(
                needs = {"schedule=wsd", "schedule=infinite"},
                value = "0.1",
                label = "N|X",
                range = Range.NOT_NEGATIVE,
                help = "Steps of the last fall of wsd and infinite; below 1 a fraction of all.")
        double decay,

        @Option(
                needs = "schedule=wsd",
                value = "linear",
                help = "How wsd falls: linear, sqrt (1 - sqrt), cosine or exponential.")
        Fall fall) {

    public ScheduleOptions {
        Range.require(
                schedule != Shape.WSD || fall != Fall.EXPONENTIAL || minLr == null || minLr > 0,
                "min_lr",
                minLr,
                "above 0 for a fall that is exponential, which never comes to 0");
        Range.require(
                minLr == null || minLr == 0 || (minLr >= Float.MIN_NORMAL && minLr <= lr),
                "min_lr",
                minLr,
                "0, or above 0, as a float, and at most lr");
        Range.require(
                schedule != Shape.INFINITE || minLr == null || minLr > 0,
                "min_lr",
                minLr,
                "above 0 for the schedule infinite, whose fall is exponential and never comes to 0; wsd's does");
    }

    /**
     * Checks that the parts of the schedule fit into a run of so many steps.
     *
     * @throws UserException if they do not
     */
    public void requireRoom(long totalSteps) {
        long rise = share(warmup, totalSteps);
        boolean falls = schedule == Shape.WSD || schedule == Shape.INFINITE;
        long parts = rise + (falls ? share(decay, totalSteps) : 0);
        if (parts > totalSteps) {
            throw new UserException("the schedule needs " + parts + " steps (warmup " + rise
                    + (falls ? ", decay " + (parts - rise) : "") + "), but the run has " + totalSteps
                    + "; give it more steps, or shorter parts");
        }
    }

    /** In a run of so many steps. */
    public Schedule over(long totalSteps) {
        return new Schedule(
                schedule,
                totalSteps,
                share(warmup, totalSteps),
                share(decay, totalSteps),
                lr,
                minLr == null ? lr / 10 : minLr,
                fall);
    }

    private static long share(double stepsOrFraction, long totalSteps) {
        return Math.round(stepsOrFraction < 1 ? stepsOrFraction * totalSteps : stepsOrFraction);
    }
}
