package dev.whirlwind.training.config;

import dev.whirlwind.training.optimizers.Schedule;
import dev.whirlwind.training.optimizers.Schedule.Shape;

/** The learning rate of each step. */
public record ScheduleOptions(
        @Option(value = "1e-4", range = Range.LEARNING_RATE, help = "Highest learning rate.")
        double lr,

        @Option(help = "Learning rate at the end. Default: a tenth of --lr.")
        Double minLr,

        @Option(value = "cosine", label = "SHAPE", help = "After the warm-up: cosine, linear, constant, wsd, infinite.")
        Shape schedule,

        @Option(
                value = "0.02",
                label = "N|X",
                range = Range.NOT_NEGATIVE,
                help = "Steps in which the learning rate rises; below 1 a fraction of all.")
        double warmup,

        @Option(
                value = "0.1",
                label = "N|X",
                range = Range.NOT_NEGATIVE,
                help = "Steps of the last fall of wsd and infinite; below 1 a fraction of all.")
        double decay) {

    public ScheduleOptions {
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

    /** In a run of so many steps. */
    public Schedule over(long totalSteps) {
        return new Schedule(
                schedule,
                totalSteps,
                share(warmup, totalSteps),
                share(decay, totalSteps),
                lr,
                minLr == null ? lr / 10 : minLr);
    }

    private static long share(double stepsOrFraction, long totalSteps) {
        return Math.round(stepsOrFraction < 1 ? stepsOrFraction * totalSteps : stepsOrFraction);
    }
}
