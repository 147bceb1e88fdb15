package dev.whirlwind.cli.bench;

import dev.whirlwind.cli.Cli;
import dev.whirlwind.cli.shared.EnginesTest;
import org.junit.jupiter.api.Test;

/** What compare computes is seen in {@link EnginesTest}. */
class CompareTest {
    @Test
    void needsTwoEngines() {
        Cli.run("compare", "--engines", "cpu").isWrongUsage("two engines");
        Cli.run("compare", "--engines", "cpu,gpu").isWrongUsage("gpu", "cpu, tornado, loops");
    }
}
