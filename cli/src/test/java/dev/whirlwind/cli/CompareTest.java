package dev.whirlwind.cli;

import org.junit.jupiter.api.Test;

/** What compare computes is seen in {@link EnginesTest}. */
class CompareTest {
    @Test
    void needsTwoEngines() {
        Cli.run("compare", "--engines", "cpu").isWrongUsage("two engines");
        Cli.run("compare", "--engines", "cpu,gpu").isWrongUsage("gpu", "cpu, tornado, loops");
    }
}
