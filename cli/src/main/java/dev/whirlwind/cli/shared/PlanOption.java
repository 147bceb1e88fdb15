package dev.whirlwind.cli.shared;

import picocli.CommandLine.Option;

/** What every command is asked that takes much memory. */
public final class PlanOption {
    @Option(names = "--no-plan", description = "Try it even where memory will not do by what is computed beforehand.")
    private boolean noPlan;

    /** The memory that may be taken. */
    public MemoryCheck memory() {
        return MemoryCheck.now(noPlan);
    }
}
